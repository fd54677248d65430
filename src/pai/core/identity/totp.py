"""One-time passwords by time: RFC 6238 over RFC 4226, as authenticator apps have them (HMAC-SHA-1, 6 digits, 30 seconds).

SHA-1 is what the apps know; HMAC does not rest on what SHA-1 lost (RFC 6194 section 3.3).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import Final

from pai.foundation.redaction import Secret

STEP_SECONDS: Final = 30
DIGITS: Final = 6
DRIFT: Final = 1
"""Steps before and after the present one that are taken: a phone's clock may be half a minute off (RFC 6238 section 5.2)."""
SECRET_BYTES: Final = 20
"""160 bits, as RFC 4226 section 4 (R6) recommends."""
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@")
_CODE: Final = re.compile(r"[0-9]{6}\Z")


def new_secret() -> Secret:
    """Return a fresh shared secret."""
    return Secret(secrets.token_bytes(SECRET_BYTES))


def code_at(secret: Secret, step: int) -> str:
    """Return the code of a time step (RFC 4226 section 5.3)."""
    digest = hmac.digest(secret.reveal(), step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(moment: datetime) -> int:
    """Return the time step that a moment lies in."""
    return int(moment.timestamp()) // STEP_SECONDS


def matching_step(secret: Secret, code: str, moment: datetime, last_step: int) -> int | None:
    """Return the time step whose code this is, None when it is none of now, or not later than ``last_step``.

    A code is good once (RFC 6238 section 5.2): the caller keeps the step that was returned as the next ``last_step``. All steps are
    compared, in constant time, so that how long it takes does not tell which one came near.
    """
    if not _CODE.match(code):
        return None
    found = None
    for step in range(step_of(moment) - DRIFT, step_of(moment) + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step), code) and step > last_step:
            found = step
    return found


def as_text(secret: Secret) -> str:
    """Return the secret as people type it into an app: base 32 in groups of four."""
    text = base64.b32encode(secret.reveal()).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: Secret, account: str, place: str) -> str:
    """Return the ``otpauth:`` address that apps read from a QR code; ``place`` tells installations apart in the app's list."""
    issuer, named = _encoded(f"PAI ({place})"), _encoded(account)
    return f"otpauth://totp/{issuer}:{named}?secret={as_text(secret).replace(' ', '')}&issuer={issuer}"


def _encoded(text: str) -> str:
    """Percent-encode all but what RFC 3986 section 2.3 calls unreserved, and the @ of an address."""
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in text.encode())
