"""Answers from evidence: the sentences, the row or the list that answer, word for word, or what was not found; each with the quotes that
it rests on and no others. No model writes any of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pai.core.knowledge.evidence import Span, leans, sufficient
from pai.core.knowledge.picking import Picked, Terms, at_odds, pick, terms_of
from pai.core.knowledge.question import Question
from pai.core.knowledge.reading import Document
from pai.core.knowledge.tables import fitting, item_of, ordered
from pai.core.knowledge.units import Shape, Unit
from pai.core.knowledge.values import Answer, Source
from pai.core.knowledge.wording import Order
from pai.core.knowledge.words import content_words

ABSTAINED = "I found no answer to that in your documents."
CAUTION = "That does not mean that it is not there."
NEAREST = 3
MOST_TOGETHER = 3  # sentences that are quoted as one
MOST_ITEMS = 40
NEAR = 0.35  # cosine from which on a passage is worth showing although it answers nothing
EVEN = 0.5  # of the score: a list or table this near to the best sentence goes before it
_BETWEEN = " \n-•*–‣▪◦·"  # noqa: RUF001  white space and marks of lists
_MARK = re.compile(r"\s*\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Part:
    """One question of those that were asked at once, its candidate units, best first, and what it asks of rows. ``picked`` are
    the rows that answer it by what can be computed."""

    asked: Question
    spans: Sequence[Span]
    terms: Terms
    picked: Picked | None = None

    @property
    def good(self) -> list[Span]:
        """The units that may answer, best first."""
        return [span for span in self.spans if sufficient(span)]


def part_of(asked: Question, spans: Sequence[Span], documents: Mapping[str, Document], today: dt.date) -> Part:
    """Return a question with its candidates, those apart that are at odds with its day or with what is owed: they only show as near."""
    terms = terms_of(asked, today)
    odd = [at_odds(terms, asked, span.unit, span.document) for span in spans]
    fit = [replace(span, topical=False) if other else span for span, other in zip(spans, odd, strict=True)]
    return Part(asked, fit, terms, pick(asked, documents, today))


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
            if span.unit.group and _even(span, good[0]):
                return span
    return good[0]


def _even(span: Span, best: Span) -> bool:
    if span.belief is not None and best.belief is not None:
        return span.belief >= EVEN * best.belief
    return span.score >= best.score - EVEN


def passage(part: Part, span: Span) -> list[Unit]:
    """Return the sentences to quote together: the one that answers, the one it leans on, and those beside it that answer too."""
    units = span.document.section_of(span.unit)
    place = units.index(span.unit)
    good = {(one.unit.chunk.id, one.unit.text) for one in part.good if one.belief is not None}
    first = last = place
    while last - first < MOST_TOGETHER - 1 and last + 1 < len(units) and _key(units[last + 1]) in good:
        last += 1
    while last - first < MOST_TOGETHER - 1 and first > 0 and _key(units[first - 1]) in good:
        first -= 1
    if first > 0 and leans(units[first]):
        first -= 1
    return units[first : last + 1]


def _key(unit: Unit) -> tuple[str, str]:
    return unit.chunk.id, unit.text


def _list_after(span: Span) -> list[Unit]:
    """Return the list that a sentence with a colon at its end opens."""
    return span.document.list_after(span.unit) if span.text.endswith(":") else []


def compose(parts: Sequence[Part], model: str, today: dt.date) -> Answer:
    """Return the answer to all parts; what was not found is said. Abstains when nothing was found. ``model`` is the one that read
    the candidates."""
    cited = Cited()
    texts: list[str] = []
    missing: list[Part] = []
    first = _document(parts[0])
    for part in (_pointing(part, first) for part in parts):
        span = chosen(part)
        text = _picked(part, part.picked, cited) if part.picked else _answer(part, span, cited, today) if span else ""
        if not text:
            missing.append(part)
        if not text or text not in texts:
            texts.append(text or _not_found(part.asked))
    near = nearest(missing)
    if len(missing) == len(parts):
        return Answer(f"{ABSTAINED} {CAUTION}", True, (), model, nearest=near)
    between = "\n\n" if any("\n" in text for text in texts) else " "
    return Answer(between.join(texts), False, tuple(cited.sources), model, nearest=near)


def _document(part: Part) -> str:
    """Return the document that answers a part; empty when none does."""
    span = chosen(part)
    found = part.picked.document if part.picked else span.document if span else None
    return found.id if found else ""


def _pointing(part: Part, first: str) -> Part:
    """Return a part that points at the one before ("... and when does it end?") with units of the same document only."""
    if not part.asked.topics or part.asked.names:
        return part
    picked = part.picked if part.picked and part.picked.document.id == first else None
    return replace(part, spans=[span for span in part.spans if span.document.id == first], picked=picked)


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


def _answer(part: Part, span: Span, cited: Cited, today: dt.date) -> str:
    asked, unit = part.asked, span.unit
    opened = _list_after(span)
    if opened:
        return _list(span.document, unit.section, opened, len(opened), cited)
    members = span.document.members(unit.group)
    fit = [one for one in fitting(asked, unit, members) if not at_odds(part.terms, asked, one, span.document)]
    if asked.order and unit.shape is Shape.ROW and len(fit) > 1:
        return _first_of(asked, span, fit, len(members), cited, today)
    if unit.group and (
        asked.several or (unit.shape is Shape.ITEM and (len(fit) == len(members) > 1 or len(_good_of(part, unit)) > 1))
    ):
        # What was asked stands over the list, not in an item of it: then the list is the answer.
        return _list(span.document, unit.section, fit, len(members), cited)
    if unit.shape is Shape.ROW:
        return _cite(item_of(unit, asked), [unit], span.document, cited)
    together = passage(part, span) if unit.shape is Shape.SENTENCE else [unit]
    return _cite(" ".join(one.text for one in together), together, span.document, cited)


def _picked(part: Part, picked: Picked, cited: Cited) -> str:
    rows, of = picked.rows, picked.of
    if len(rows) == 1 and not picked.counted and not part.asked.several:
        return _cite(item_of(rows[0]), rows, picked.document, cited)
    listed = _list(picked.document, rows[0].section, rows, of, cited)
    return f"{len(rows)} of {of} rows. {listed}" if listed and picked.counted else listed


def _good_of(part: Part, unit: Unit) -> list[Unit]:
    """Return the members of a unit's list or table that a model held to answer."""
    here = (unit.chunk.document_id, unit.group)
    good = (one.unit for one in part.good if one.belief is not None)
    return [one for one in good if (one.chunk.document_id, one.group) == here]


