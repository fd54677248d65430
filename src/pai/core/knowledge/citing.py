"""Citations of a free text: which of its sentences stand in a passage, with the passage's own sentence, word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pai.core.knowledge.searching import Found
from pai.core.knowledge.sentences import sentences
from pai.core.knowledge.words import content_words, numbers

_MARK = re.compile(r"\s*\[\d{1,2}\]")


@dataclass(frozen=True, slots=True)
class Cited:
    """A claim that ends ``at`` this place of the text, and the sentence that it stands in."""

    at: int
    passage: Found
    quote: str


def cite(text: str, question: str, passages: Sequence[Found]) -> list[Cited]:
    """Return a citation for each sentence of a text whose every word, number and name stands in one sentence of a passage, under its
    heading or in the question.

    One foreign word is enough to leave a sentence without one. Passages come in the order in which they are preferred.
    """
    cited, place = [], 0
    for sentence in sentences(text):
        place = text.index(sentence, place) + len(sentence)
        best = _source(_MARK.sub("", sentence), question, passages)
        if best is not None:
            cited.append(Cited(place, *best))
    return cited


def _source(claim: str, question: str, passages: Sequence[Found]) -> tuple[Found, str] | None:
    words, figures = content_words(claim), numbers(claim)
    added = words - content_words(question)
    if not added:
        return None
    for passage in passages:
        for quote in sentences(passage.text):
            known = f"{passage.heading} {quote} {question}"
            if added & content_words(quote) and not words - content_words(known) and not figures - numbers(known):
                return (passage, quote) if quote in passage.text else None
    return None
