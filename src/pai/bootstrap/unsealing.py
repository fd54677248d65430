"""Opening the root key with the first offered passphrase that fits: one from a file, or what is typed at the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pai.foundation.errors import Unauthenticated
from pai.foundation.redaction import Secret

_Opened = TypeVar("_Opened")


def unseal(open_root: Callable[[Secret], _Opened], offered: Iterable[Secret]) -> tuple[Secret, _Opened]:
    """Return the passphrase that opened, and what ``open_root`` returned. Raises Unauthenticated when none did.

    ``offered`` is asked one by one, and only here: what else can go wrong is known before anybody types a passphrase.
    """
    refused = Unauthenticated("no passphrase was given", code="wrong_passphrase")
    for passphrase in offered:
        try:
            return passphrase, open_root(passphrase)
        except Unauthenticated as error:
            refused = error
    raise refused
