"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

DONE: Final = b"data: [DONE]\n\n"


def data(value: Any) -> bytes:
    """Return one event without a name."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def waits(before: int) -> bytes:
    """Return a comment, which clients pass over, on how many requests come before this one."""
    return f": waiting, {before} before\n\n".encode()


def named(name: str, value: Any) -> bytes:
    """Return one event with a name."""
    return b"event: " + name.encode() + b"\n" + data(value)
