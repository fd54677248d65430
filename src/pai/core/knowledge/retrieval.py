"""Hybrid retrieval: words (BM25) and meaning (cosine), fused by reciprocal rank (Cormack, Clarke, Büttcher 2009)."""

from __future__ import annotations

from pai.core.knowledge.ports import CollectionStore
from pai.core.knowledge.values import Hit
from pai.core.knowledge.words import STOP, WORD

DEPTH = 30
K = 60


def retrieve(store: CollectionStore, question: str, vector: bytes, limit: int) -> list[Hit]:
    """Return the best passages for a question, best first."""
    words = " ".join(word for word in WORD.findall(question.lower()) if word not in STOP) or question
    by_text = {chunk_id: rank for rank, chunk_id in enumerate(store.search_text(words, DEPTH), 1)}
    found = store.search_vector(vector, DEPTH)
    by_vector = {chunk_id: rank for rank, (chunk_id, _) in enumerate(found, 1)}
    similarity = dict(found)
    missing = [chunk_id for chunk_id in by_text if chunk_id not in similarity]
    similarity |= store.similarities(vector, missing) if missing else {}
    scores = {
        chunk_id: sum(1 / (K + ranks[chunk_id]) for ranks in (by_text, by_vector) if chunk_id in ranks)
        for chunk_id in by_text | by_vector
    }
    best = sorted(scores, key=lambda chunk_id: -scores[chunk_id])[:limit]
    return [
        Hit(chunk, scores[chunk.id], similarity.get(chunk.id, 0.0), by_text.get(chunk.id), by_vector.get(chunk.id))
        for chunk in store.chunks(best)
    ]
