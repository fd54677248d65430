"""Where a member's files are kept: rows in their own sealed file, bytes in encrypted blobs beside it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Protocol

from pai.core.conversations.ports import OwnUnit
from pai.core.files.values import Batch, BatchLine, File
from pai.core.knowledge.ports import KnowledgeUnit
from pai.foundation.actor import Actor
from pai.foundation.redaction import Secret


class FileStore(Protocol):
    """The files of one member in their sealed file, open."""

    def put(self, file: File) -> None: ...
    def get(self, file_id: str) -> File | None: ...
    def list(self) -> Sequence[File]:
        """Return all files, oldest first."""
        ...

    def delete(self, file_id: str) -> None: ...


class Blobs(Protocol):
    """Encrypted bytes of members' files (AES-256-GCM in segments)."""

    def write(self, user_id: str, blob_id: str, key: Secret, data: Iterable[bytes]) -> tuple[int, str]:
        """Encrypt a stream; return (bytes, SHA-256 hex of the plaintext). Never leaves a half-written file under the final name."""
        ...

    def read(self, user_id: str, blob_id: str, key: Secret) -> Generator[bytes, None, None]:
        """Decrypt; raises NotFound at once, Corrupt before the end is reached. Who does not take all closes it."""
        ...

    def remove(self, user_id: str, blob_id: str) -> None: ...
    def blob_ids(self, user_id: str) -> Sequence[str]: ...


class FilesUnit(OwnUnit, Protocol):
    """A unit of work for files."""

    def open_files(self, user_id: str, key: Secret, *, fresh: bool = False) -> FileStore:
        """Open (or create) the member's file inside this unit; see ``ConversationsUnit.open_conversations``."""
        ...


class AttachingUnit(FilesUnit, KnowledgeUnit, Protocol):
    """A unit of work over files and collections."""


class BatchRows(Protocol):
    """Batches in a sealed file, open."""

    def put(self, batch: Batch) -> None:
        """Insert or replace."""
        ...

    def get(self, batch_id: str) -> Batch | None: ...
    def list(self) -> Sequence[Batch]:
        """Return all batches, oldest first."""
        ...


class BatchStore(BatchRows, Protocol):
    """The sealed file of one batch, open: how far it came, and its requests."""

    def add(self, lines: Sequence[BatchLine]) -> None: ...
    def waiting(self) -> BatchLine | None:
        """Return the first request that is not answered."""
        ...

    def answered(self, line: BatchLine) -> None:
        """Keep status and answer of a request."""
        ...

    def lines(self, after: int, limit: int) -> Sequence[BatchLine]:
        """Return requests whose ``n`` is above ``after``, in order: at most so many, and fewer when they are long."""
        ...


class BatchesUnit(FilesUnit, KnowledgeUnit, Protocol):
    """A unit of work for batches."""

    def open_batches(self, user_id: str, key: Secret) -> BatchRows:
        """Open the batches in a member's own file; see ``ConversationsUnit.open_conversations``."""
        ...

    def open_batch(self, batch_id: str, key: Secret) -> BatchStore:
        """Open (or create) a batch's own file inside this unit: it commits before the main database does."""
        ...

    def destroy_batch(self, batch_id: str) -> None:
        """Delete the batch's own file once this unit has committed."""
        ...


class Answers(Protocol):
    """Answers requests as their routes do."""

    async def answer(self, actor: Actor, endpoint: str, body: str) -> tuple[int, str]:
        """Return HTTP status and JSON. Never raises but when it is cancelled."""
        ...
