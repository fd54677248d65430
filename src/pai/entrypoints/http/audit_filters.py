"""What is asked of the audit log, from outside words: the same filters over HTTP and at the console, and the same shapes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pai.core.audit.values import EventFilter, Outcome, RecordedEvent
from pai.core.operations.oversight import Seen
from pai.foundation.errors import Invalid

MOST: Final = 1000
COLUMNS: Final = (
    "index", "at", "name", "outcome", "reason", "actor", "actor_name", "role", "session", "key", "resource_kind", "resource",
    "resource_name", "label", "purpose", "subjects", "documents", "model", "model_sha256",
)  # fmt: skip
"""Columns of a timeline as CSV."""


def filter_of(told: Mapping[str, Any]) -> EventFilter:
    """Return a filter from ``name person subject document resource model outcome since until before limit``. Raises Invalid."""
    outcome = told.get("outcome")
    if outcome is not None and outcome not in set(Outcome):
        raise Invalid(f"unknown outcome {str(outcome)[:40]!r}", hint="use one of: " + ", ".join(Outcome))
    return EventFilter(
        name=told.get("name"), actor=told.get("person"), resource=told.get("resource"), subject=told.get("subject"),
        document=told.get("document"), model=told.get("model"), outcome=Outcome(outcome) if outcome else None,
        since=_moment(told.get("since")), until=_moment(told.get("until")), before=told.get("before"),
        limit=min(int(told.get("limit") or 50), MOST),
    )  # fmt: skip


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"{text[:40]!r} is not a time", hint="such as 2026-01-31 or 2026-01-31T09:00:00Z; without a zone it is UTC"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def shown(seen: Seen) -> list[dict[str, Any]]:
    """Return events as JSON, with the addresses of the accounts they name. A collection stays an id: only its owner knows its name."""
    return [_shown(event, seen.people) for event in seen.events]


def _shown(event: RecordedEvent, people: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {**event.body, "index": event.index}
    actor, resource = str(body["actor"]["id"]), body.get("resource") or {}
    kind, named = str(resource.get("kind", "")), str(resource.get("id", ""))
    told = people.get(named, named)
    body["actor_name"] = people.get(actor, actor)
    body["resource_name"] = told if kind in ("", "user") else f"{kind} {told}"
    return body


def csv_of(events: Iterable[Mapping[str, Any]], *, header: bool = True) -> str:
    """Return shown events as CSV (RFC 4180). What a spreadsheet would take for a formula is marked with an apostrophe."""
    out = io.StringIO()
    rows = csv.writer(out)
    if header:
        rows.writerow(COLUMNS)
    for event in events:
        actor, resource, model = event["actor"], event.get("resource") or {}, event.get("model") or {}
        documents = event.get("documents") or event.get("sources") or event.get("document") or ""
        rows.writerow(
            _cell(value)
            for value in (
                event["index"], event["at"], event["name"], event["outcome"], event.get("reason"), actor["id"],
                event.get("actor_name", ""), actor.get("role"), actor.get("session"), actor.get("key"), resource.get("kind"),
                resource.get("id"), event.get("resource_name", ""), event.get("label") or resource.get("label"),
                event.get("purpose") or resource.get("purpose"), event.get("subjects"), documents, model.get("name"),
                model.get("sha256"),
            )
        )  # fmt: skip
    return out.getvalue()


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
