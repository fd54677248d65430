"""The root key and the server keys under it, as files of ``$PAI_HOME/keys`` (docs/formats.md).

``keystore.json`` holds the root key wrapped by the passphrase and by the recovery code; ``server.json`` holds the
server keys, each sealed under the root. ``server.json`` is written first: while ``keystore.json`` is not there,
nothing was created, and an interrupted creation simply starts again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from pai.adapters.cryptography.aead import bind, derive, open_record, seal_record
from pai.adapters.cryptography.files import sweep, sync_folder, write_whole
from pai.adapters.cryptography.passphrase import SALT_BYTES, Profile, profile_named, read_recovery_code, stretch
from pai.foundation.errors import Corrupt, Unauthenticated
from pai.foundation.redaction import Secret

KEY_BYTES = 32
SERVER_KEYS = ("database", "audit", "checkpoint", "model", "console", "job", "tls", "server")
SERVER, NEXT = "server.json", "server.next.json"
_VERSION = 1
_VERSIONS_OF_SERVER = (1, 2)
_RESTORE = "restore the folder keys/ of the home from a backup; without it nothing can be opened"


class PassphraseWrap(msgspec.Struct, forbid_unknown_fields=True):
    """The root wrapped by the passphrase."""

    kdf: str
    salt: bytes
    wrap: bytes


class RecoveryWrap(msgspec.Struct, forbid_unknown_fields=True):
    """The root wrapped by the recovery code; ``confirmed`` once the owner has typed the code back."""

    wrap: bytes
    confirmed: bool


class RootFile(msgspec.Struct, forbid_unknown_fields=True):
    """``keystore.json``."""

    format: str
    version: int
    installation: str
    passphrase: PassphraseWrap
    recovery: RecoveryWrap


class ServerFile(msgspec.Struct, forbid_unknown_fields=True):
    """``server.json``. ``keys`` are those of version 1; ``later`` the versions from 2 on, oldest first, by the name of the key. The last
    version of a key is active, those before it decrypt only."""

    format: str
    version: int
    installation: str
    keys: dict[str, bytes]
    later: dict[str, list[bytes]] = {}


_File = TypeVar("_File", RootFile, ServerFile)
ServerKeys = dict[str, list[bytearray]]
"""Versions of each server key, the first at index 0."""


@dataclass(frozen=True, slots=True)
class RootFolder:
    """The key folder of one home."""

    path: Path

    def exists(self) -> bool:
        """Return whether a root key was created here."""
        return (self.path / "keystore.json").is_file()

    def read(self) -> RootFile:
        """Return the root file. Raises Corrupt when it cannot be understood."""
        found = _decode(self.path / "keystore.json", RootFile)
        _check_form(found.format, "pai-keystore", found.version)
        return found

    def write(self, root: RootFile) -> None:
        """Replace the root file."""
        write_whole(self.path / "keystore.json", [_encode(root)])

    def prepare(self) -> None:
        """Make the folder if needed and remove what a crash left behind."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(self.path)

    def write_server_keys(
        self, root_key: bytearray, installation: str, keys: ServerKeys, name: str = "server.json"
    ) -> None:
        """Seal the server keys under the root and replace ``server.json``, or the file of this ``name``."""
        sealed = {
            key: [
                seal_record(root_key, one, purpose="server-key", associated=_bound(installation, key, version))
                for version, one in enumerate(versions, 1)
            ]
            for key, versions in keys.items()
        }
        first, later = (
            {key: all_[0] for key, all_ in sealed.items()},
            {key: all_[1:] for key, all_ in sealed.items() if all_[1:]},
        )
        file = ServerFile("pai-server-keys", 2 if later else 1, installation, first, later)
        write_whole(self.path / name, [_encode(file)])

    def read_server_keys(self, root_key: bytearray, installation: str) -> ServerKeys:
        """Open all server keys, and finish a rotation of the root that was cut off after its commit point.

        Raises Corrupt when one is missing, changed, or of another installation.
        """
        try:
            keys = self._read(self.path / SERVER, root_key, installation)
        except Corrupt:
            if not (self.path / NEXT).exists():
                raise
            keys = self._read(self.path / NEXT, root_key, installation)
            self.take_next()
        else:
            (self.path / NEXT).unlink(missing_ok=True)  # of a rotation that was cut off before its commit point
        return keys

    def take_next(self) -> None:
        """Let the server keys under the new root take the place of the old ones."""
        (self.path / NEXT).replace(self.path / SERVER)
        sync_folder(self.path)

    def _read(self, path: Path, root_key: bytearray, installation: str) -> ServerKeys:
        found = _decode(path, ServerFile)
        _check_form(found.format, "pai-server-keys", found.version, _VERSIONS_OF_SERVER)
        if (
            found.installation != installation
            or set(found.keys) != set(SERVER_KEYS)
            or not set(found.later) <= set(SERVER_KEYS)
        ):
            raise Corrupt("server.json belongs to another installation or is incomplete", hint=_RESTORE)
        return {
            key: [
                bytearray(
                    open_record(root_key, sealed, purpose="server-key", associated=_bound(installation, key, version))
                )
                for version, sealed in enumerate([first, *found.later.get(key, [])], 1)
            ]
            for key, first in found.keys.items()
        }


