"""Hybrid retrieval: words (BM25) and meaning (cosine), fused by reciprocal rank (Cormack, Clarke, Büttcher 2009)."""

from __future__ import annotations

import re

from pai.core.knowledge.ports import CollectionStore
from pai.core.knowledge.values import Hit

DEPTH = 30
K = 60
_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    """a about after all also am an and any are as at be been before being but by can could did do does doing for from
 had has have having he her hers him his how i if in into is it its itself just me more most my no nor not of on once only or other our
 out over own per please same she should so some such tell than that the their them then there these they this those through to too
 under until up us very was we were what when where which while who whom whose why will with would you your""".split()
)


def stem(word: str) -> str:
    """Return a crude English stem: enough to match plural and past forms."""
    for ending in ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + ("y" if ending in ("ies", "ied") else "")
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def content_words(text: str) -> set[str]:
    """Return the stems of the words that carry meaning, numbers included."""
    return {stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP}


def retrieve(store: CollectionStore, question: str, vector: bytes, limit: int) -> list[Hit]:
    """Return the best passages for a question, best first."""
    words = " ".join(word for word in _WORD.findall(question.lower()) if word not in _STOP) or question
    by_text = {chunk_id: rank for rank, chunk_id in enumerate(store.search_text(words, DEPTH), 1)}
    found = store.search_vector(vector, DEPTH)
    by_vector = {chunk_id: rank for rank, (chunk_id, _) in enumerate(found, 1)}
    similarity = dict(found)
    missing = [chunk_id for chunk_id in by_text if chunk_id not in similarity]
    similarity |= store.similarities(vector, missing)
    scores = {
        chunk_id: sum(1 / (K + ranks[chunk_id]) for ranks in (by_text, by_vector) if chunk_id in ranks)
        for chunk_id in by_text | by_vector
    }
    best = sorted(scores, key=lambda chunk_id: -scores[chunk_id])[:limit]
    return [
        Hit(chunk, scores[chunk.id], similarity.get(chunk.id, 0.0), by_text.get(chunk.id), by_vector.get(chunk.id))
        for chunk in store.chunks(best)
    ]
