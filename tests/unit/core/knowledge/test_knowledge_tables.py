from __future__ import annotations

import datetime as dt

import pytest

from pai.core.knowledge.question import understand
from pai.core.knowledge.reading import Document
from pai.core.knowledge.tables import amount, date, fitting, item_of, ordered
from pai.core.knowledge.units import Unit
from pai.core.knowledge.values import Chunk

TODAY = dt.date(2031, 5, 20)
VISITS = """name: Noor Aziz; date: 2031-06-05; time: 09:30; with: Dr. Paul Obi; reason: blood test
name: Olga Brand; date: 2031-05-06; time: 10:00; with: Nurse Fiorello; reason: stitches
name: Gustav Lund; date: 2031-05-27; time: 15:10; with: Dr. Paul Obi; reason: pacemaker check"""
PRICES = """Item: Wheelchair; Per week EUR: 14.00; Deposit EUR: 60.00
Item: Hospital bed; Per week EUR: 32.00; Deposit EUR: 20.00"""


def rows(text: str) -> list[Unit]:
    return Document("d", "table.csv", [Chunk("c", "d", 0, 1, "table", text)]).units


def test_a_row_is_one_line() -> None:
    assert item_of(rows(PRICES)[0]) == "Wheelchair (Per week EUR: 14.00; Deposit EUR: 60.00)"


def test_all_rows_or_those_that_fit() -> None:
    table = rows(VISITS)
    assert len(fitting(understand("Which appointments are there?"), table[0], table)) == 3
    told = fitting(understand("Which patients does Dr. Paul Obi see?"), table[0], table)
    assert [row.cells[0][1] for row in told] == ["Noor Aziz", "Gustav Lund"]


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("When is the next appointment?", "Gustav Lund"),
        ("Who has the first appointment?", "Olga Brand"),
        ("Who has the last appointment?", "Noor Aziz"),
    ],
)
def test_dated_rows_are_put_in_order(question: str, name: str) -> None:
    found = ordered(understand(question), rows(VISITS), TODAY)
    assert found is not None
    assert ([row.cells[0][1] for row in found[0]], found[1]) == ([name], "date")


def test_those_who_share_the_next_day_are_all_told_and_that_there_is_none() -> None:
    asked = understand("When is the next appointment?")
    shared = rows(VISITS.replace("2031-06-05", "2031-05-27"))
    found = ordered(asked, shared, TODAY)
    assert found is not None
    assert [row.cells[0][1] for row in found[0]] == ["Noor Aziz", "Gustav Lund"]
    assert ordered(asked, rows(VISITS), dt.date(2032, 1, 1)) == ((), "date")


def test_what_cannot_be_computed_is_not() -> None:
    cheapest = understand("Which item is the cheapest?")
    assert ordered(cheapest, rows(PRICES), TODAY) is None, "two columns disagree"
    assert ordered(understand("Which has the lowest deposit?"), rows(PRICES), TODAY) is not None
    undated = rows(VISITS.replace("2031-05-27", "soon"))
    assert ordered(understand("When is the next appointment?"), undated, TODAY) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("89.00", 89.0),
        ("1,234.50", 1234.5),
        ("2.340,50", 2340.5),
        ("40 mg", 40.0),
        ("INV-3105", None),
        ("2031-05-06", None),
        ("1.500", None),
    ],
)
def test_amounts(text: str, value: float | None) -> None:
    assert amount(text) == value


@pytest.mark.parametrize("text", ["2031-06-16", "16.06.2031", "16 June 2031", "Monday, 16 June 2031", "16. Juni 2031"])
def test_dates(text: str) -> None:
    assert date(text) == dt.date(2031, 6, 16)


def test_no_dates() -> None:
    assert date("2031-13-40") is None
    assert date("16 Smarch 2031") is None
