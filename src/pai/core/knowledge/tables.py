"""Table rows and items as lines, and what can be computed over the rows of one table without guessing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence

from pai.core.knowledge.kinds import months_in
from pai.core.knowledge.likeness import known_words, likeness
from pai.core.knowledge.question import Question
from pai.core.knowledge.reading import named_in
from pai.core.knowledge.units import Shape, Unit
from pai.core.knowledge.wording import Order
from pai.core.knowledge.words import STOP

_ISO = re.compile(r"^(\d{4})-(\d\d)-(\d\d)")
_DOTTED = re.compile(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_LONG = re.compile(r"^(?:[A-Za-z]+,? )?(\d{1,2})(?:st|nd|rd|th|\.)? ([A-Za-zä]+),? (\d{4})\b")
_MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "januar februar märz april mai juni juli august september oktober november dezember",
    )
    for number, name in enumerate(names.split(), 1)
}
_AMOUNT = re.compile(r"^(?:[€$£]|EUR|USD|CHF|GBP)?\s?(-?\d[\d ,.']*)\s*\D{0,12}$")


def item_of(unit: Unit, asked: Question | None = None) -> str:
    """Return a row or an item as one line of a list; of a row, the cells whose columns a question calls, if it calls any."""
    if unit.shape is not Shape.ROW:
        return unit.text
    (_, first), *rest = unit.cells
    words = asked.predicates if asked else ()
    called = [(column, value) for column, value in rest if any(_says(word, [column]) for word in words)]
    shown = "; ".join(f"{column}: {value}" if column else value for column, value in called or rest)
    return f"{first} ({shown})" if shown else first


def fitting(asked: Question, best: Unit, members: Sequence[Unit]) -> list[Unit]:
    """Return the members of a list or table that are asked for: all of them, or those that share with the best one what
    the question names and only some of them hold. A word that stands over all of them ("orders") chooses none."""
    names = [name for name in asked.names if named_in(name, best.text)]
    over = [best.section, *(name for name, _ in best.cells)]
    words = [word for word in asked.predicates if _says(word, _values(best)) and not _says(word, over)]
    some = [word for word in words if not all(_says(word, _values(one)) for one in members)]
    return [
        one
        for one in members
        if all(named_in(name, one.text) for name in names) and all(_says(word, _values(one)) for word in some)
    ] or [best]


def ordered(asked: Question, members: Sequence[Unit], today: dt.date) -> tuple[tuple[Unit, ...], str] | None:
    """Return the rows that come first (last, least, most) and by what: several that share that date or figure, none when all were
    before today and the next was asked for. None when the rows do not tell it: no column is a date (a figure) in every row, or
    several columns are and disagree."""
    rows = [one for one in members if one.shape is Shape.ROW]
    if len(rows) != len(members) or not rows or asked.order is None:
        return None
    numeric = asked.order in {Order.LEAST, Order.MOST}
    read: Callable[[str], float | None] = amount if numeric else lambda value: _ordinal(date(value))
    columns = [
        name for name, _ in rows[0].cells if all(read(dict(row.cells).get(name, "")) is not None for row in rows)
    ]
    columns = _chosen(asked, columns)
    found = {name: _first(asked.order, rows, name, read, today) for name in columns}
    winners = set(found.values())
    return (winners.pop(), " and ".join(columns)) if len(winners) == 1 else None


def date(text: str) -> dt.date | None:
    """Return the date that a cell begins with."""
    try:
        if match := _ISO.match(text):
            return dt.date(int(match[1]), int(match[2]), int(match[3]))
        if match := _DOTTED.match(text):
            return dt.date(int(match[3]), int(match[2]), int(match[1]))
        if (match := _LONG.match(text)) and match[2].lower() in _MONTHS:
            return dt.date(int(match[3]), _MONTHS[match[2].lower()], int(match[1]))
    except ValueError:
        return None
    return None


def amount(text: str) -> float | None:
    """Return the figure of a cell that holds one figure and perhaps its unit; None for dates and codes."""
    match = _AMOUNT.match(text.strip())
    if match is None or date(text):
        return None
    digits = match[1].strip().replace(" ", "").replace("'", "")
    if re.search(r",\d{1,2}$", digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif re.search(r"\.\d{3}$", digits) and digits.count(".") >= 1 and "," not in digits and len(digits) > 4:
        return None  # 1.500: a thousand and a half, or one and a half; nobody can tell
    try:
        return float(digits.replace(",", ""))
    except ValueError:
        return None


def _first(
    order: Order, rows: Sequence[Unit], column: str, read: Callable[[str], float | None], today: dt.date
) -> tuple[Unit, ...]:
    told = [(read(dict(row.cells)[column]) or 0.0, n) for n, row in enumerate(rows)]
    if order is Order.NEXT:
        told = [one for one in told if one[0] >= today.toordinal()]
    best = (max if order in {Order.LAST, Order.MOST} else min)((value for value, _ in told), default=0.0)
    return tuple(rows[n] for value, n in told if value == best)


def _chosen(asked: Question, columns: Sequence[str]) -> list[str]:
    called = [name for name in columns if any(_says(word, [name]) for word in asked.predicates)]
    return called or list(columns)


def _ordinal(day: dt.date | None) -> float | None:
    return float(day.toordinal()) if day else None


def _values(unit: Unit) -> list[str]:
    return [*([value for _, value in unit.cells] or [unit.text]), *months_in(unit.text)]


def _says(word: str, texts: Sequence[str]) -> bool:
    return any(likeness(word, other) > 0 for text in texts for other in known_words(text) if other not in STOP)
