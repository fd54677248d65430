"""Time: aware UTC datetimes only."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """Return RFC 3339 text with microseconds, such as ``2026-01-31T09:00:00.000000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Return the datetime of an RFC 3339 text."""
    return datetime.fromisoformat(text).astimezone(UTC)
