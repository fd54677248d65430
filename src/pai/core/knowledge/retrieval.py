"""Hybrid retrieval: words (BM25) and meaning (cosine), fused by reciprocal rank (Cormack, Clarke, Büttcher 2009).

Documents that hold the names of a question come in whole or with their best passages: page 2 of a letter does not repeat whom it is
about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pai.core.knowledge.likeness import alternatives
from pai.core.knowledge.ports import CollectionStore
from pai.core.knowledge.question import Question
from pai.core.knowledge.values import Hit
from pai.core.knowledge.words import STOP, WORD

DEPTH = 30
K = 60
NAMED_DOCUMENTS = 3
NAMED_PASSAGES = 4  # of each
ALTERNATIVES = 8  # other words for each word asked


def retrieve(store: CollectionStore, asked: Question, vector: bytes, limit: int) -> list[Hit]:
    """Return the best passages for a question, best first: at most ``limit``, and some of documents about whom it names."""
    question = asked.text
    words = [word for word in WORD.findall(question.lower()) if word not in STOP]
    others = [other for word in asked.predicates for other in alternatives(word)[:ALTERNATIVES]]
    by_text = _ranks(store.search_text(" ".join(words) or question, DEPTH))
    by_meaning = _ranks(store.search_text(" ".join(others), DEPTH)) if others else {}
    found = store.search_vector(vector, DEPTH)
    by_vector = {chunk_id: rank for rank, (chunk_id, _) in enumerate(found, 1)}
    similarity = dict(found)
    rankings = [(1.0, by_text), (1.0, by_vector), (0.5, by_meaning)]
    scores: dict[str, float] = defaultdict(float)
    for weight, ranks in rankings:
        for chunk_id, rank in ranks.items():
            scores[chunk_id] += weight / (K + rank)
    best = sorted(scores, key=lambda chunk_id: -scores[chunk_id])[:limit]
    best += [chunk_id for chunk_id in _of_named(store, asked, vector) if chunk_id not in best]
    missing = [chunk_id for chunk_id in best if chunk_id not in similarity]
    similarity |= store.similarities(vector, missing) if missing else {}
    return [
        Hit(chunk, scores[chunk.id], similarity.get(chunk.id, 0.0), by_text.get(chunk.id), by_vector.get(chunk.id))
        for chunk in store.chunks(best)
    ]


def _ranks(chunk_ids: Sequence[str]) -> dict[str, int]:
    return {chunk_id: rank for rank, chunk_id in enumerate(chunk_ids, 1)}


def _of_named(store: CollectionStore, asked: Question, vector: bytes) -> list[str]:
    if not asked.called:
        return []
    held = store.chunks(store.search_text(" ".join(asked.called), DEPTH))
    documents = list(dict.fromkeys(chunk.document_id for chunk in held))[:NAMED_DOCUMENTS]
    found: list[str] = []
    for document in documents:
        passages = [chunk.id for chunk in store.chunks_of(document)]
        near = store.similarities(vector, passages)
        found += sorted(passages, key=lambda chunk_id: -near.get(chunk_id, 0.0))[:NAMED_PASSAGES]
    return found
