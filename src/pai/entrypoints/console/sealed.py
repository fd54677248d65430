"""The control socket while the installation is sealed: it can be opened, and asked how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pai import __version__
from pai.core.keys.ports import KeystoreAdministration
from pai.foundation.errors import Conflict, Sealed, Throttled, Unauthenticated, Usage
from pai.foundation.redaction import Secret


class SealedConsole:
    """Host commands of a sealed installation. ``refused`` counts attempts until it opened, ``by`` tells what opened it."""

    def __init__(self, keystore: KeystoreAdministration, reason: Callable[[], str]) -> None:
        self.opened = asyncio.Event()
        self.refused = 0
        self.by = ""
        self._keystore = keystore
        self._reason = reason
        self._turn = asyncio.Lock()

    async def run(self, command: str, arguments: dict[str, Any]) -> Any:
        """Run a host command. Raises Sealed for all that need an open installation, Unauthenticated and Throttled when opening."""
        if command == "status":
            return {"ready": False, "reason": self._reason(), "version": __version__}
        if command != "keys.unseal":
            raise Sealed("PAI is sealed", hint="open it first: pai keys unseal")
        async with self._turn:  # one attempt at a time, whoever tries
            if self.opened.is_set():
                raise Conflict("PAI is open already", code="not_sealed", hint="see `pai status`")
            await self._open(arguments)
        self.opened.set()
        return {"sealed": False, "refused": self.refused}

    async def _open(self, arguments: dict[str, Any]) -> None:
        ways = {"passphrase": self._keystore.open, "recovery-code": self._keystore.open_with_recovery}
        given = [name for name in ways if arguments.get(name)]
        if len(given) != 1:
            raise Usage("a passphrase or a recovery code is needed", hint="pai keys unseal, or with --recovery")
        try:
            await asyncio.to_thread(ways[given[0]], Secret(str(arguments[given[0]]).encode("utf-8", "surrogateescape")))
        except (Unauthenticated, Throttled):
            self.refused += 1
            raise
        self.by = given[0]


__all__ = ["SealedConsole"]
