"""Values of the privacy room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LinkOrigin(StrEnum):
    """How a link between a subject and a stored thing came about."""

    HAND = "hand"
    COLUMN = "column"
    RECOGNISER = "recogniser"


@dataclass(frozen=True, slots=True)
class Subject:
    """A data subject (GDPR art. 4(1)). ``aliases`` are other names or numbers of the same person."""

    id: str
    name: str
    aliases: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SubjectLink:
    """A stored thing that concerns a subject. ``kind`` is ``document`` or ``chunk``; ``reviewed`` is False until a person
    has confirmed what a recogniser proposed."""

    subject_id: str
    kind: str
    resource_id: str
    collection_id: str
    origin: LinkOrigin
    reviewed: bool
    created_at: datetime
