"""What the keystore can be asked for: the base of all operations."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from pai.adapters.cryptography.keystore import KeyVault


class Operation(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Base of all operations."""

    op: ClassVar[str] = ""
    slow: ClassVar[bool] = False

    def perform(self, vault: KeyVault) -> object:
        """Run on the vault and return what the port's method returns."""
        raise NotImplementedError
