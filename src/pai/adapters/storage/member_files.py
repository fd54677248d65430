"""One member's files as rows of their sealed file; the bytes are encrypted blobs beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pai.adapters.storage.identity_rows import stamp
from pai.adapters.storage.sealed_files import SealedFile
from pai.core.files.values import File, Use
from pai.foundation.labels import Label

_FILE = 'id, owner_id, name, "use", blob_id, size, digest, created_at, label, purpose'


class MemberFiles:
    """Implements ``core.files.ports.FileStore``."""

    def __init__(self, file: SealedFile, empty_log: Callable[[SealedFile], None]) -> None:
        self._file = file
        self._empty_log = empty_log

    def put(self, file: File) -> None:
        """Insert a file's row."""
        f = file
        values = (
            f.id, f.owner_id, f.name, f.use.value, f.blob_id, f.size, f.digest, stamp(f.created_at), f.label.value, f.purpose,
        )  # fmt: skip
        self._file.db.execute(f"INSERT INTO files ({_FILE}) VALUES ({', '.join('?' * 10)})", values)  # noqa: S608

    def get(self, file_id: str) -> File | None:
        """Return a file by id."""
        rows = self._file.rows(f"SELECT {_FILE} FROM files WHERE id = ?", (file_id,))  # noqa: S608
        return _read(rows[0]) if rows else None

    def list(self) -> Sequence[File]:
        """Return all files, oldest first."""
        return [_read(row) for row in self._file.rows(f"SELECT {_FILE} FROM files ORDER BY created_at, rowid")]  # noqa: S608

    def delete(self, file_id: str) -> None:
        """Delete a file's row."""
        self._file.db.execute("DELETE FROM files WHERE id = ?", (file_id,))
        self._empty_log(self._file)


def _read(row: Any) -> File:
    return File(
        row[0],
        row[1],
        row[2],
        Use(row[3]),
        row[4],
        row[5],
        row[6],
        datetime.fromisoformat(row[7]),
        Label(row[8]),
        row[9],
    )
