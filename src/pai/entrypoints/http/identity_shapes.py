"""Values about who people are as JSON, for the API, the pages and the console."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import segno

from pai.core.identity.people import Everyone
from pai.core.identity.second_factors import OwnFactors
from pai.core.identity.values import Passkey
from pai.entrypoints.http.shapes import user
from pai.foundation.errors import Invalid
from pai.foundation.redaction import Secret
from pai.foundation.time import to_text

PRF_INPUT = base64.urlsafe_b64encode(hashlib.sha256(b"pai/passkey/content/1").digest()).rstrip(b"=").decode()
"""What a passkey's PRF is asked with. One input for all: what it gives depends on each passkey's own secret."""
PRF_BYTES = 32
QUIET_ZONE = 4
"""Modules of white around the picture (ISO/IEC 18004)."""


def own_factors(value: OwnFactors) -> dict[str, Any]:
    """What an account proves itself with. Never a secret."""
    app = value.totp
    return {
        "totp": {"since": to_text(app.confirmed_at)} if app is not None and app.confirmed_at is not None else None,
        "passkeys": [passkey(one) for one in value.passkeys], "backup_codes_left": value.backup_codes,
        "required": value.required,
    }  # fmt: skip


def passkey(value: Passkey) -> dict[str, Any]:
    """A passkey."""
    return {
        "id": value.id, "name": value.name, "synced": value.synced, "opens_content": value.opens_content,
        "created_at": to_text(value.created_at), "used_at": to_text(value.used_at) if value.used_at else None,
        "suspended_at": to_text(value.suspended_at) if value.suspended_at else None,
    }  # fmt: skip


def prf(text: str | None) -> Secret | None:
    """Return what a passkey's PRF gave, None when it has none. Raises Invalid for anything but 32 bytes as base64url."""
    if text is None:
        return None
    try:
        given = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        given = b""
    if len(given) != PRF_BYTES:
        raise Invalid("the PRF result is not 32 bytes as base64url", code="bad_prf")
    return Secret(given)


def everyone(value: Everyone) -> dict[str, Any]:
    """All accounts with the kinds of their second factors, and the links that are open, without their tokens."""
    users = [
        {
            **user(one),
            "key_holder": "this server" if one.id in value.server_holds else "the member",
            "second_factors": list(value.factors.get(one.id, ())),
        }
        for one in value.users
    ]
    links = [
        {
            "email": one.email, "kind": "reset" if one.user_id else "invitation", "role": one.role or None,
            "expires_at": to_text(one.expires_at),
        }
        for one in value.links
    ]  # fmt: skip
    return {"users": users, "links": links}


def picture(text: str) -> dict[str, Any]:
    """A QR code: the side in modules, and its dark ones as an SVG path, made here and shown without any image being fetched."""
    rows = list(segno.make(text, error="m", micro=False).matrix)
    steps = []
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            run = 0
            while x + run < len(row) and row[x + run]:
                run += 1
            if run:
                steps.append(f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h{run}v1h-{run}z")
            x += run or 1
    return {"qr_size": len(rows) + 2 * QUIET_ZONE, "qr_path": "".join(steps)}
