"""The newest events as a table for people: local time, names where they are known, things by a short id and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pai.entrypoints.cli.machine import columns

_SHORT = 8
_HEAD = ("no.", "time", "event", "who", "outcome", "what")


def audit_table(events: Sequence[dict[str, Any]]) -> str:
    """Return the events of ``audit.tail`` as aligned lines under a head, one line for each."""
    rows = [
        [
            str(event["index"]), local_time(event["at"]), event["name"], event["actor_name"],
            event["outcome"] + (f" ({event['reason']})" if event["reason"] else ""), _what(event),
        ]
        for event in events
    ]  # fmt: skip
    return columns([_HEAD, *rows]) if rows else "no events yet"


def local_time(text: str) -> str:
    """Return an RFC 3339 time in this machine's zone, with the zone: ``2031-05-04 09:30:15 +0200``."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S %z}"


def _what(event: dict[str, Any]) -> str:
    resource = event.get("resource") or {}
    kind, named = str(resource.get("kind", "")), str(event["resource_name"])
    told = [f"{kind} {short(resource['id'])}" if kind in ("collection", "document") else named]
    # Documents are known by an id too: a name is content, and the log holds none.
    told.append(f"document {short(event['document'])}" if event.get("document") else "")
    told.append(f"with {event['model']['name']}" if event.get("model") else "")
    told.append(f"for {event['purpose']}" if event.get("purpose") else "")
    return ", ".join(filter(None, told))


def short(identifier: str) -> str:
    """Return the end of an id, which tells it from others; the whole one is in the JSON."""
    return f"…{identifier[-_SHORT:]}" if len(identifier) > _SHORT + 1 else identifier
