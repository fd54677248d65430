"""Evidence: which sentence of which passage supports an answer, and whether the documents hold one at all.

Not the model decides this: sentences are scored by the words they share with the question (rare words count more) and by the
meaning of their passage, and an answer counts only when what it says stands in its source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pai.core.knowledge.chunking import sentences
from pai.core.knowledge.retrieval import content_words
from pai.core.knowledge.values import Hit

MINIMUM_COVERAGE = 0.5
MINIMUM_SIMILARITY = 0.25
CERTAIN_SIMILARITY = 0.55
CERTAIN_COVERAGE = 0.34
_NUMBER = re.compile(r"\d[\d.,:/-]*\d|\d")
_NAME = re.compile(r"\b[A-Z][\w'-]+")


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence that may hold the answer, word for word as it stands in the passage of ``hit``."""

    hit: Hit
    text: str
    score: float
    coverage: float


def spans(question: str, hits: Sequence[Hit]) -> list[Span]:
    """Return candidate sentences, best first. ``coverage`` is the weighted share of the question's words in passage and heading."""
    asked = content_words(question)
    if not asked or not hits:
        return []
    seen = [content_words(f"{hit.chunk.heading} {hit.chunk.text}") for hit in hits]
    weight = {word: math.log(1 + (len(hits) + 1) / (1 + sum(word in words for words in seen))) for word in asked}
    total = sum(weight.values())
    found: list[Span] = []
    for hit, words in zip(hits, seen, strict=True):
        coverage = sum(weight[word] for word in asked & words) / total
        for text in sentences(hit.chunk.text):
            near = sum(weight[word] for word in asked & content_words(text)) / total
            found.append(Span(hit, text, near + 0.5 * coverage + 0.5 * hit.similarity, coverage))
    return sorted(found, key=lambda span: -span.score)


def sufficient(found: Sequence[Span]) -> bool:
    """Return whether the best passage is about the question at all."""
    if not found:
        return False
    best = found[0]
    similarity = best.hit.similarity
    return (best.coverage >= MINIMUM_COVERAGE and similarity >= MINIMUM_SIMILARITY) or (
        best.coverage >= CERTAIN_COVERAGE and similarity >= CERTAIN_SIMILARITY
    )


def supported(answer: str, question: str, passage: str) -> bool:
    """Return whether each number and name of an answer stands in the passage or the question, and most of its words do."""
    known = f"{passage} {question}"
    plain = known.replace(",", "").lower()
    if any(number.replace(",", "").strip(".:-/") not in plain for number in _NUMBER.findall(answer)):
        return False
    words = content_words(answer)
    held = content_words(known)
    names = {name.lower() for name in _NAME.findall(answer)[1:]}
    if any(name not in known.lower() for name in names):
        return False
    return bool(words) and len(words & held) / len(words) >= 0.7


def support_of(answer: str, question: str, found: Sequence[Span]) -> Span | None:
    """Return the sentence that shares most with the answer, among passages that support it."""
    told = content_words(answer) - content_words(question) or content_words(answer)
    best, most = None, 0.0
    for span in found:
        if not supported(answer, question, f"{span.hit.chunk.heading} {span.hit.chunk.text}"):
            continue
        shared = len(told & content_words(span.text)) / max(1, len(told)) + 0.2 * span.score
        if shared > most:
            best, most = span, shared
    return best
