"""Events of the knowledge room. They name documents by id: names are content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionCreated(Event):
    """A collection was made."""

    name: ClassVar[str] = "knowledge:collection:create"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRenamed(Event):
    """A collection was given another name."""

    name: ClassVar[str] = "knowledge:collection:rename"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionShared(Event):
    """A collection was shared with another account, to ``read`` or to ``write``; ``expires_at`` is empty when no end was agreed."""

    name: ClassVar[str] = "knowledge:collection:share"
    recipient: str
    access: str = "read"
    expires_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionUnshared(Event):
    """What was shared was taken back; ``jobs`` of that account that took documents in were stopped."""

    name: ClassVar[str] = "knowledge:collection:unshare"
    recipient: str
    jobs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SharesListed(Event):
    """The owner looked with whom a collection is shared."""

    name: ClassVar[str] = "knowledge:collection:shares"
    shares: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDeleted(Event):
    """A collection was deleted: its keys are destroyed and its files removed."""

    name: ClassVar[str] = "knowledge:collection:delete"
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsListed(Event):
    """Names of documents were read."""

    name: ClassVar[str] = "knowledge:document:list"
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSubmitted(Event):
    """Originals were taken in for a job."""

    name: ClassVar[str] = "knowledge:ingest:submit"
    job: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestCancelled(Event):
    """A job was stopped by its owner."""

    name: ClassVar[str] = "knowledge:ingest:cancel"
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentIngested(Event):
    """A document is in."""

    name: ClassVar[str] = "knowledge:document:ingest"
    document: str
    pages: int
    chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRefused(Event):
    """A file was refused; ``code`` tells why."""

    name: ClassVar[str] = "knowledge:document:refuse"
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentDeleted(Event):
    """A document was deleted with everything derived from it."""

    name: ClassVar[str] = "knowledge:document:delete"
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAsked(Event):
    """A question was put to a collection; ``documents`` are the ones whose passages were retrieved, written before
    any is shown."""

    name: ClassVar[str] = "knowledge:collection:ask"
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswered(Event):
    """An answer was given, or PAI abstained; ``receipt`` is the SHA-256 of what its receipt says, where there is one."""

    name: ClassVar[str] = "knowledge:collection:answer"
    abstained: bool
    sources: tuple[str, ...]
    receipt: str = ""
