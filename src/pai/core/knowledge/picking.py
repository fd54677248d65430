"""Rows that a question picks by what can be computed: those of a day or month, paid or not, overdue, and how many they are.

Code decides, no model: one row of a table does not state how many there are, and a model that reads "2 December" says yes to "on
3 December". Rows are picked only when every word of the question is accounted for by the table; otherwise the question is left to the
evidence of words and to the model, without the rows that are at odds with it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.knowledge.kinds import Wanted
from pai.core.knowledge.likeness import known_words, likeness
from pai.core.knowledge.periods import Day, Period, days_in, period_of, within
from pai.core.knowledge.question import Question, is_kind
from pai.core.knowledge.reading import Document, named_in
from pai.core.knowledge.tables import amount
from pai.core.knowledge.units import Shape, Unit
from pai.core.knowledge.wording import LIGHT
from pai.core.knowledge.words import STOP, stem

_OVERDUE: Final = re.compile(r"\b(?:overdue|past due|überfällig\w*)\b", re.IGNORECASE)
_OWED: Final = re.compile(
    r"\b(?:unpaid|unsettled|outstanding|open|ow(?:e|es|ed|ing)|arrears|unbezahlt\w*|offene?[nrs]?|schuldet)\b"
    r"|(?:\bnot|n['’]?t|\bnicht)\s+(?:\S+\s+){0,2}?(?:paid|settled|bezahlt)\b",  # noqa: RUF001
    re.IGNORECASE,
)
_SETTLED: Final = re.compile(
    r"\b(?:is|are|was|were|been|already|sind|ist|wurden?)\s+(?:\S+\s+)?(?:paid|settled|bezahlt)\b", re.IGNORECASE
)
_SAYS_SO: Final = re.compile(
    r"^(?:unpaid|unsettled|outstanding|open|ow(?:e|es|ed|ing)|arrears|paid|settled|overdue|past|due|überfällig\w*|unbezahlt\w*|offene?[nrs]?|"
    r"bezahlt|schuldet|nicht)$"
)
_IS_OPEN: Final = re.compile(
    r"(?:not (?:yet )?|un)(?:paid|settled)|open|outstanding|overdue|due|pending|reminded|owed|in arrears"
    r"|offen|unbezahlt|überfällig|gemahnt",
    re.IGNORECASE,
)
_IS_PART: Final = re.compile(r"(?:part(?:ly|ially)?|half|teilweise)[- ](?:paid|bezahlt)", re.IGNORECASE)
_IS_SETTLED: Final = re.compile(
    r"(?:fully )?(?:paid|settled|bezahlt|beglichen)(?: in full)?(?:,? (?:on|am) .{1,20})?|waived|cancelled|storniert|exempt",
    re.IGNORECASE,
)
_PAYING: Final = re.compile(r"^(?:is )?(?:paid|settled|bezahlt)$", re.IGNORECASE)
_DUE: Final = re.compile(r"\b(?:due|deadline|until|by|latest|fällig\w*|frist|bis)\b", re.IGNORECASE)
_FROM: Final = re.compile(r"^(?:from|start|begin|begins|arrival|von|ab)\b", re.IGNORECASE)
_TO: Final = re.compile(r"^(?:to|till|until|end|ends|departure|bis)\b", re.IGNORECASE)
_COUNT: Final = re.compile(r"\b(?:how many|wie ?viele)\s+(?:different |of (?:the|our) )?([^\W\d_]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a question asks of rows: a ``period``; that they are open (``owed`` True) or settled (False), or overdue on ``today``;
    ``counted`` is what is counted, empty when nothing is."""

    period: Period | None
    owed: bool | None
    overdue: bool
    counted: str
    today: dt.date

    def __bool__(self) -> bool:
        return bool(self.period or self.owed is not None or self.overdue or self.counted)


@dataclass(frozen=True, slots=True)
class Picked:
    """Rows of one table that a question picks, and how many rows the table has. ``counted`` says that their number is asked for."""

    document: Document
    rows: Sequence[Unit]
    of: int
    counted: bool


def terms_of(asked: Question, today: dt.date) -> Terms:
    """Return what a question asks of rows."""
    count = _COUNT.search(asked.text) if asked.wanted is Wanted.NUMBER and not asked.measure else None
    overdue = bool(_OVERDUE.search(asked.text))
    owed = True if overdue or _OWED.search(asked.text) else False if _SETTLED.search(asked.text) else None
    return Terms(period_of(asked.text, today), owed, overdue, count[1].lower() if count else "", today)


def at_odds(terms: Terms, asked: Question, unit: Unit, document: Document) -> bool:
    """Return whether a unit is of another day than is asked for, is paid when what is owed is asked for, or is not due yet when
    what is overdue is."""
    if unit.shape is Shape.ROW:
        columns = [name for name, _ in unit.cells]
        settled = _settled(unit, _called(asked, columns))
        told = _dates(unit, asked)
        return (
            (terms.owed is not None and settled is terms.owed)
            or (terms.overdue and (due := _due(unit)) is not None and due >= terms.today)
            or (terms.period is not None and bool(told) and not _in(terms.period, told))
        )
    if terms.period is None or terms.period.side != "on":
        return False
    days = days_in(unit.text)
    over = days_in(f"{unit.section}\n{document.opening}")
    return bool(days) and not within(terms.period, days) and not any(map(terms.period.holds, over))


