"""Identifiers: a kind prefix, then 26 base-32 characters of a number of 128 bits: milliseconds since 1970 (48), random (80)."""

from __future__ import annotations

import re
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PATTERN = re.compile(r"^[a-z]{2,5}_[0-9a-hjkmnp-tv-z]{26}$")


def new_id(prefix: str) -> str:
    """Return a new identifier such as ``doc_06f3...``; unguessable (80 random bits) and sortable by time."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    characters = [_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(characters)}"


def is_id(value: str, prefix: str) -> bool:
    """Return whether ``value`` has the form of an identifier of this kind."""
    return value.startswith(prefix + "_") and _PATTERN.match(value) is not None
