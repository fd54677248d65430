"""Time: aware UTC datetimes only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pai.foundation.errors import Invalid

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """Return RFC 3339 text with microseconds, such as ``2026-01-31T09:00:00.000000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Return the datetime of an RFC 3339 text."""
    return datetime.fromisoformat(text).astimezone(UTC)


def duration(text: str) -> timedelta:
    """Return the span of a text such as ``30d``, ``12h`` or ``15m``. Raises Invalid."""
    unit = _UNITS.get(text[-1:])
    if unit is None or len(text) > 6 or not text[:-1].isdecimal() or not int(text[:-1]):
        raise Invalid(f"{text!r} is not a span of time", hint="such as 30d, 12h or 15m; what need not end takes never")
    return timedelta(**{unit: int(text[:-1])})
