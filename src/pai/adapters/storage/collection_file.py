"""One collection's sealed file: names, passages, text index, vectors and items of jobs."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from pai.adapters.storage.sealed_files import SealedFile
from pai.core.knowledge.values import Chunk, JobItem
from pai.foundation.errors import NotFound

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_CHUNK = "id, document_id, ordinal, page, heading, text, subjects"
_ITEM = tuple(field.name for field in dataclasses.fields(JobItem))
_MAX_QUERY_WORDS = 64


class VectorIndex:
    """All vectors of one file in memory, read once and again after a write. Cosine is a dot product: vectors are unit length."""

    def __init__(self) -> None:
        self.version = -1
        self.ids: list[str] = []
        self.matrix: Any = np.zeros((0, 0), dtype="<f4")


class CollectionFile:
    """Implements ``core.knowledge.ports.CollectionStore``."""

    def __init__(self, file: SealedFile, index: VectorIndex) -> None:
        self._file = file
        self._index = index

    def put_document(
        self, document_id: str, name: str, blob_id: str, chunks: Sequence[Chunk], vectors: Sequence[bytes]
    ) -> None:
        """Insert a document with its passages; one vector (float32, little-endian) per passage."""
        db = self._file.db
        db.execute("INSERT INTO documents (id, name, blob_id) VALUES (?, ?, ?)", (document_id, name, blob_id))
        for chunk, vector in zip(chunks, vectors, strict=True):
            values = (
                chunk.id,
                document_id,
                chunk.ordinal,
                chunk.page,
                chunk.heading,
                chunk.text,
                json.dumps(chunk.subjects),
            )
            row = db.execute(f"INSERT INTO chunks ({_CHUNK}) VALUES (?, ?, ?, ?, ?, ?, ?)", values).lastrowid  # noqa: S608
            db.execute(
                "INSERT INTO chunks_fts (rowid, heading, text) VALUES (?, ?, ?)", (row, chunk.heading, chunk.text)
            )
            db.execute("INSERT INTO vectors VALUES (?, ?)", (row, vector))

    def remove_document(self, document_id: str) -> None:
        """Delete a document with its passages, index entries and vectors."""
        db = self._file.db
        rows = self._file.rows("SELECT rowid, heading, text FROM chunks WHERE document_id = ?", (document_id,))
        for row, heading, text in rows:
            db.execute(
                "INSERT INTO chunks_fts (chunks_fts, rowid, heading, text) VALUES ('delete', ?, ?, ?)",
                (row, heading, text),
            )
            db.execute("DELETE FROM vectors WHERE chunk_rowid = ?", (row,))
        db.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
        db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def document_ids(self) -> Sequence[str]:
        """Return the ids of all documents in the file."""
        return [row[0] for row in self._file.rows("SELECT id FROM documents")]

    def name(self, document_id: str) -> str:
        """Return a document's name. Raises NotFound."""
        return str(self._one("name", document_id))

    def blob_id(self, document_id: str) -> str:
        """Return the id of a document's original. Raises NotFound."""
        return str(self._one("blob_id", document_id))

    def _one(self, column: str, document_id: str) -> Any:
        rows = self._file.rows(f"SELECT {column} FROM documents WHERE id = ?", (document_id,))  # noqa: S608
        if not rows:
            raise NotFound("no such document")
        return rows[0][0]

    def names(self) -> dict[str, str]:
        """Return the names of all documents by id."""
        return dict(self._file.rows("SELECT id, name FROM documents"))

    def search_text(self, query: str, limit: int) -> Sequence[str]:
        """Return chunk ids by BM25, best first; each word of the query is quoted, so no query syntax reaches the index."""
        words = list(dict.fromkeys(_WORD.findall(query.lower())))[:_MAX_QUERY_WORDS]
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        sql = """SELECT c.id FROM chunks_fts f JOIN chunks c ON c.rowid = f.rowid
 WHERE chunks_fts MATCH ? ORDER BY bm25(chunks_fts, 2.0, 1.0) LIMIT ?"""
        return [row[0] for row in self._file.rows(sql, (match, limit))]

    def _vectors(self) -> VectorIndex:
        index = self._index
        version = int(self._file.rows("PRAGMA data_version")[0][0]) * 1_000_003 + int(self._file.db.total_changes)
        if index.version != version:
            rows = self._file.rows("SELECT c.id, v.vector FROM vectors v JOIN chunks c ON c.rowid = v.chunk_rowid")
            index.ids = [row[0] for row in rows]
            index.matrix = np.frombuffer(b"".join(row[1] for row in rows), dtype="<f4").reshape(
                len(rows), -1 if rows else 0
            )
            index.version = version
        return index

    def search_vector(self, vector: bytes, limit: int) -> Sequence[tuple[str, float]]:
        """Return (chunk id, cosine), best first."""
        index = self._vectors()
        asked = np.frombuffer(vector, dtype="<f4")
        if not index.ids or index.matrix.shape[1] != asked.shape[0]:
            return []
        scores = index.matrix @ asked
        best = np.argsort(-scores, kind="stable")[:limit]
        return [(index.ids[at], float(scores[at])) for at in best]

    def similarities(self, vector: bytes, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return the cosine of each of these passages with a vector."""
        wanted = set(chunk_ids)
        return {name: score for name, score in self.search_vector(vector, 1 << 30) if name in wanted}

    def chunks(self, chunk_ids: Sequence[str]) -> Sequence[Chunk]:
        """Return passages by id, in the order asked."""
        found = []
        for chunk_id in chunk_ids:
            found += self._file.rows(f"SELECT {_CHUNK} FROM chunks WHERE id = ?", (chunk_id,))  # noqa: S608
        return [_chunk(row) for row in found]

    def chunks_of(self, document_id: str) -> Sequence[Chunk]:
        """Return a document's passages in order."""
        sql = f"SELECT {_CHUNK} FROM chunks WHERE document_id = ? ORDER BY ordinal"  # noqa: S608
        return [_chunk(row) for row in self._file.rows(sql, (document_id,))]

    def put_items(self, items: Sequence[JobItem]) -> None:
        """Insert the files of a job."""
        marks = ", ".join("?" * len(_ITEM))
        for item in items:
            self._file.db.execute(
                f"INSERT OR REPLACE INTO items ({', '.join(_ITEM)}) VALUES ({marks})",  # noqa: S608
                _item_values(item),
            )

    def items(self, job_id: str) -> Sequence[JobItem]:
        """Return the files of a job in order."""
        sql = f"SELECT {', '.join(_ITEM)} FROM items WHERE job_id = ? ORDER BY n"  # noqa: S608
        return [_item(row) for row in self._file.rows(sql, (job_id,))]

    def update_item(self, item: JobItem) -> None:
        """Replace one file of a job."""
        self.put_items([item])


def _chunk(row: Any) -> Chunk:
    return Chunk(row[0], row[1], row[2], row[3], row[4], row[5], tuple(json.loads(row[6])))


def _item_values(item: JobItem) -> tuple[Any, ...]:
    plain = msgspec.to_builtins(item)
    return tuple(json.dumps(plain[name]) if name == "subjects" else plain[name] for name in _ITEM)


def _item(row: Any) -> JobItem:
    fields = dict(zip(_ITEM, row, strict=True))
    fields["subjects"] = json.loads(fields["subjects"])
    return msgspec.convert(fields, JobItem, strict=False)
