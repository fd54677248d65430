"""Events of the files room. Names of files are content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAdded(Event):
    """A member handed a file over, or PAI wrote one for them."""

    name: ClassVar[str] = "files:file:add"
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesListed(Event):
    """A member looked at names of their files, or (with a resource of that kind) at one of them."""

    name: ClassVar[str] = "files:file:list"
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead(Event):
    """A member's file was read; written before any of it is given out."""

    name: ClassVar[str] = "files:file:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDeleted(Event):
    """A member's file was deleted."""

    name: ClassVar[str] = "files:file:delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSubmitted(Event):
    """Requests were read from a member's file and queued, or refused because the file holds lines that cannot be asked."""

    name: ClassVar[str] = "files:batch:submit"
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchesListed(Event):
    """A member looked at their batches, or (with a resource of that kind) at one of them."""

    name: ClassVar[str] = "files:batch:list"
    batches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCancelled(Event):
    """A batch is to stop, at its owner's wish."""

    name: ClassVar[str] = "files:batch:cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLineAnswered(Event):
    """A request of a batch was answered or refused, and that was kept. What the model did has its own events before this one."""

    name: ClassVar[str] = "files:batch:answer"
    line: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded(Event):
    """No more of a batch is asked: all is answered, its owner stopped it, its time is over or its key has ended."""

    name: ClassVar[str] = "files:batch:end"
    answered: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchWritten(Event):
    """What came of a batch was written into files of its owner; the batch's own key is destroyed."""

    name: ClassVar[str] = "files:batch:write"
    files: int