def new_key() -> bytearray:
    """Return 32 fresh random bytes."""
    return bytearray(os.urandom(KEY_BYTES))


def wrap_by_passphrase(root_key: bytearray, installation: str, passphrase: Secret, profile: Profile) -> PassphraseWrap:
    """Wrap the root under Argon2id of the passphrase; profile, salt and installation are bound as associated data."""
    salt = os.urandom(SALT_BYTES)
    key = derive(stretch(passphrase, salt, profile), salt=salt, info=b"pai/root/passphrase/1")
    associated = bind(installation.encode(), profile.name.encode(), salt)
    return PassphraseWrap(
        profile.name, salt, seal_record(key, root_key, purpose="root/passphrase", associated=associated)
    )


def unwrap_by_passphrase(root: RootFile, passphrase: Secret) -> bytearray:
    """Return the root key.

    Raises Unauthenticated (code ``wrong_passphrase``); a changed wrap cannot be told from a wrong passphrase.
    """
    wrap = root.passphrase
    profile = profile_named(wrap.kdf)
    if len(wrap.salt) != SALT_BYTES:
        raise Corrupt("keystore.json has a salt of the wrong length", hint=_RESTORE)
    key = derive(stretch(passphrase, wrap.salt, profile), salt=wrap.salt, info=b"pai/root/passphrase/1")
    associated = bind(root.installation.encode(), wrap.kdf.encode(), wrap.salt)
    try:
        return bytearray(open_record(key, wrap.wrap, purpose="root/passphrase", associated=associated))
    except Corrupt:
        raise Unauthenticated(
            "the passphrase does not open this installation",
            code="wrong_passphrase",
            hint="check the passphrase; if it is lost, use the recovery code",
        ) from None


def wrap_by_recovery(root_key: bytearray, installation: str, code: Secret) -> RecoveryWrap:
    """Wrap the root under the recovery code (160 random bits, so no stretching is needed)."""
    key = derive(read_recovery_code(code), salt=installation.encode(), info=b"pai/root/recovery/1")
    wrap = seal_record(key, root_key, purpose="root/recovery", associated=bind(installation.encode()))
    return RecoveryWrap(wrap, confirmed=False)


def unwrap_by_recovery(root: RootFile, code: Secret) -> bytearray:
    """Return the root key.

    Raises Invalid for a typing error, Unauthenticated (``wrong_recovery_code``) for another code.
    """
    key = derive(read_recovery_code(code), salt=root.installation.encode(), info=b"pai/root/recovery/1")
    try:
        return bytearray(
            open_record(key, root.recovery.wrap, purpose="root/recovery", associated=bind(root.installation.encode()))
        )
    except Corrupt:
        raise Unauthenticated(
            "the recovery code is not the one of this installation",
            code="wrong_recovery_code",
            hint="use the newest code that was shown",
        ) from None


def _encode(value: RootFile | ServerFile) -> bytes:
    told = msgspec.to_builtins(value)
    if not told.get("later", True):
        del told["later"]  # version 1 has no such field
    return msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"


def _bound(installation: str, name: str, version: int) -> bytes:
    parts = (installation.encode(), name.encode())
    return bind(*parts) if version == 1 else bind(*parts, version.to_bytes(4, "big"))


def _decode(path: Path, kind: type[_File]) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise Corrupt(f"{path.name} is missing", hint=_RESTORE) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Corrupt(f"{path.name} cannot be understood", hint=_RESTORE) from None


def _check_form(form: str, wanted: str, version: int, known: tuple[int, ...] = (_VERSION,)) -> None:
    if form != wanted or version not in known:
        raise Corrupt(
            f"the key folder has form {form!r} version {version}; this program reads {wanted!r} version {known[-1]}",
            hint=_RESTORE,
        )
