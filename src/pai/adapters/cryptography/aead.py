"""Small sealed records: AES-256-GCM under a key of their own.

Layout: version (1 byte, ``0x01``) || salt (32 random bytes) || ciphertext || tag (16 bytes). Key (32 bytes) and nonce
(12 bytes) come from HKDF-SHA256 (RFC 5869) over the caller's key with that salt, so no nonce can repeat under one key
however many records there are (NIST SP 800-38D section 8).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pai.foundation.errors import Corrupt

VERSION = b"\x01"
VERSIONED = b"\x02"
SALT_BYTES = 32
OVERHEAD = len(VERSION) + SALT_BYTES + 16
_INFO = b"pai/record/1\x00"

Buffer = bytes | bytearray | memoryview


def derive(key: Buffer, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """Return ``length`` bytes of HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)


def bind(*parts: bytes) -> bytes:
    """Join ``parts``, each after its length (4 bytes, big-endian): no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def seal_record(
    key: Buffer, plaintext: Buffer, *, purpose: str, associated: bytes = b"", salt: bytes | None = None
) -> bytes:
    """Encrypt ``plaintext`` under ``key`` (32 bytes), bound to ``purpose`` and ``associated``.

    ``salt`` is for known-answer vectors only: the default, fresh random bytes, is what keeps the key of each record
    unique.
    """
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    cipher, nonce = _cipher(key, salt, purpose)
    return VERSION + salt + cipher.encrypt(nonce, plaintext, bind(VERSION, associated))


def open_record(key: Buffer, sealed: Buffer, *, purpose: str, associated: bytes = b"") -> bytes:
    """Decrypt what :func:`seal_record` made. Raises Corrupt for any other key, purpose, associated data or byte."""
    sealed = bytes(sealed)
    if len(sealed) < OVERHEAD or sealed[:1] != VERSION:
        raise Corrupt("a sealed record is cut short or of an unknown version", hint="restore it from a backup")
    cipher, nonce = _cipher(key, sealed[1 : 1 + SALT_BYTES], purpose)
    try:
        return cipher.decrypt(nonce, sealed[1 + SALT_BYTES :], bind(VERSION, associated))
    except InvalidTag:
        raise Corrupt(
            "a sealed record does not authenticate", hint="it was changed, moved or made with another key"
        ) from None


def seal_versioned(
    keys: Sequence[Buffer], plaintext: Buffer, *, purpose: str, associated: bytes = b"", salt: bytes | None = None
) -> bytes:
    """As ``seal_record`` under the last of ``keys``. From the second version of a key on the record tells which it is: version
    (``0x02``) || number of the key (4 bytes, big-endian) || what a record has after its version.
    """
    number = len(keys)
    if number == 1:
        return seal_record(keys[0], plaintext, purpose=purpose, associated=associated, salt=salt)
    head = VERSIONED + number.to_bytes(4, "big")
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    cipher, nonce = _cipher(keys[-1], salt, purpose)
    return head + salt + cipher.encrypt(nonce, plaintext, bind(head, associated))


def version_of(sealed: Buffer) -> int:
    """Return the number of the key that a record names; 1 for those that name none. Raises Corrupt when it is no record."""
    head = bytes(sealed[:5])
    if head[:1] == VERSION:
        return 1
    number = int.from_bytes(head[1:], "big")
    if head[:1] != VERSIONED or len(head) != 5 or number < 2:
        raise Corrupt("a sealed record is cut short or of an unknown version", hint="restore it from a backup")
    return number


def open_versioned(keys: Sequence[Buffer], sealed: Buffer, *, purpose: str, associated: bytes = b"") -> bytes:
    """Decrypt what ``seal_versioned`` made with one of ``keys``. Raises Corrupt as ``open_record``."""
    number = version_of(sealed)
    if number == 1:
        return open_record(keys[0], sealed, purpose=purpose, associated=associated)
    sealed = bytes(sealed)
    body = sealed[5 + SALT_BYTES :]
    if number > len(keys) or len(body) < 16:
        raise Corrupt("a sealed record names a key that is not there", hint="restore the folder keys/ of the same time")
    cipher, nonce = _cipher(keys[number - 1], sealed[5 : 5 + SALT_BYTES], purpose)
    try:
        return cipher.decrypt(nonce, body, bind(sealed[:5], associated))
    except InvalidTag:
        raise Corrupt(
            "a sealed record does not authenticate", hint="it was changed, moved or made with another key"
        ) from None


def _cipher(key: Buffer, salt: bytes, purpose: str) -> tuple[AESGCM, bytes]:
    material = derive(key, salt=salt, info=_INFO + purpose.encode(), length=44)
    return AESGCM(material[:32]), material[32:]