def pick(asked: Question, documents: Mapping[str, Document], today: dt.date) -> Picked | None:
    """Return the rows that a question picks by what can be computed; None when it asks for nothing of the kind, when no table or more
    than one accounts for all its words, or when no row is left."""
    terms = terms_of(asked, today)
    if not terms or asked.order is not None or asked.wanted is Wanted.REASON:
        return None
    if asked.wanted is Wanted.NUMBER and not terms.counted:
        return None  # a figure of a row, perhaps a sum: not which rows
    found = [
        picked
        for document in documents.values()
        if document.whole
        for table in document.tables
        if (picked := _of_table(terms, asked, document, table))
    ]
    return found[0] if len(found) == 1 else None


def _of_table(terms: Terms, asked: Question, document: Document, table: Sequence[Unit]) -> Picked | None:
    columns = list(dict.fromkeys(name for row in table for name, _ in row.cells))
    over = {word for text in (*columns, table[0].section) for word in known_words(text)} | document.title_words
    rows = [row for row in table if all(named_in(name, row.text) for name in asked.names)]
    if terms.counted and not _is_kind_of_row(terms.counted, table, over):
        return None
    for word in asked.predicates:
        if _said(word, terms) or _among(word, over):
            continue
        holding = [row for row in rows if _among(word, _values(row))]
        if holding:
            rows = holding
        elif not is_kind(word) and stem(word) not in LIGHT:
            return None
    rows = [row for row in rows if _fits(terms, asked, row)]
    return Picked(document, rows, len(table), bool(terms.counted)) if rows else None


def _fits(terms: Terms, asked: Question, row: Unit) -> bool:
    settled = _settled(row, _called(asked, [name for name, _ in row.cells]))
    if terms.owed is not None and (settled is None or settled is terms.owed):
        return False
    if terms.overdue:
        due = _due(row)
        said = any(_OVERDUE.search(value) for _, value in row.cells)
        if not said and (due is None or due >= terms.today):
            return False
    return terms.period is None or _in(terms.period, _dates(row, asked))


def _is_kind_of_row(word: str, table: Sequence[Unit], over: set[str] | frozenset[str]) -> bool:
    """Return whether a word names what each row is, and not a figure in one."""
    for name in (name for name, _ in table[0].cells if _among(word, known_words(name))):
        if all(amount(dict(row.cells).get(name, "")) is not None for row in table):
            return False
    return _among(word, over) or all(_among(word, _values(row)) for row in table)


def _said(word: str, terms: Terms) -> bool:
    time = terms.period is not None and word in terms.period.words
    return time or (terms.owed is not None and bool(_SAYS_SO.match(word)))


def _settled(row: Unit, called: Sequence[str]) -> bool | None:
    """Return whether a row is marked as paid: True, False, or None when it does not say, or says both and no column is called."""
    told = {name: state for name, value in row.cells if (state := _state(name, value.strip())) is not None}
    told = {name: told[name] for name in called if name in told} or told
    return next(iter(told.values())) if len(set(told.values())) == 1 else None


def _state(column: str, value: str) -> bool | None:
    if _PAYING.match(column.strip()) and value.lower() in {"yes", "no", "ja", "nein"}:
        return value.lower() in {"yes", "ja"}
    if _IS_OPEN.fullmatch(value) or _IS_PART.fullmatch(value):
        return False
    return True if _IS_SETTLED.fullmatch(value) else None


def _due(row: Unit) -> dt.date | None:
    """Return the day by which a row is due; None when no column, or more than one, says so."""
    days = [day for name, value in row.cells if _DUE.search(name) for day in days_in(value) if day.year]
    try:
        return dt.date(days[0].year, days[0].month, days[0].day) if len(days) == 1 else None
    except ValueError:
        return None


def _dates(row: Unit, asked: Question) -> dict[str, list[Day]]:
    """Return the days in the cells of a row, by column: of those that the question calls, if it calls any with a day."""
    told = {name: days for name, value in row.cells if (days := days_in(value))}
    return {name: told[name] for name in _called(asked, list(told))} or told


def _in(period: Period, told: Mapping[str, Sequence[Day]]) -> bool:
    if any(period.holds(day) for days in told.values() for day in days):
        return True
    begins = next((days for name, days in told.items() if _FROM.match(name)), ())
    ends = next((days for name, days in told.items() if _TO.match(name)), ())
    return bool(begins and ends) and within(period, [*begins, *ends])


def _called(asked: Question, columns: Sequence[str]) -> list[str]:
    return [name for name in columns if any(_among(word, known_words(name)) for word in asked.predicates)]


def _among(word: str, others: Sequence[str] | set[str] | frozenset[str]) -> bool:
    return any(likeness(word, other) > 0 for other in others if other not in STOP)


def _values(row: Unit) -> list[str]:
    return [word for _, value in row.cells for word in known_words(value)]
