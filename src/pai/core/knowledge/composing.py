"""Answers from evidence: a checked draft, a row, a list with all its items, or what was not found; each
with the quotes that it rests on and no others."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pai.core.knowledge.evidence import Span, sufficient
from pai.core.knowledge.grounding import own_words, support_of
from pai.core.knowledge.question import Question, is_polar
from pai.core.knowledge.reading import Document
from pai.core.knowledge.tables import fitting, item_of, ordered
from pai.core.knowledge.units import Shape, Unit
from pai.core.knowledge.values import Answer, Source
from pai.core.knowledge.wording import Order
from pai.core.knowledge.words import content_words

ABSTAINED = "I found no answer to that in your documents."
CAUTION = "That does not mean that it is not there."
NEAREST = 3
MOST_ITEMS = 40
NEAR = 0.35  # cosine from which on a passage is worth showing although it answers nothing
EVEN = 0.5  # of the score: a list or table this near to the best sentence goes before it
_REFUSAL = re.compile(
    r"\b(?:not (?:in|mentioned|provided|stated|specified|given|contain)|no information|do(?:es)? not "
    r"(?:contain|provide|mention|state)|cannot|unable)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One question of those that were asked at once, and its candidate units, best first."""

    asked: Question
    spans: Sequence[Span]

    @property
    def good(self) -> list[Span]:
        """The units that may answer, best first."""
        return [span for span in self.spans if sufficient(span)]


@dataclass(slots=True)
class Cited:
    """Sources in the order in which an answer marks them."""

    sources: list[Source] = field(default_factory=list)

    def mark(self, document: Document, unit: Unit, quote: str) -> str:
        """Return the mark of a quote. A quote that does not stand in its passage word for word is never cited."""
        if quote not in unit.chunk.text:
            return ""
        for source in self.sources:
            if source.chunk_id == unit.chunk.id and quote in source.quote:
                return f"[{source.n}]"
        n = len(self.sources) + 1
        chunk = unit.chunk
        self.sources.append(Source(n, document.name, chunk.document_id, chunk.id, chunk.page, quote))
        return f"[{n}]"


def chosen(part: Part) -> Span | None:
    """Return the unit to answer with. Where several things or the first of them are asked for, a list or table that does
    as well goes before a sentence."""
    good = part.good
    if not good:
        return None
    if part.asked.several or part.asked.order:
        for span in good:
            if span.unit.group and span.score >= good[0].score - EVEN:
                return span
    return good[0]


def needs_model(parts: Sequence[Part]) -> bool:
    """Return whether a model's sentence can be shorter than what stands there: one question, one sentence, no list."""
    if len(parts) != 1:
        return False
    span, asked = chosen(parts[0]), parts[0].asked
    return span is not None and span.unit.shape is Shape.SENTENCE and not asked.several and not is_polar(asked.text)


def compose(parts: Sequence[Part], draft: str, model: str, today: dt.date) -> Answer:
    """Return the answer to all parts; what was not found is said. Abstains when nothing was found."""
    cited = Cited()
    texts: list[str] = []
    missing: list[Part] = []
    first = chosen(parts[0])
    for part in parts:
        span = chosen(_pointing(part, first))
        text = _answer(part, span, draft, cited, today) if span else ""
        if not text:
            missing.append(part)
        if not text or text not in texts:
            texts.append(text or _not_found(part.asked))
    near = nearest(missing)
    if len(missing) == len(parts):
        return Answer(f"{ABSTAINED} {CAUTION}", True, (), model, nearest=near)
    between = "\n\n" if any("\n" in text for text in texts) else " "
    return Answer(between.join(texts), False, tuple(cited.sources), model, nearest=near)


def _pointing(part: Part, first: Span | None) -> Part:
    """Return a part that points at the one before ("... and when does it end?") with units of the same document only."""
    if not part.asked.topics or part.asked.names:
        return part
    return Part(part.asked, [span for span in part.spans if first and span.document.id == first.document.id])


