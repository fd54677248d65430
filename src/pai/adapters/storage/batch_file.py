"""Batches: as rows of their member's sealed file, and each with its requests in a sealed file of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import msgspec

from pai.adapters.storage.identity_rows import stamp
from pai.adapters.storage.sealed_files import SealedFile
from pai.core.files.values import Batch, BatchLine

_LINE: Final = tuple(field.name for field in dataclasses.fields(BatchLine))

_PIECE: Final = 4 << 20
"""Characters after which no more requests are read at a time: an answer may have megabytes (vectors)."""


class BatchRows:
    """Implements ``core.files.ports.BatchRows``."""

    def __init__(self, file: SealedFile) -> None:
        self._file = file

    def put(self, batch: Batch) -> None:
        """Insert or replace a batch."""
        values = (
            batch.id,
            stamp(batch.created_at),
            msgspec.json.encode(batch).decode(),
            batch.label.value,
            batch.purpose,
        )
        self._file.db.execute(
            """INSERT INTO batches (id, created_at, batch, label, purpose) VALUES (?, ?, ?, ?, ?)
 ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, label = excluded.label, purpose = excluded.purpose""",
            values,
        )

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch by id."""
        rows = self._file.rows("SELECT batch FROM batches WHERE id = ?", (batch_id,))
        return msgspec.json.decode(rows[0][0], type=Batch) if rows else None

    def list(self) -> Sequence[Batch]:
        """Return all batches, oldest first."""
        rows = self._file.rows("SELECT batch FROM batches ORDER BY id")
        return [msgspec.json.decode(row[0], type=Batch) for row in rows]


class BatchFile(BatchRows):
    """Implements ``core.files.ports.BatchStore``."""

    def add(self, lines: Sequence[BatchLine]) -> None:
        """Insert requests; what governs them is what governs their batch."""
        sql = f"""INSERT INTO batch_lines ({", ".join(_LINE)}, label, purpose)
 SELECT {", ".join("?" * len(_LINE))}, label, purpose FROM batches"""  # noqa: S608
        self._file.db.executemany(sql, [dataclasses.astuple(line) for line in lines])

    def waiting(self) -> BatchLine | None:
        """Return the first request that is not answered."""
        found = self._lines("status = 0", (), 1)
        return found[0] if found else None

    def answered(self, line: BatchLine) -> None:
        """Keep status and answer of a request."""
        sql = "UPDATE batch_lines SET status = ?, answer = ? WHERE n = ?"
        self._file.db.execute(sql, (line.status, line.answer, line.n))

    def lines(self, after: int, limit: int) -> Sequence[BatchLine]:
        """Return requests whose ``n`` is above ``after``, in order: at most so many, and fewer when they are long."""
        return self._lines("n > ?", (after,), limit)

    def _lines(self, which: str, values: tuple[int, ...], limit: int) -> Sequence[BatchLine]:
        sql = f"SELECT {', '.join(_LINE)} FROM batch_lines WHERE {which} ORDER BY n LIMIT ?"  # noqa: S608
        found, size = [], 0
        rows = self._file.db.execute(sql, (*values, limit))
        while size < _PIECE and (row := rows.fetchone()) is not None:
            found.append(BatchLine(*row))
            size += len(found[-1].body) + len(found[-1].answer)
        rows.close()
        return found