def _cite(text: str, units: Sequence[Unit], document: Document, cited: Cited) -> str:
    marks = [cited.mark(document, run[0], _quote(run)) for run in _runs(units)]
    return f"{unmarked(text)} {''.join(dict.fromkeys(marks))}" if marks and all(marks) else ""


def unmarked(text: str) -> str:
    """Return a document's words as an answer may show them: with no mark of its own, which would look like a citation of another source."""
    return _MARK.sub("", text).strip()


def _first_of(asked: Question, span: Span, rows: Sequence[Unit], of: int, cited: Cited, today: dt.date) -> str:
    found = ordered(asked, rows, today) if span.document.whole else None
    since = f" from {today.isoformat()} on" if asked.order is Order.NEXT else ""
    if found is not None and found[0]:
        winners, column = found
        told = f"the {asked.order} of {len(rows)} rows by {column}{since}"
        if len(winners) == 1:
            mark = cited.mark(span.document, winners[0], winners[0].text)
            return f"{unmarked(item_of(winners[0]))} {mark} ({told})" if mark else ""
        said, rows = f"{len(winners)} share it, {told}:", winners
    elif found is not None:
        said = f"None of {len(rows)} rows is{since}."
    else:
        said = "Which row that is cannot be computed here."
    listed = _list(span.document, span.unit.section, rows, of, cited)
    return f"{said} {listed}" if listed else ""  # what cannot be cited is not said


def _list(document: Document, section: str, rows: Sequence[Unit], of: int, cited: Cited) -> str:
    shown = rows[:MOST_ITEMS]
    marks = [_run(document, run, cited) for run in _runs(shown)]
    name = unmarked(section or document.name)
    some = f", {len(rows)} of {of}" if len(rows) < of else ""
    lines = [f"- {unmarked(item_of(row))}" for row in shown]
    if len(rows) > len(shown) or not document.whole:
        lines.append(f"- and perhaps more: {len(rows)} were read, {len(shown)} are shown")
    return "\n".join([f"{name}{some} {''.join(dict.fromkeys(marks))}:", "", *lines]) if all(marks) else ""


def _runs(units: Sequence[Unit]) -> list[list[Unit]]:
    """Return units in runs of one passage that follow each other there, so that a run is one quote."""
    runs: list[list[Unit]] = []
    for unit in units:
        if runs and runs[-1][0].chunk.id == unit.chunk.id and _quote([*runs[-1], unit]):
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return runs


def _quote(run: Sequence[Unit]) -> str:
    """Return the words of a passage from the first unit to the last; empty when anything else stands between them."""
    text, begin = run[0].chunk.text, run[0].chunk.text.find(run[0].text)
    end = begin + len(run[0].text)
    for unit in run[1:]:
        after = text.find(unit.text, end)
        if after < 0 or text[end:after].strip(_BETWEEN):
            return ""
        end = after + len(unit.text)
    return text[begin:end] if begin >= 0 else ""


def _run(document: Document, run: Sequence[Unit], cited: Cited) -> str:
    return cited.mark(document, run[0], _quote(run))
