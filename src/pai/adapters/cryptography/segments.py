"""Large blobs: AES-256-GCM in segments (STREAM; Hoang, Reyhanitabar, Rogaway, Vizár 2015).

Layout: version (1 byte, ``0x01``) || salt (32 random bytes) || segments. Each segment is up to 64 KiB of plaintext
and a tag (16 bytes); only the last may be shorter, and it is empty only when the whole blob is. HKDF-SHA256 over
the data key with that salt gives the key (32 bytes) and a nonce prefix (7 bytes); nonce = prefix || counter (4
bytes, big-endian) || last (``0x01`` or ``0x00``). Counter and last flag are what refuse reordering, splicing and
truncation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pai.adapters.cryptography.aead import Buffer, bind, derive
from pai.foundation.errors import Corrupt, TooLarge

VERSION = b"\x01"
SALT_BYTES = 32
SEGMENT_BYTES = 64 * 1024
TAG_BYTES = 16
_MAX_SEGMENTS = 2**32
_INFO = b"pai/segments/1\x00"


def encrypt_segments(key: Buffer, data: Iterable[bytes], *, context: str, salt: bytes | None = None) -> Iterator[bytes]:
    """Yield the encrypted blob of ``data`` piece by piece. ``salt`` is for known-answer vectors only."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    cipher, prefix = _cipher(key, salt, context)
    yield VERSION + salt
    counter = 0
    held = bytearray()
    for piece in data:
        held += piece
        # One byte more than a segment must be there before a segment can be known not to be the last.
        whole = (len(held) - 1) // SEGMENT_BYTES if held else 0
        if whole:
            with memoryview(held) as view:
                for at in range(0, whole * SEGMENT_BYTES, SEGMENT_BYTES):
                    yield cipher.encrypt(_nonce(prefix, counter, last=False), view[at : at + SEGMENT_BYTES], None)
                    counter += 1
            del held[: whole * SEGMENT_BYTES]
    yield cipher.encrypt(_nonce(prefix, counter, last=True), bytes(held), None)


def decrypt_segments(key: Buffer, source: BinaryIO, *, context: str) -> Iterator[bytes]:
    """Yield the plaintext segment by segment, each authenticated before it is yielded.

    Raises Corrupt on any flipped bit, reordering, splicing, missing or added byte; a truncation is known at the end
    at latest, so a reader that needs all or nothing must read to the end.
    """
    header = source.read(1 + SALT_BYTES)
    if len(header) != 1 + SALT_BYTES or header[:1] != VERSION:
        raise _corrupt()
    cipher, prefix = _cipher(key, header[1:], context)
    counter = 0
    segment = source.read(SEGMENT_BYTES + TAG_BYTES)
    while True:
        following = source.read(SEGMENT_BYTES + TAG_BYTES) if len(segment) == SEGMENT_BYTES + TAG_BYTES else b""
        last = not following
        try:
            plaintext = cipher.decrypt(_nonce(prefix, counter, last=last), segment, None)
        except InvalidTag:
            raise _corrupt() from None
        if last and not plaintext and counter:
            raise _corrupt()  # an empty last segment has exactly one meaning: an empty blob
        yield plaintext
        if last:
            return
        segment = following
        counter += 1


def _cipher(key: Buffer, salt: bytes, context: str) -> tuple[AESGCM, bytes]:
    material = derive(key, salt=salt, info=_INFO + bind(context.encode()), length=39)
    return AESGCM(material[:32]), material[32:]


def _nonce(prefix: bytes, counter: int, *, last: bool) -> bytes:
    if counter >= _MAX_SEGMENTS:
        raise TooLarge("a blob may hold at most 256 TiB")
    return prefix + counter.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def _corrupt() -> Corrupt:
    return Corrupt(
        "an encrypted file was changed or cut short", hint="restore it from a backup or ingest the document again"
    )
