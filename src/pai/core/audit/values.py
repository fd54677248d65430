"""Values of the audit room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pai.foundation.actor import Actor
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef, ResourceRef, SubjectRef

type_names: dict[str, type[Event]] = {}


class Outcome(StrEnum):
    """How the act ended, as far as known when the event was written."""

    STARTED = "started"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events. Subclasses set ``name`` (``source:subject:action``) and add fields of plain JSON types.

    Fields hold metadata only: never content, file names, prompts, answers or secrets.
    """

    name: ClassVar[str] = ""
    resource: ResourceRef | None = None
    purpose: str | None = None
    subjects: tuple[SubjectRef, ...] = ()
    model: ModelRef | None = None
    label: Label | None = None
    outcome: Outcome = Outcome.DONE
    reason: str = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super(Event, cls).__init_subclass__(**kwargs)
        if cls.name:
            type_names[cls.name] = cls


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSetBack(Event):
    """The clock of the machine stands more than five seconds before the time of the newest event; the events that follow have the
    new time."""

    name: ClassVar[str] = "audit:clock:set-back"
    seconds: int


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it stands in the log: ``index`` is its leaf in the tree, ``body`` its decoded JSON."""

    index: int
    at: datetime
    name: str
    actor: str
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaf:
    """An event as it is hashed: its salt, and the canonical bytes of its body."""

    index: int
    salt: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that an event stands in the log of a checkpoint (RFC 9162 section 2.1.3)."""

    leaf: Leaf
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head. ``note`` is the C2SP signed note; ``root`` is base64."""

    size: int
    root: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to return, newest first. ``before`` is an exclusive leaf index; ``since`` is inclusive, ``until`` exclusive; a
    ``name`` that ends with a colon stands for all that begin so."""

    name: str | None = None
    actor: str | None = None
    resource: str | None = None
    subject: str | None = None
    document: str | None = None
    model: str | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the log."""

    kind: str
    index: int | None
    hint: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A refusal: when, and why in one word and in a sentence."""

    at: datetime
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a witness knows: its name and public key, the key of the log, the newest note that it co-signed (empty before the first),
    and what it refused."""

    name: str
    public_key: bytes
    log_key: str
    latest: str
    alarms: Sequence[Alarm] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of re-computing the whole log. ``notices`` are worth a look and prove nothing wrong."""

    ok: bool
    size: int
    root: str
    checkpoint: int | None
    errors: tuple[Finding, ...] = ()
    notices: tuple[Finding, ...] = ()


__all__ = [
    "Actor",
    "Alarm",
    "Checkpoint",
    "ClockSetBack",
    "Event",
    "EventFilter",
    "Finding",
    "Inclusion",
    "Leaf",
    "Outcome",
    "RecordedEvent",
    "Standing",
    "Verification",
    "type_names",
]
