"""The pieces of a backup: what is written for each, and how it is read (docs/formats.md, "Backup").

Chunks are encrypted deterministically, so that a chunk which is there already is not written again: its key is a keyed hash of the
plaintext's SHA-256, under a secret of the installation, and its name is the SHA-256 of what is written. Equal chunks of this
installation are equal files; without the secret nobody can try a guessed content, and without the plaintext's hash, which stands in
the sealed manifest only, the secret opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import PurePosixPath
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pai.adapters.cryptography.aead import bind, derive
from pai.foundation.errors import Corrupt
from pai.foundation.redaction import Secret

CHUNK_BYTES: Final = 1 << 20
DATABASE_CHUNK_BYTES: Final = 1 << 16
"""A database changes here and there, so that smaller chunks leave more of it as it was."""
MARKER: Final = "pai-backup.json"
MARKER_TEXT: Final = b'{"format":"pai-backup","version":1}\n'
CHUNKS, BACKUPS, HEAD = "chunks", "backups", "head.json"
PARTS: Final = ("unlock.age", "manifest.sealed", "keys.age", "chunks.list")
"""Files of a backup beside its head, which names their hashes."""
VERSION: Final = 1
_CHUNK_VERSION: Final = b"\x01"
_CHUNK: Final = b"pai/backup/chunk/1"
_NONCE: Final = bytes(12)
HEX: Final = re.compile(r"[0-9a-f]{64}\Z")
_PLACE: Final = re.compile(r"[^/\x00-\x1f\x7f]{1,255}\Z")


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Size and SHA-256 (hex) of a file."""

    size: int
    sha256: str


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``head.json``: readable by anybody, signed. ``signer`` is an Ed25519 public key in hex."""

    format: str
    version: int
    id: str
    at: str
    kept_until: str | None
    files: int
    bytes: int
    parts: dict[str, Part]
    signer: str
    signature: str = ""

    def digest(self) -> str:
        """Return the SHA-256 (hex) that is signed: of this head without its signature."""
        bare = msgspec.structs.replace(self, signature="")
        return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).hexdigest()


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the home: its path below it, and its chunks as pairs of (SHA-256 of the plaintext, name of the chunk)."""

    path: str
    size: int
    sha256: str
    chunks: tuple[tuple[str, str], ...]


class Referred(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that is public and told by its hash only: weights of a starter model."""

    path: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds."""

    files: tuple[Kept, ...]
    referred: tuple[Referred, ...]


class Unlocked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``unlock.age`` holds: the secret of chunks and the key of the manifest."""

    secret: bytes
    manifest: bytes


def chunk_secret(secret: Secret) -> bytes:
    """Return what the keys of chunks are made with."""
    return derive(secret.reveal(), salt=b"", info=_CHUNK)


def seal_chunk(secret: bytes, plaintext: bytes) -> tuple[str, bytes]:
    """Return (SHA-256 of the plaintext in hex, the chunk as it is written)."""
    digest = hashlib.sha256(plaintext).digest()
    # The key belongs to this plaintext alone, so one fixed nonce is used once with it (NIST SP 800-38D section 8.2).
    sealed = AESGCM(hmac.digest(secret, digest, "sha256")).encrypt(_NONCE, plaintext, bind(_CHUNK_VERSION, _CHUNK))
    return digest.hex(), _CHUNK_VERSION + sealed


def open_chunk(secret: bytes, digest: str, sealed: bytes) -> bytes:
    """Return the plaintext of a chunk. Raises Corrupt when it is not the one that the manifest means."""
    key = hmac.digest(secret, bytes.fromhex(digest), "sha256")
    try:
        if sealed[:1] != _CHUNK_VERSION:
            raise InvalidTag
        plaintext = AESGCM(key).decrypt(_NONCE, sealed[1:], bind(_CHUNK_VERSION, _CHUNK))
    except InvalidTag:
        raise Corrupt("a chunk does not authenticate", hint="it was changed or is another one") from None
    if hashlib.sha256(plaintext).hexdigest() != digest:
        raise Corrupt("a chunk is not the one that the manifest means")
    return plaintext


def read_head(data: bytes) -> Head:
    """Return a head. Raises Corrupt when it cannot be understood."""
    try:
        head = msgspec.json.decode(data, type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Corrupt("the head cannot be understood") from None
    if head.format != "pai-backup" or head.version != VERSION:
        raise Corrupt(
            f"the head has form {head.format[:20]!r} version {head.version}; this program reads version {VERSION}"
        )
    if set(head.parts) != set(PARTS):
        raise Corrupt("the head names other parts than a backup has")
    return head


def read_manifest(data: bytes) -> Manifest:
    """Return a manifest whose every path stays below a home. Raises Corrupt."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Corrupt("the manifest cannot be understood") from None
    paths = [*(one.path for one in manifest.files), *(one.path for one in manifest.referred)]
    names = [name for one in manifest.files for pair in one.chunks for name in pair]
    if len(set(paths)) != len(paths) or not all(map(is_place, paths)) or not all(map(HEX.match, names)):
        raise Corrupt("the manifest names a place that no home has")
    return manifest


def is_place(path: str) -> bool:
    """Return whether ``path`` is a plain relative path of at most eight parts: no way out of a home."""
    parts = path.split("/")
    named = all(_PLACE.match(part) and part not in (".", "..") for part in parts)
    return len(parts) <= 8 and named and str(PurePosixPath(path)) == path
