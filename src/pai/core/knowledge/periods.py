"""Days and months in questions and documents, and whether what a document dates lies in what is asked for."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_LONG: Final = (
    "january|januar february|februar march|märz april may|mai june|juni july|juli august september october|oktober november "
    "december|dezember"
)
MONTHS: Final = {name: n for n, names in enumerate(_LONG.split(), 1) for name in names.split("|")}
_SHORT: Final = {name[:3]: n for name, n in MONTHS.items() if len(name) > 4} | {"sept": 9}
_NAMES: Final = "|".join(sorted([*MONTHS, *_SHORT], key=len, reverse=True))
_DAY: Final = re.compile(
    rf"\b(?P<y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)\b"
    rf"|(?<![\d.])(?P<d2>\d{{1,2}})\.(?P<m2>\d{{1,2}})\.(?P<y2>\d{{4}})?(?!\d)"
    rf"|(?<![\d.,:])(?P<d3>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?P<m3>{_NAMES})\b\.?(?:,?\s+(?P<y3>\d{{4}}))?"
    rf"|\b(?P<m4>{_NAMES})\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\b(?![.:,]\d)(?:,?\s+(?P<y4>\d{{4}}))?",
    re.IGNORECASE,
)
_SIDES: Final = {
    **dict.fromkeys(("by", "until", "till", "bis"), "until"),
    **dict.fromkeys(("before", "vor"), "before"),
    **dict.fromkeys(("after", "nach"), "after"),
    **dict.fromkeys(("since", "from", "seit", "ab"), "from"),
}
_SIDE: Final = re.compile(rf"\b({'|'.join(_SIDES)})(?:\s+(?:the|dem|zum))?\s+$", re.IGNORECASE)
# "may" and "march" are months only where a month can stand.
_MONTH: Final = re.compile(
    rf"\b(?:in|during|of|for|im|{'|'.join(_SIDES)})\s+(?P<m>{'|'.join(MONTHS)})\b(?:\s+(?P<y>\d{{4}}))?", re.IGNORECASE
)
_RELATIVE: Final = {"today": 0, "heute": 0, "tomorrow": 1, "morgen": 1, "yesterday": -1, "gestern": -1}
_NEAR: Final = re.compile(rf"\b(?:{'|'.join(_RELATIVE)})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Day:
    """A day, or with ``day`` 0 a month, whose ``year`` may be left open (0)."""

    year: int
    month: int
    day: int

    def same(self, other: Day) -> bool:
        """Return whether another day is this one, or lies in this month."""
        years = not self.year or not other.year or self.year == other.year
        return years and self.month == other.month and (not self.day or self.day == other.day)


@dataclass(frozen=True, slots=True)
class Period:
    """What a question says of time: on (in) ``day``, or on this side of it: until, before, after, from. ``words`` are those that
    say so."""

    day: Day
    side: str = "on"
    words: frozenset[str] = frozenset()

    def holds(self, other: Day) -> bool:
        """Return whether a day lies in it."""
        if self.side == "on":
            return self.day.same(other)
        if self.day.same(other):
            return self.side in {"until", "from"}
        years = bool(self.day.year and other.year)
        mine = (self.day.year if years else 0, self.day.month, self.day.day)
        theirs = (other.year if years else 0, other.month, other.day)
        return (theirs < mine) is (self.side in {"until", "before"})


def period_of(question: str, today: dt.date) -> Period | None:
    """Return the day or month that a question speaks of; None when it speaks of none or of several."""
    found = [(_day(match), match.start(), match.group()) for match in _DAY.finditer(question)]
    for match in _MONTH.finditer(question):
        if not any(start <= match.start("m") < start + len(text) for _, start, text in found):
            month = Day(int(match["y"] or 0), MONTHS[match["m"].lower()], 0)
            found.append((month, match.start("m"), match.group()))
    for match in _NEAR.finditer(question):
        then = today + dt.timedelta(days=_RELATIVE[match.group().lower()])
        found.append((Day(then.year, then.month, then.day), match.start(), match.group()))
    days = [one for one in found if one[0]]
    if len(days) != 1:
        return None
    day, start, text = days[0]
    side = _SIDE.search(question[:start])
    words = frozenset(re.findall(r"[^\W_]+", text.lower()))
    return Period(day or Day(0, 0, 0), _SIDES[side[1].lower()] if side else "on", words)


def days_in(text: str) -> list[Day]:
    """Return the days that a text names."""
    return list(_days(text))


def within(period: Period, days: Sequence[Day]) -> bool:
    """Return whether one of some days lies in a period, or the first and the last of them enclose it."""
    if any(map(period.holds, days)):
        return True
    if period.side != "on" or len(days) < 2:
        return False
    asked = (period.day.month, period.day.day)
    ends = sorted((one.month, one.day) for one in days)
    years = {one.year for one in days} - {0}
    return ends[0] <= asked <= ends[-1] and (not period.day.year or not years or period.day.year in years)


def _days(text: str) -> Iterator[Day]:
    for match in _DAY.finditer(text):
        if day := _day(match):
            yield day


def _day(match: re.Match[str]) -> Day | None:
    told = {name[0]: value for name, value in match.groupdict().items() if value}
    named = told["m"].lower()
    month = int(named) if named.isdigit() else MONTHS.get(named) or _SHORT[named]
    year, day = int(told.get("y", 0)), int(told["d"])
    return Day(year, month, day) if 1 <= month <= 12 and 1 <= day <= 31 else None
