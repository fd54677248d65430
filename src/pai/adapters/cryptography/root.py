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
from pai.adapters.cryptography.files import sweep, write_whole
from pai.adapters.cryptography.passphrase import SALT_BYTES, Profile, profile_named, read_recovery_code, stretch
from pai.foundation.errors import Corrupt, Unauthenticated
from pai.foundation.redaction import Secret

KEY_BYTES = 32
SERVER_KEYS = ("database", "audit", "checkpoint", "model", "console", "job", "tls", "server")
_VERSION = 1
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
    """``server.json``."""

    format: str
    version: int
    installation: str
    keys: dict[str, bytes]


_File = TypeVar("_File", RootFile, ServerFile)


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

    def write_server_keys(self, root_key: bytearray, installation: str, keys: dict[str, bytearray]) -> None:
        """Seal the server keys under the root and replace ``server.json``."""
        sealed = {
            name: seal_record(
                root_key, key, purpose="server-key", associated=bind(installation.encode(), name.encode())
            )
            for name, key in keys.items()
        }
        write_whole(self.path / "server.json", [_encode(ServerFile("pai-server-keys", _VERSION, installation, sealed))])

    def read_server_keys(self, root_key: bytearray, installation: str) -> dict[str, bytearray]:
        """Open all server keys. Raises Corrupt when one is missing, changed, or of another installation."""
        found = _decode(self.path / "server.json", ServerFile)
        _check_form(found.format, "pai-server-keys", found.version)
        if found.installation != installation or set(found.keys) != set(SERVER_KEYS):
            raise Corrupt("server.json belongs to another installation or is incomplete", hint=_RESTORE)
        return {
            name: bytearray(
                open_record(
                    root_key, sealed, purpose="server-key", associated=bind(installation.encode(), name.encode())
                )
            )
            for name, sealed in found.keys.items()
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
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _decode(path: Path, kind: type[_File]) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise Corrupt(f"{path.name} is missing", hint=_RESTORE) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Corrupt(f"{path.name} cannot be understood", hint=_RESTORE) from None


def _check_form(form: str, wanted: str, version: int) -> None:
    if form != wanted or version != _VERSION:
        raise Corrupt(
            f"the key folder has form {form!r} version {version}; this program reads {wanted!r} version {_VERSION}",
            hint=_RESTORE,
        )
