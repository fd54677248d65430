"""Where a member's files are kept: rows in their own sealed file, bytes in encrypted blobs beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from pai.core.conversations.ports import OwnUnit
from pai.core.files.values import File
from pai.core.knowledge.ports import KnowledgeUnit
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

    def read(self, user_id: str, blob_id: str, key: Secret) -> Iterator[bytes]:
        """Decrypt; raises NotFound at once, Corrupt before the end is reached."""
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
