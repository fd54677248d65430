"""Sentences of a passage, each verbatim, so that a quote can be checked word for word."""

from __future__ import annotations

import re

_BOUNDARY = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[„]?[A-ZÄÖÜ0-9])|\n+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:Dr|Mr|Mrs|Ms|Prof|Sr|Jr|St|No|Nr|Art|Sec|Fig|Vol|pp?|vs|e\.g|i\.e|etc|z\.B|d\.h|Hr|Fr|Std|Tel|approx|ca|Inc|Ltd|Co|Corp|dept|[A-Z])\.$",
    re.IGNORECASE,
)
_GERMAN_DAY = re.compile(r"(?:^|\s)\d{1,2}\.$")
_GERMAN_MONTH = re.compile(
    r"\s*(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b"
)


def sentences(text: str) -> list[str]:
    """Return the sentences of ``text`` in order; lines end sentences, known abbreviations and initials do not."""
    found: list[str] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        end = match.start() + len(match.group().rstrip())
        if not match.group().startswith("\n") and _ABBREVIATION.search(text[start : match.start() + 1]):
            continue
        if _GERMAN_DAY.search(text[start : match.start() + 1]) and _GERMAN_MONTH.match(text, match.end()):
            continue  # "am 26. Mai"
        found.append(text[start:end].strip())
        start = match.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]
