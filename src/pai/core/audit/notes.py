"""Checkpoints as text: a tree head in a signed note (C2SP tlog-checkpoint and signed-note), Ed25519."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from pai.foundation.errors import Corrupt

_ED25519 = b"\x01"
_DASH = "\N{EM DASH}"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A parsed note. ``text`` is what is signed, newline included."""

    text: str
    origin: str
    size: int
    root: bytes
    signer: str
    key_hash: bytes
    signature: bytes


def note_text(origin: str, size: int, root: bytes) -> str:
    """Return the text that is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the first 4 bytes of SHA-256(name || 0x0A || 0x01 || key)."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def signed(text: str, name: str, public_key: bytes, signature: bytes) -> str:
    """Return the whole note."""
    blob = base64.b64encode(key_hash(name, public_key) + signature).decode()
    return f"{text}\n{_DASH} {name} {blob}\n"


def parse(note: str) -> SignedNote:
    """Return the parts of a note with one signature. Raises Corrupt when it is malformed."""
    try:
        text, rest = note.split("\n\n", 1)
        text += "\n"
        origin, size, root = text.splitlines()
        mark, signer, blob = rest.rstrip("\n").split(" ")
        raw = base64.b64decode(blob, validate=True)
        if mark != _DASH or len(raw) != 68 or size != str(int(size)) or int(size) < 0:
            raise ValueError(mark)
        return SignedNote(text, origin, int(size), base64.b64decode(root, validate=True), signer, raw[:4], raw[4:])
    except (ValueError, binascii.Error):
        raise Corrupt("a checkpoint is not a signed note", hint="it was changed outside PAI") from None
