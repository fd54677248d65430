"""A collection in memory, with the same text index (FTS5, Porter stems) and cosine search as the sealed files."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

import numpy as np

from pai.core.knowledge.values import Chunk


class MemoryStore:
    """The reading half of ``core.knowledge.ports.CollectionStore``, and ``put_document``."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(id UNINDEXED, heading, text, tokenize='porter unicode61')"
        )
        self._chunks: dict[str, Chunk] = {}
        self._vectors: dict[str, bytes] = {}

    def put_document(
        self, document_id: str, name: str, blob_id: str, chunks: Sequence[Chunk], vectors: Sequence[bytes]
    ) -> None:
        del document_id, name, blob_id  # the port hands them over; searches need none of them
        for chunk, vector in zip(chunks, vectors, strict=True):
            self._chunks[chunk.id], self._vectors[chunk.id] = chunk, vector
            self._db.execute("INSERT INTO passages VALUES (?, ?, ?)", (chunk.id, chunk.heading, chunk.text))

    def search_text(self, query: str, limit: int) -> Sequence[str]:
        match = " OR ".join(f'"{word}"' for word in re.findall(r"[^\W_]+", query.lower()))
        sql = "SELECT id FROM passages WHERE passages MATCH ? ORDER BY bm25(passages, 0.0, 2.0, 1.0) LIMIT ?"
        return [row[0] for row in self._db.execute(sql, (match, limit))] if match else []

    def search_vector(self, vector: bytes, limit: int) -> Sequence[tuple[str, float]]:
        asked = np.frombuffer(vector, dtype="<f4")
        scores = [(name, float(np.frombuffer(held, dtype="<f4") @ asked)) for name, held in self._vectors.items()]
        return sorted(scores, key=lambda score: -score[1])[:limit]

    def similarities(self, vector: bytes, chunk_ids: Sequence[str]) -> dict[str, float]:
        wanted = set(chunk_ids)
        return {name: score for name, score in self.search_vector(vector, len(self._vectors)) if name in wanted}

    def chunks(self, chunk_ids: Sequence[str]) -> Sequence[Chunk]:
        return [self._chunks[chunk_id] for chunk_id in chunk_ids if chunk_id in self._chunks]

    def chunks_of(self, document_id: str) -> Sequence[Chunk]:
        return [chunk for chunk in self._chunks.values() if chunk.document_id == document_id]
