"""Values of the files room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from pai.foundation.labels import Label
from pai.foundation.refs import DEFAULT_PURPOSE


class Use(StrEnum):
    """What a file is handed over for, in OpenAI's words. ``batch_output`` is written by PAI."""

    ASSISTANTS = "assistants"
    USER_DATA = "user_data"
    BATCH = "batch"
    BATCH_OUTPUT = "batch_output"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a member's own. Its row lies in their sealed file; ``blob_id`` names the encrypted bytes beside it."""

    id: str
    owner_id: str
    name: str
    use: Use
    blob_id: str
    size: int
    digest: str
    created_at: datetime
    label: Label = Label.CONFIDENTIAL
    purpose: str = DEFAULT_PURPOSE


class AttachedState(StrEnum):
    """How far a file came that is to be a document of a collection."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Attached:
    """A document of a collection, or a file that is becoming one. ``code`` and ``reason`` tell why it did not."""

    id: str
    collection_id: str
    state: AttachedState
    size: int
    created_at: datetime
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AttachedBatch:
    """Files that go into a collection together: one job of ingestion, with what became of its files, each
    document once and without those that were deleted since. ``states`` are of all its files."""

    id: str
    collection_id: str
    state: AttachedState
    created_at: datetime
    states: tuple[AttachedState, ...]
    files: tuple[Attached, ...] = ()


class BatchState(StrEnum):
    """How far a batch came, in OpenAI's words. ``finalizing``: no more is asked, and its results are written into files when its owner
    next looks at it, since nobody else can open theirs."""

    IN_PROGRESS = "in_progress"
    CANCELLING = "cancelling"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


RUNNING: Final = frozenset({BatchState.IN_PROGRESS, BatchState.CANCELLING})


@dataclass(frozen=True, slots=True)
class WrongLine:
    """Why a line of a file cannot be asked; ``line`` 0: the file as a whole."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that are answered when nobody else waits. ``outcome`` is the state that it goes over to when it is written."""

    id: str
    owner_id: str
    endpoint: str
    input_id: str
    total: int
    created_at: datetime
    expires_at: datetime
    state: BatchState = BatchState.IN_PROGRESS
    outcome: BatchState = BatchState.COMPLETED
    done: int = 0
    failed: int = 0
    reason: str = ""
    wrong: tuple[WrongLine, ...] = ()
    output_id: str = ""
    error_id: str = ""
    cancelling_at: datetime | None = None
    finalizing_at: datetime | None = None
    ended_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    label: Label = Label.CONFIDENTIAL
    purpose: str = DEFAULT_PURPOSE


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One request. ``status`` is the HTTP status of its ``answer`` (JSON), 0 while it waits."""

    n: int
    custom_id: str
    body: str
    request_id: str
    status: int = 0
    answer: str = ""


def batch_context(batch_id: str) -> str:
    """Return what the data key of a batch is bound to."""
    return f"batch:{batch_id}"
