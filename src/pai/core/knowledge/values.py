"""Values of the knowledge room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pai.foundation.labels import Label, RetentionClass, TrainingPermission
from pai.foundation.refs import DEFAULT_PURPOSE, ModelRef


class ShareAccess(StrEnum):
    """What somebody whom a collection is shared with may do: read and ask, or add and delete documents too."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Share:
    """That a collection is shared with an account. It ends by itself at ``expires_at``, if there is one."""

    user_id: str
    access: ShareAccess = ShareAccess.READ
    expires_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Return whether it has not ended."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents with one owner, one label and one purpose."""

    id: str
    name: str
    owner_id: str
    label: Label
    purpose: str
    created_at: datetime
    training: TrainingPermission = TrainingPermission.INFER
    retention: RetentionClass = RetentionClass.CONTENT
    restricted: bool = False
    shares: tuple[Share, ...] = ()
    embedding_model: str = ""

    @property
    def embedder(self) -> str:
        """The model that its vectors are of: those of another, which the usual alias may mean by now, cannot be compared with them."""
        return self.embedding_model or "default-embedding"

    @property
    def shared_with(self) -> frozenset[str]:
        """The ids of the accounts that it is shared with, ended shares included."""
        return frozenset(share.user_id for share in self.shares)

    def share_of(self, user_id: str) -> Share | None:
        """Return what this account was given, None when nothing."""
        return next((share for share in self.shares if share.user_id == user_id), None)

    def until(self, user_id: str, moment: datetime) -> datetime:
        """Return ``moment``, or the end of what this account was given when that comes first."""
        own = self.share_of(user_id)
        return min(moment, own.expires_at) if own is not None and own.expires_at is not None else moment


@dataclass(frozen=True, slots=True)
class Document:
    """A document row of the main database: no name, no content. A document is in when this row is committed."""

    id: str
    collection_id: str
    digest: str
    media_type: str
    size: int
    pages: int
    chunks: int
    created_at: datetime
    label: Label = Label.CONFIDENTIAL
    purpose: str = DEFAULT_PURPOSE
    training: TrainingPermission = TrainingPermission.INFER
    retention: RetentionClass = RetentionClass.CONTENT
    restricted: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A structural piece of a parsed document. ``kind`` is ``heading``, ``paragraph``, ``row`` or ``list``; ``page``
    counts from 1 (sheets of a workbook count as pages; formats without pages have page 1). ``level`` is the heading
    level.
    ``cells`` holds (column, value) pairs of a table row."""

    kind: str
    text: str
    page: int = 1
    level: int = 0
    cells: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """What a parser found. ``title`` may be empty."""

    media_type: str
    pages: int
    blocks: tuple[Block, ...]
    title: str = ""
    seen_by: ModelRef | None = None
    """The model that read pages which hold no text of their own."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage that is indexed whole. ``heading`` is the path of headings above it; ``ordinal`` counts from 0."""

    id: str
    document_id: str
    ordinal: int
    page: int
    heading: str
    text: str
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found by search. ``text_rank``/``vector_rank`` count from 1, None when that search did not find it;
    ``similarity`` is the cosine with the question."""

    chunk: Chunk
    score: float
    similarity: float
    text_rank: int | None = None
    vector_rank: int | None = None


SHEETS = frozenset({"xlsx", "xlsm", "ods"})  # each sheet is a page


@dataclass(frozen=True, slots=True)
class Source:
    """A numbered citation: ``quote`` stands word for word in the chunk."""

    n: int
    document: str
    document_id: str
    chunk_id: str
    page: int
    quote: str

    @property
    def place(self) -> str:
        """Where in the document, in the words of its kind: "page 3", "sheet 2"; empty for kinds that have neither."""
        ending = self.document.rpartition(".")[2].lower()
        if ending in SHEETS:
            return f"sheet {self.page}"
        return f"page {self.page}" if ending == "pdf" or self.page > 1 else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over documents. ``abstained`` means that no answer was found, and ``sources`` is empty. ``nearest`` are
    quotes near to what was not found: they show that there may be an answer after all. ``receipt`` is of ``core.audit.receipts``."""

    text: str
    abstained: bool
    sources: tuple[Source, ...]
    model: str
    receipt: Mapping[str, Any] | None = None
    nearest: tuple[Source, ...] = ()


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PARTLY = "partly"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A job row of the main database: counts only, no names. Its items lie in the collection's file."""

    id: str
    kind: str
    owner_id: str
    collection_id: str
    state: JobState
    total: int
    done: int
    created_at: datetime
    updated_at: datetime
    error: str = ""
    actor_key_id: str = ""


class ItemState(StrEnum):
    """Where one file of a job stands."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class JobItem:
    """One file of an ingest job, kept in the collection's sealed file. ``blob_id`` names the encrypted original."""

    job_id: str
    n: int
    name: str
    blob_id: str
    size: int
    digest: str
    state: ItemState = ItemState.WAITING
    code: str = ""
    reason: str = ""
    document_id: str = ""
    pages: int = 0
    chunks: int = 0
    subjects: tuple[str, ...] = field(default=())
    subject_column: str = ""
