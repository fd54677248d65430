"""One collection's sealed file: names, passages, text index, vectors and items of jobs."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from pai.adapters.storage.sealed_files import SealedFile
from pai.adapters.storage.vector_index import VectorIndex, VectorIndexes
from pai.core.knowledge.values import Chunk, Collection, JobItem
from pai.foundation.errors import NotFound

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_CHUNK = "id, document_id, ordinal, page, heading, text, subjects"
_ITEM = tuple(field.name for field in dataclasses.fields(JobItem))
_MAX_QUERY_WORDS = 64
_GOVERNED = "label, purpose, training, retention, restricted"


class CollectionFile:
    """Implements ``core.knowledge.ports.CollectionStore``.

    ``hidden`` holds documents that are in the file but not in: their row in the main database is not committed, or is
    about to go. Removal is in two steps: hidden at once, deleted by ``settle`` when the main database has committed. A crash in
    between leaves a document without a row, which the next writing use deletes; it never leaves a row without its document.
    """

    def __init__(
        self, file: SealedFile, indexes: VectorIndexes, collection: Collection | None, hidden: set[str]
    ) -> None:
        self._file = file
        self._indexes = indexes
        self._collection = collection
        self._hidden = hidden
        self._leaving: list[str] = []

    def put_document(
        self, document_id: str, name: str, blob_id: str, chunks: Sequence[Chunk], vectors: Sequence[bytes]
    ) -> None:
        """Insert a document with its passages; one vector (float32, little-endian) per passage."""
        if document_id in self._hidden:
            self._delete(document_id)
            self._hidden.discard(document_id)
            self._leaving = [other for other in self._leaving if other != document_id]
        db = self._file.db
        governed = self._governed()
        db.execute(
            f"INSERT INTO documents (id, name, blob_id, {_GOVERNED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (document_id, name, blob_id, *governed),
        )
        for chunk, vector in zip(chunks, vectors, strict=True):
            values = (
                chunk.id,
                document_id,
                chunk.ordinal,
                chunk.page,
                chunk.heading,
                chunk.text,
                json.dumps(chunk.subjects),
                *governed,
            )
            sql = f"INSERT INTO chunks ({_CHUNK}, {_GOVERNED}) VALUES ({', '.join('?' * 12)})"  # noqa: S608
            row = db.execute(sql, values).lastrowid
            db.execute(
                "INSERT INTO chunks_fts (rowid, heading, text) VALUES (?, ?, ?)", (row, chunk.heading, chunk.text)
            )
            db.execute("INSERT INTO vectors VALUES (?, ?)", (row, vector))
        self._changed()

    def _governed(self) -> tuple[object, ...]:
        c = self._collection
        if c is None:
            return ("confidential", "general", "neither", "content", 0)
        return (c.label.value, c.purpose, c.training.value, c.retention.value, int(c.restricted))

    def _changed(self) -> None:
        self._file.db.execute("UPDATE vector_state SET token = randomblob(16)")

    def remove_document(self, document_id: str) -> None:
        """Take a document out: nothing finds it any more; its bytes go right after the unit has committed."""
        self._hidden.add(document_id)
        self._leaving.append(document_id)
        # Taken out on purpose: ``recover`` must not take it for one that a crash lost.
        self._file.db.execute("UPDATE items SET document_id = '' WHERE document_id = ?", (document_id,))

    def purge(self, document_ids: Iterable[str]) -> None:
        """Delete documents at once, inside this unit."""
        for document_id in document_ids:
            self._delete(document_id)

    def recover(self, document_ids: Iterable[str]) -> None:
        """Delete documents whose row in the main database was never committed. Their job said that they were in, in this
        file only: it takes them up again."""
        for document_id in document_ids:
            self._delete(document_id)
            self._file.db.execute(
                "UPDATE items SET state = 'waiting', document_id = '', pages = 0, chunks = 0 WHERE document_id = ?",
                (document_id,),
            )

    def settle(self) -> None:
        """Delete what was taken out, in a transaction of its own, and leave no copy in the write-ahead log."""
        if not self._leaving:
            return
        self._file.begin()
        self.purge(self._leaving)
        self._file.commit()
        self._leaving = []
        self._file.empty_log()

    def abandon(self) -> None:
        """Undo a deletion that failed half-way."""
        self._file.rollback()

    def _delete(self, document_id: str) -> None:
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
        self._changed()

    def document_ids(self) -> Sequence[str]:
        """Return the ids of all documents, oldest first."""
        return [name for name in stored_ids(self._file) if name not in self._hidden]

    def name(self, document_id: str) -> str:
        """Return a document's name. Raises NotFound."""
        return str(self._one("name", document_id))

    def blob_id(self, document_id: str) -> str:
        """Return the id of a document's original. Raises NotFound."""
        return str(self._one("blob_id", document_id))

    def _one(self, column: str, document_id: str) -> Any:
        rows = self._file.rows(f"SELECT {column} FROM documents WHERE id = ?", (document_id,))  # noqa: S608
        if not rows or document_id in self._hidden:
            raise NotFound("no such document")
        return rows[0][0]

    def names(self) -> dict[str, str]:
        """Return the names of all documents by id."""
        rows = self._file.rows("SELECT id, name FROM documents")
        return {document_id: name for document_id, name in rows if document_id not in self._hidden}

    def original_ids(self) -> set[str]:
        """Return the originals of all documents, also of those that are about to be in."""
        return {row[0] for row in self._file.rows("SELECT blob_id FROM documents")}

    def search_text(self, query: str, limit: int) -> Sequence[str]:
        """Return chunk ids by BM25, best first; each word of the query is quoted, so no query syntax reaches the index."""
        words = list(dict.fromkeys(_WORD.findall(query.lower())))[:_MAX_QUERY_WORDS]
        if not words:
            return []
        match = " OR ".join(f'"{word}"' for word in words)
        sql = """SELECT c.id FROM chunks_fts f JOIN chunks c ON c.rowid = f.rowid
 WHERE chunks_fts MATCH ? AND c.document_id NOT IN (SELECT value FROM json_each(?))
 ORDER BY bm25(chunks_fts, 2.0, 1.0), c.rowid LIMIT ?"""
        return [row[0] for row in self._file.rows(sql, (match, self._left_out(), limit))]

    def _left_out(self) -> str:
        return json.dumps(sorted(self._hidden))

    def _vectors(self) -> VectorIndex:
        token = bytes(self._file.rows("SELECT token FROM vector_state")[0][0])
        index = self._indexes.get(self._file.path, token)
        if index is None:
            sql = """SELECT c.id, c.document_id, v.vector FROM vectors v JOIN chunks c ON c.rowid = v.chunk_rowid
 ORDER BY v.chunk_rowid"""
            index = VectorIndex(token, self._file.rows(sql))
            self._indexes.put(self._file.path, index)
        return index

    def search_vector(self, vector: bytes, limit: int) -> Sequence[tuple[str, float]]:
        """Return (chunk id, cosine), best first."""
        index = self._vectors()
        scores = index.scores(vector)
        if scores is None or limit < 1:
            return []
        best: list[int] = np.argsort(-scores, kind="stable").tolist()
        if self._hidden:
            best = [at for at in best if index.documents[at] not in self._hidden]
        return [(index.ids[at], float(scores[at])) for at in best[:limit]]

    def similarities(self, vector: bytes, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return the cosine of each of these passages with a vector."""
        index = self._vectors()
        scores = index.scores(vector)
        if scores is None:
            return {}
        places = {name: index.place(name) for name in chunk_ids}
        return {
            name: float(scores[at])
            for name, at in places.items()
            if at is not None and index.documents[at] not in self._hidden
        }

    def chunks(self, chunk_ids: Sequence[str]) -> Sequence[Chunk]:
        """Return passages by id, in the order asked."""
        found = []
        for chunk_id in chunk_ids:
            found += self._file.rows(f"SELECT {_CHUNK} FROM chunks WHERE id = ?", (chunk_id,))  # noqa: S608
        return [_chunk(row) for row in found if row[1] not in self._hidden]

    def chunks_of(self, document_id: str) -> Sequence[Chunk]:
        """Return a document's passages in order."""
        if document_id in self._hidden:
            return []
        sql = f"SELECT {_CHUNK} FROM chunks WHERE document_id = ? ORDER BY ordinal"  # noqa: S608
        return [_chunk(row) for row in self._file.rows(sql, (document_id,))]

    def put_items(self, items: Sequence[JobItem]) -> None:
        """Insert the files of a job."""
        marks = ", ".join("?" * (len(_ITEM) + 5))
        for item in items:
            self._file.db.execute(
                f"INSERT OR REPLACE INTO items ({', '.join(_ITEM)}, {_GOVERNED}) VALUES ({marks})",  # noqa: S608
                (*_item_values(item), *self._governed()),
            )

    def items(self, job_id: str) -> Sequence[JobItem]:
        """Return the files of a job in order."""
        sql = f"SELECT {', '.join(_ITEM)} FROM items WHERE job_id = ? ORDER BY n"  # noqa: S608
        return [_item(row) for row in self._file.rows(sql, (job_id,))]

    def items_of(self, blob_id: str, digest: str) -> Sequence[JobItem]:
        """Return what became of these bytes, by the id of their original or by their digest, the newest job first."""
        sql = f"SELECT {', '.join(_ITEM)} FROM items WHERE blob_id = ? OR digest = ? ORDER BY job_id DESC, n"  # noqa: S608
        return [_item(row) for row in self._file.rows(sql, (blob_id, digest))]

    def update_item(self, item: JobItem) -> None:
        """Replace one file of a job."""
        self.put_items([item])


def stored_ids(file: SealedFile) -> list[str]:
    """Return the ids of all documents in a file, whether they are in or not."""
    return [row[0] for row in file.rows("SELECT id FROM documents ORDER BY rowid")]


def _chunk(row: Any) -> Chunk:
    return Chunk(row[0], row[1], row[2], row[3], row[4], row[5], tuple(json.loads(row[6])))


def _item_values(item: JobItem) -> tuple[Any, ...]:
    plain = msgspec.to_builtins(item)
    return tuple(json.dumps(plain[name]) if name == "subjects" else plain[name] for name in _ITEM)


def _item(row: Any) -> JobItem:
    fields = dict(zip(_ITEM, row, strict=True))
    fields["subjects"] = json.loads(fields["subjects"])
    return msgspec.convert(fields, JobItem, strict=False)
