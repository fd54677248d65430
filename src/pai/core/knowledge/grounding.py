"""Whether what a model wrote stands in its source: every word with a meaning, every number, every name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pai.core.knowledge.evidence import Span
from pai.core.knowledge.question import is_kind, understand
from pai.core.knowledge.wording import TITLES
from pai.core.knowledge.words import content_words, numbers


def supported(answer: str, question: str, passage: str) -> bool:
    """Return whether all that an answer says stands in the passage or the question: numbers, names, words with a meaning.

    One foreign word is enough to say no: a small model that garbles a word may have garbled the name of a medicine.
    """
    known = f"{passage} {question}"
    words = content_words(answer)
    return bool(words) and not words - content_words(known) and not numbers(answer) - numbers(known)


def own_words(answer: str, question: str, passage: str) -> bool:
    """Return whether an answer claims only what the passage says, names of the question apart.

    ``supported`` lets an answer repeat the question; here its verbs count: "signed on 1 April" is not said by "begins on 1 April".
    So do titles: who asks about a Mr Weber is not told that what the letter says of a Ms Weber is his.
    """
    held = content_words(passage) | understand(question).name_stems
    if _titles(answer) - _titles(passage):
        return False
    return all(word in held or is_kind(word) for word in content_words(answer))


def _titles(text: str) -> frozenset[str]:
    return TITLES & set(re.findall(r"[^\W\d_]+", text.lower()))


def support_of(answer: str, question: str, found: Sequence[Span]) -> Span | None:
    """Return the sentence that holds what the answer adds to the question; None when no passage supports the whole
    answer."""
    told = content_words(answer) - content_words(question)
    best, most = None, 0.0
    for span in found:
        if not supported(answer, question, f"{span.unit.chunk.heading} {span.unit.chunk.text}"):
            continue
        here = told & content_words(span.text)
        if numbers(answer) - numbers(question) - numbers(span.text):
            continue  # the figure stands elsewhere in the passage: then that sentence is the source
        share = len(here) / len(told) if told else 0.0
        if share >= 0.5 and share + 0.2 * span.score > most:
            best, most = span, share + 0.2 * span.score
    return best
