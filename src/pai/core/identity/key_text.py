"""The text form of API keys: ``pai_ID_SECRET_CHECK``, so that a typing error or a leak in a log is easy to tell."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

from pai.foundation.redaction import Secret

_FORM = re.compile(r"pai_([0-9a-hjkmnp-tv-z]{26})_([A-Za-z0-9]{43})_([0-9a-f]{6})\Z")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class KeyText:
    """A parsed key: the id of its row and its secret (256 bits in 43 letters and digits)."""

    key_id: str
    secret: Secret

    def text(self) -> str:
        """Return the whole key, to be shown once."""
        body = f"pai_{self.key_id.removeprefix('key_')}_{self.secret.reveal().decode()}"
        return f"{body}_{_check(body)}"

    def hashed(self) -> bytes:
        """Return what is stored. The secret is random, so one SHA-256 is enough."""
        return hashlib.sha256(b"pai/api-key/1\x00" + self.key_id.encode() + b"\x00" + self.secret.reveal()).digest()


def new_key_text(key_id: str) -> KeyText:
    """Return a fresh key for this row."""
    return KeyText(key_id, Secret("".join(secrets.choice(_LETTERS) for _ in range(43)).encode()))


def read_key_text(text: str) -> KeyText | None:
    """Return the parts of a key, or None when it has not the form or its checksum is wrong."""
    found = _FORM.match(text)
    if found is None or _check(text.rpartition("_")[0]) != found[3]:
        return None
    return KeyText(f"key_{found[1]}", Secret(found[2].encode()))


def _check(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:6]
