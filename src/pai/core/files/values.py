"""Values of the files room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