def nearest(parts: Sequence[Part]) -> tuple[Source, ...]:
    """Return quotes that are near to questions without an answer, best first; never of somebody else than was asked for."""
    cited = Cited()
    for part in parts:
        for span in part.spans:
            near = max(span.similarity, span.support) >= NEAR and span.anchored and span.unit.shape is not Shape.HEADER
            says = len(content_words(span.text) - part.asked.name_stems) > 1
            if len(cited.sources) < NEAREST and near and says:
                cited.mark(span.document, span.unit, span.text)
    return tuple(cited.sources)


def _not_found(asked: Question) -> str:
    return f'I found no answer to "{asked.text}" in your documents. {CAUTION}'


def _answer(part: Part, span: Span, draft: str, cited: Cited, today: dt.date) -> str:
    asked, unit = part.asked, span.unit
    members = span.document.members(unit.group)
    fit = fitting(asked, unit, members)
    if asked.order and unit.shape is Shape.ROW and len(fit) > 1:
        return _first_of(asked, span, fit, len(members), cited, today)
    if unit.group and (asked.several or (len(fit) == len(members) > 1 and unit.shape is Shape.ITEM)):
        # What was asked stands over the list, not in an item of it: then the list is the answer.
        return _list(span, fit, len(members), cited)
    if unit.shape is Shape.ROW:
        return _cite(item_of(unit), span, cited)
    if draft and not _REFUSAL.search(draft):
        support = support_of(draft, asked.text, [one for one in part.spans if one.anchored])
        if support is not None and support.unit.shape is Shape.SENTENCE:
            passage = f"{support.unit.chunk.heading} {support.unit.chunk.text}"
            # A draft that puts the question's words into the source's mouth gives way to the source.
            return _cite(draft if own_words(draft, asked.text, passage) else support.text, support, cited)
    return _cite(span.text, span, cited)


def _cite(text: str, span: Span, cited: Cited) -> str:
    mark = cited.mark(span.document, span.unit, span.text)
    return f"{text} {mark}" if mark else ""


def _first_of(asked: Question, span: Span, rows: Sequence[Unit], of: int, cited: Cited, today: dt.date) -> str:
    found = ordered(asked, rows, today) if span.document.whole else None
    if found is not None:
        row, column = found
        since = f" from {today.isoformat()} on" if asked.order is Order.NEXT else ""
        mark = cited.mark(span.document, row, row.text)
        return f"{item_of(row)} {mark} (the {asked.order} of {len(rows)} rows by {column}{since})"
    return f"Which row that is cannot be computed here. {_list(span, rows, of, cited)}"


def _list(span: Span, rows: Sequence[Unit], of: int, cited: Cited) -> str:
    shown = rows[:MOST_ITEMS]
    marks = [_run(span.document, run, cited) for run in _runs(shown)]
    name = span.unit.section or span.document.name
    some = f", {len(rows)} of {of}" if len(rows) < of else ""
    lines = [f"- {item_of(row)}" for row in shown]
    if len(rows) > len(shown) or not span.document.whole:
        lines.append(f"- and perhaps more: {len(rows)} were read, {len(shown)} are shown")
    return "\n".join([f"{name}{some} {''.join(dict.fromkeys(marks))}:", "", *lines]) if all(marks) else ""


def _runs(rows: Sequence[Unit]) -> list[list[Unit]]:
    """Return rows in runs of one passage whose lines follow each other there, so that a run is one quote."""
    runs: list[list[Unit]] = []
    for row in rows:
        if runs and runs[-1][0].chunk.id == row.chunk.id and _quote([*runs[-1], row]) in row.chunk.text:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _quote(run: Sequence[Unit]) -> str:
    text = run[0].chunk.text
    begin = text.find(run[0].text)
    end = text.find(run[-1].text, begin) + len(run[-1].text)
    held = text[begin:end]
    return held if held.count("\n") == len(run) - 1 else "\0"


def _run(document: Document, run: Sequence[Unit], cited: Cited) -> str:
    return cited.mark(document, run[0], _quote(run) if len(run) > 1 else run[0].text)
