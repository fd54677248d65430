"""Checkpoints as text: a tree head in a signed note (C2SP tlog-checkpoint and signed-note), Ed25519, with the signatures of witnesses
(C2SP tlog-cosignature)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from pai.foundation.errors import Corrupt, Invalid

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
_DASH = "\N{EM DASH}"
_SIGNATURE = 64
_TIME = 8
Verify = Callable[[bytes, bytes, bytes], bool]
"""``verify(public key, message, signature)`` tells whether an Ed25519 signature holds."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who by name, the first 4 bytes of the key's hash, and what follows them."""

    signer: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A parsed checkpoint. ``text`` is what is signed, newline included; the first signature is the log's own."""

    text: str
    origin: str
    size: int
    root: bytes
    signatures: tuple[NoteSignature, ...]

    def signed_by(self, name: str, public_key: bytes, verify: Verify) -> bool:
        """Return whether the holder of a log's key signed this."""
        wanted = (name, key_hash(name, public_key))
        found = [one.signature for one in self.signatures if (one.signer, one.key_hash) == wanted]
        return any(verify(public_key, self.text.encode(), signature) for signature in found)

    def cosigned_by(self, name: str, public_key: bytes, verify: Verify) -> int | None:
        """Return the seconds since 1970 at which the holder of a witness' key co-signed this, None when it did not."""
        wanted = (name, key_hash(name, public_key, COSIGNATURE))
        for one in self.signatures:
            if (one.signer, one.key_hash) == wanted and len(one.signature) == _TIME + _SIGNATURE:
                stamp = int.from_bytes(one.signature[:_TIME], "big")
                if verify(public_key, cosignature_message(self.text, stamp), one.signature[_TIME:]):
                    return stamp
        return None


def note_text(origin: str, size: int, root: bytes) -> str:
    """Return the text that is signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def cosignature_message(text: str, stamp: int) -> bytes:
    """Return what a witness signs at ``stamp`` seconds since 1970 (C2SP tlog-cosignature, version 1)."""
    return f"cosignature/v1\ntime {stamp}\n{text}".encode()


def key_hash(name: str, public_key: bytes, kind: bytes = ED25519) -> bytes:
    """Return the first 4 bytes of SHA-256(name || 0x0A || kind || key)."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes, kind: bytes = ED25519) -> str:
    """Return a verifier key as text (C2SP signed-note): ``name+hash+base64(kind || key)``."""
    return f"{name}+{key_hash(name, public_key, kind).hex()}+{base64.b64encode(kind + public_key).decode()}"


def read_verifier_key(text: str) -> tuple[str, bytes, bytes]:
    """Return (name, kind, public key) of a verifier key. Raises Invalid when it is malformed or its hash is not its own."""
    try:
        name, number, blob = text.strip().split("+", 2)
        raw = base64.b64decode(blob, validate=True)
        if not name or len(raw) != 33 or key_hash(name, raw[1:], raw[:1]).hex() != number:
            raise ValueError(number)
    except (ValueError, binascii.Error):
        raise Invalid("this is no verifier key", code="bad_key", hint="as `pai audit key` prints it") from None
    return name, raw[:1], raw[1:]


def signed(text: str, name: str, public_key: bytes, signature: bytes) -> str:
    """Return the whole note."""
    return f"{text}\n{_line(name, key_hash(name, public_key), signature)}"


def cosigned(note: str, name: str, public_key: bytes, stamp: int, signature: bytes) -> str:
    """Return a note with the signature of a witness added; an earlier one by the same key is replaced."""
    number = key_hash(name, public_key, COSIGNATURE)
    new = _line(name, number, stamp.to_bytes(_TIME, "big") + signature)
    text, rest = note.split("\n\n", 1)
    begins = f"{_DASH} {name} "
    kept = [
        line
        for line in rest.splitlines(keepends=True)
        if not (line.startswith(begins) and base64.b64decode(line[len(begins) :])[:4] == number)
    ]
    return f"{text}\n\n{''.join(kept)}{new}"


def _line(name: str, number: bytes, rest: bytes) -> str:
    return f"{_DASH} {name} {base64.b64encode(number + rest).decode()}\n"


def parse(note: str) -> SignedNote:
    """Return the parts of a checkpoint with one signature or more. Raises Corrupt when it is malformed."""
    try:
        text, rest = note.split("\n\n", 1)
        text += "\n"
        origin, size, root = text.splitlines()
        if not rest.endswith("\n") or size != str(int(size)) or int(size) < 0:
            raise ValueError(size)
        signatures = tuple(_signature(line) for line in rest[:-1].split("\n"))
        return SignedNote(text, origin, int(size), base64.b64decode(root, validate=True), signatures)
    except (ValueError, binascii.Error):
        raise Corrupt("a checkpoint is not a signed note", hint="it was changed outside PAI") from None


def _signature(line: str) -> NoteSignature:
    mark, signer, blob = line.split(" ")
    raw = base64.b64decode(blob, validate=True)
    if mark != _DASH or len(raw) not in (4 + _SIGNATURE, 4 + _TIME + _SIGNATURE):
        raise ValueError(mark)
    return NoteSignature(signer, raw[:4], raw[4:])
