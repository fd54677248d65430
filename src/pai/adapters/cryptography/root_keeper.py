"""The part of the keystore that makes, opens and re-wraps the root key."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from pai.adapters.cryptography.passphrase import new_recovery_code, profile_named
from pai.adapters.cryptography.root import (
    NEXT,
    SERVER_KEYS,
    RootFile,
    RootFolder,
    ServerKeys,
    new_key,
    unwrap_by_passphrase,
    unwrap_by_recovery,
    wrap_by_passphrase,
    wrap_by_recovery,
)
from pai.core.keys.values import KeystoreStatus, check_passphrase
from pai.foundation.errors import Conflict, NotFound, Sealed, Throttled, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret

ROTATED: Final = frozenset({"audit", "console", "job", "tls", "server"})
"""Keys that encrypt keys and records. `database` is a data key, `checkpoint` and `model` sign: theirs is another rotation."""
FREE_ATTEMPTS: Final = 3
LONGEST_PAUSE: Final = 300.0
"""Seconds."""


class RootKeeper:
    """Implements ``core.keys.ports.KeystoreAdministration`` but for ``status``. One change of the root at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = RootFolder(folder)
        self._root: bytearray | None = None
        self._keys: ServerKeys = {}
        self._root_guard = threading.RLock()
        self._failed = 0
        self._not_before = 0.0

    def create(self, passphrase: Secret, kdf: str) -> Secret:
        """See the port."""
        with self._root_guard:
            profile = profile_named(kdf)
            check_passphrase(passphrase)
            self._folder.prepare()
            if self._folder.exists():
                return self._resume(passphrase)
            installation = new_id("ins")
            root = new_key()
            keys = {name: [new_key()] for name in SERVER_KEYS}
            code = new_recovery_code()
            # Order matters: keystore.json is the commit point, see root.py.
            self._folder.write_server_keys(root, installation, keys)
            wrapped = wrap_by_passphrase(root, installation, passphrase, profile)
            recovery = wrap_by_recovery(root, installation, code)
            self._folder.write(RootFile("pai-keystore", 1, installation, wrapped, recovery))
            self._root, self._keys = root, keys
            return code

    def open(self, passphrase: Secret) -> None:
        """See the port."""
        with self._root_guard:
            found = self._read()
            with self._paced():
                root = unwrap_by_passphrase(found, passphrase)
            self._take(root, found)

    def open_with_recovery(self, code: Secret) -> None:
        """See the port."""
        with self._root_guard:
            found = self._read()
            with self._paced():
                root = unwrap_by_recovery(found, code)
            self._take(root, found)

    def confirm_recovery(self, code: Secret) -> None:
        """See the port."""
        with self._root_guard:
            found = self._read()
            opened = unwrap_by_recovery(found, code)
            opened[:] = bytes(len(opened))
            confirmed = msgspec.structs.replace(found.recovery, confirmed=True)
            self._folder.write(msgspec.structs.replace(found, recovery=confirmed))

    def renew_recovery(self) -> Secret:
        """See the port."""
        with self._root_guard:
            root = self._require_open()
            found = self._read()
            code = new_recovery_code()
            self._folder.write(
                msgspec.structs.replace(found, recovery=wrap_by_recovery(root, found.installation, code))
            )
            return code

    def set_passphrase(self, passphrase: Secret, kdf: str) -> None:
        """See the port."""
        with self._root_guard:
            root = self._require_open()
            profile = profile_named(kdf)
            check_passphrase(passphrase)
            found = self._read()
            wrapped = wrap_by_passphrase(root, found.installation, passphrase, profile)
            self._folder.write(msgspec.structs.replace(found, passphrase=wrapped))

    def rotate_root(self, passphrase: Secret, kdf: str) -> Secret:
        """See the port. The new root is in force once ``keystore.json`` is replaced; ``server.next.json`` lies ready before that."""
        with self._root_guard:
            self._require_open()
            profile, found = profile_named(kdf), self._read()
            with self._paced():
                old = unwrap_by_passphrase(found, passphrase)
            old[:] = bytes(len(old))
            root, code = new_key(), new_recovery_code()
            self._folder.write_server_keys(root, found.installation, self._keys, NEXT)
            wrapped = wrap_by_passphrase(root, found.installation, passphrase, profile)
            recovery = wrap_by_recovery(root, found.installation, code)
            self._folder.write(msgspec.structs.replace(found, passphrase=wrapped, recovery=recovery))
            self._folder.take_next()
            self._wipe(self._root)
            self._root = root
            return code

    def rotate_keys(self) -> dict[str, int]:
        """See the port."""
        with self._root_guard:
            root, found = self._require_open(), self._read()
            keys = {
                name: [*versions, new_key()] if name in ROTATED else versions for name, versions in self._keys.items()
            }
            self._folder.write_server_keys(root, found.installation, keys)
            self._keys = keys
            return {name: len(versions) for name, versions in keys.items()}

    def key_versions(self) -> dict[str, int]:
        """See the port."""
        self._require_open()
        return {name: len(versions) for name, versions in self._keys.items()}

    @contextmanager
    def _paced(self) -> Iterator[None]:
        """Let each wrong passphrase or code after the third be followed by a pause that doubles."""
        left = self._not_before - time.monotonic()
        if left > 0:
            raise Throttled(
                f"too many wrong passphrases; the next is looked at in {math.ceil(left)} s", code="unseal_throttled",
                hint="wait, then try again", retry_after=math.ceil(left),
            )  # fmt: skip
        try:
            yield
        except Unauthenticated:
            self._failed += 1
            if self._failed >= FREE_ATTEMPTS:
                self._not_before = time.monotonic() + min(2.0 ** (self._failed - FREE_ATTEMPTS), LONGEST_PAUSE)
            raise
        self._failed = 0

    def _status(self, protections: tuple[str, ...]) -> KeystoreStatus:
        if not self._folder.exists():
            return KeystoreStatus(created=False, opened=False, protections=protections)
        found = self._folder.read()
        return KeystoreStatus(
            created=True,
            opened=self._root is not None,
            installation=found.installation,
            recovery_confirmed=found.recovery.confirmed,
            kdf=found.passphrase.kdf,
            protections=protections,
        )

    def _require_open(self) -> bytearray:
        root = self._root
        if root is None:
            raise Sealed("the installation is sealed", hint="give the passphrase: restart PAI or run 'pai keys unseal'")
        return root

    def _server_key(self, name: str) -> bytearray:
        return self._server_keys(name)[-1]

    def _server_keys(self, name: str) -> list[bytearray]:
        self._require_open()
        return self._keys[name]

    def _resume(self, passphrase: Secret) -> Secret:
        found = self._folder.read()
        if found.recovery.confirmed:
            raise Conflict("this installation has its root key already", code="keystore_exists")
        self._take(unwrap_by_passphrase(found, passphrase), found)
        return self.renew_recovery()

    def _read(self) -> RootFile:
        if not self._folder.exists():
            raise NotFound("this home has no root key yet", code="no_keystore", hint="run 'pai init' first")
        return self._folder.read()

    def _take(self, root: bytearray, found: RootFile) -> None:
        keys = self._folder.read_server_keys(root, found.installation)
        self._root, self._keys = root, keys

    def _wipe_root(self) -> None:
        with self._root_guard:
            for key in [*(one for versions in self._keys.values() for one in versions), self._root]:
                self._wipe(key)
            self._root, self._keys = None, {}

    @staticmethod
    def _wipe(key: bytearray | None) -> None:
        if key is not None:
            key[:] = bytes(len(key))
