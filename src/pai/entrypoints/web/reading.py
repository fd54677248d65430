"""Passages as a person reads them: whole words at the edges, pages marked, what two passages share shown once, the quote found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pai.core.knowledge.values import Chunk
from pai.foundation.errors import NotFound

NEARBY: Final = 400
"""About how many characters of the neighbouring passages are shown, for context."""
_SENTENCE_END: Final = re.compile(r"[.!?][\"')\]]*\s+|\n+")
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


def around(passages: Sequence[Chunk], wanted: str, quote: str) -> dict[str, Any]:
    """Return a passage with its neighbours, cut where the quote begins and ends. Raises NotFound."""
    at = next((n for n, one in enumerate(passages) if one.id == wanted), None)
    if at is None:
        raise NotFound("no such passage", hint="the document may have been replaced since the answer was given")
    chunk = passages[at]
    before, found, after = _parted(chunk.text, quote)
    previous = passages[at - 1] if at else None
    following = passages[at + 1] if at + 1 < len(passages) else None
    return {
        "page": chunk.page, "heading": chunk.heading, "before": before, "quote": found, "after": after,
        "previous": _end_of(previous.text[: len(previous.text) - _shared(previous, chunk)]) if previous else "",
        "previous_page": previous.page if previous else None,
        "next": _beginning_of(following.text[_shared(chunk, following) :].lstrip("\n")) if following else "",
        "next_page": following.page if following else None,
    }  # fmt: skip


def pages(passages: Sequence[Chunk]) -> list[tuple[int, list[str]]]:
    """Return (page, texts) of a whole document in order, what a passage repeats of the one before left out."""
    told: list[tuple[int, list[str]]] = []
    for n, chunk in enumerate(passages):
        text = chunk.text[_shared(passages[n - 1], chunk) :].strip("\n") if n else chunk.text
        if not told or told[-1][0] != chunk.page:
            told.append((chunk.page, []))
        if text:
            told[-1][1].append(text)
    return told


def _shared(earlier: Chunk, later: Chunk) -> int:
    """Return how many characters at the later's beginning repeat the earlier's last sentence (see ``chunking``)."""
    first = later.text.split("\n", 1)[0]
    repeats = earlier.page == later.page and first.endswith((".", "!", "?")) and earlier.text.endswith(first)
    return len(first) if repeats and len(first) < len(earlier.text) else 0


def _parted(text: str, quote: str) -> tuple[str, str, str]:
    if not quote.strip():
        return text, "", ""
    # Word for word; only how its words are spaced may differ.
    found = re.search(r"\s+".join(map(re.escape, quote.split())), text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _end_of(text: str) -> str:
    """Return the last part of a text, from the beginning of a sentence on, or else of a word."""
    text = text.rstrip()
    if len(text) <= NEARBY:
        return text
    part = text[-NEARBY:]
    if sentence := _SENTENCE_END.search(part, 0, NEARBY // 2):
        return f"{_ELLIPSIS} {part[sentence.end() :]}"
    return f"{_ELLIPSIS} {part.partition(' ')[2] or part}"


def _beginning_of(text: str) -> str:
    """Return the first part of a text, up to the end of a sentence, or else of a word."""
    if len(text) <= NEARBY:
        return text
    part = text[:NEARBY]
    ends = [found.end() for found in _SENTENCE_END.finditer(part, NEARBY // 2)]
    return f"{part[: ends[-1]].rstrip() if ends else part.rpartition(' ')[0] or part} {_ELLIPSIS}"
