from __future__ import annotations

import datetime as dt

import pytest

from pai.core.knowledge.composing import compose
from pai.core.knowledge.judging import judge
from pai.core.knowledge.periods import Day, days_in, period_of
from pai.core.knowledge.values import Answer
from unit.core.knowledge.test_knowledge_evidence import TODAY, answer, find
from unit.core.knowledge.test_knowledge_judging import Reader

BILLS = """Bills
number: B-1; customer: Jens Tarrant; issued: 2031-04-16; due: 2031-04-30; amount EUR: 25.00; status: paid
number: B-2; customer: Harbour School; issued: 2031-04-22; due: 2031-05-06; amount EUR: 430.00; status: open
number: B-3; customer: Cato Delivery; issued: 2031-05-12; due: 2031-05-20; amount EUR: 640.00; status: open
number: B-4; customer: Cato Delivery; issued: 2031-05-12; due: 2031-05-19; amount EUR: 10.00; status: part-paid"""
VISITS = """Visits
name: Noor Aziz; visit: 2 December 2031; room: 4
name: Olga Brand; visit: 1 December 2031; room: 2
name: Gustav Lund; visit: 1 December 2031; room: 7"""
ORDERS = """Orders
item: Gloves; quantity: 30; ordered: 2031-05-12
item: Pads; quantity: 12; ordered: 2031-05-13"""


async def believed(question: str, *texts: str) -> Answer:
    """Answer with a model that holds everything to be the answer."""
    told = [await judge(Reader(lambda text: True, 9.0), "usr_1", part) for part in await find(question, *texts)]
    return compose(told, "words", TODAY)


@pytest.mark.parametrize(
    ("question", "day", "side"),
    [
        ("who comes on 3 december", Day(0, 12, 3), "on"),
        ("Who comes on December 3rd, 2031?", Day(2031, 12, 3), "on"),
        ("Was ist am 3. Dezember 2031?", Day(2031, 12, 3), "on"),
        ("what is due by 2031-12-03", Day(2031, 12, 3), "until"),
        ("Was ist vor dem 3.12.2031 fällig?", Day(2031, 12, 3), "before"),
        ("how many visits are in may", Day(0, 5, 0), "on"),
        ("who comes today", Day(2031, 5, 20), "on"),
        ("who came yesterday", Day(2031, 5, 19), "on"),
    ],
)
def test_the_day_of_a_question(question: str, day: Day, side: str) -> None:
    period = period_of(question, TODAY)
    assert period is not None
    assert (period.day, period.side) == (day, side)


@pytest.mark.parametrize(
    "question", ["may I smoke", "What may 4 people do?", "from 1 May to 3 May", "at 10.30", "version 4.12.1"]
)
def test_questions_without_one_day(question: str) -> None:
    found = period_of(question, TODAY)
    assert found is None or found.day == Day(0, 5, 4), "May 4, if anything"


@pytest.mark.parametrize(
    ("question", "held"),
    [
        ("on 3 May", ["2031-05-03"]),
        ("by 3 May", ["2031-05-02", "2031-05-03"]),
        ("before 3 May 2031", ["2031-05-02"]),
        ("after 3 May 2031", ["2031-05-04"]),
        ("since 3 May 2031", ["2031-05-03", "2031-05-04"]),
        ("in May", ["2031-05-02", "2031-05-03", "2031-05-04"]),
        ("in May 2030", []),
    ],
)
def test_what_lies_in_a_period(question: str, held: list[str]) -> None:
    period = period_of(question, TODAY)
    assert period is not None
    days = days_in("2031-05-02 2031-05-03 2031-05-04 2031-06-31".replace("2031-06-31", ""))
    told = [f"{day.year}-{day.month:02}-{day.day:02}" for day in days if period.holds(day)]
    assert told == held


async def test_a_row_of_another_day_answers_nothing_whatever_the_model_says() -> None:
    told = await believed("Who has a visit on 3 December?", VISITS)
    assert told.abstained
    assert any("2 December" in source.quote for source in told.nearest), "it is near, and shown as such"
    told = await believed("Who has a visit on 2 December?", VISITS)
    assert "Noor Aziz" in told.text
    assert "Brand" not in told.text


async def test_a_sentence_of_another_day_answers_nothing_unless_its_days_enclose_the_one_asked() -> None:
    assert (await believed("Who is on call on 3 December?", "On 2 December Olga Brand is on call.")).abstained
    told = await believed("Who is on call on 3 December?", "From 1 to 5 December Olga Brand is on call.")
    assert told.abstained, "a span whose first day lacks its month is not understood"
    told = await believed("Who is on call on 3 December?", "From 1 December to 5 December Olga Brand is on call.")
    assert "Olga Brand" in told.text
    told = await believed(
        "Who is on call on 3 December?", "Plan for 3 December 2031\nUntil 9 May 2032 Olga Brand is on call."
    )
    assert "Olga Brand" in told.text, "it stands under the day"


@pytest.mark.parametrize("ask", [answer, believed])
@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Which bills are overdue?", {"B-2", "B-4"}),
        ("which bills are unpaid", {"B-2", "B-3", "B-4"}),
        ("Which bills have not been paid?", {"B-2", "B-3", "B-4"}),
        ("Which bills are already paid?", {"B-1"}),
        ("Which bills were issued in April?", {"B-1", "B-2"}),
        ("which bills of cato delivery are open", {"B-3", "B-4"}),
    ],
)
async def test_what_is_owed_is_computed(ask: object, question: str, rows: set[str]) -> None:
    told = await ask(question, BILLS)  # type: ignore[operator]
    assert {number for number in ("B-1", "B-2", "B-3", "B-4") if number in told.text} == rows
    assert {number for number in rows if any(number in source.quote for source in told.sources)} == rows
    assert all(source.quote in BILLS for source in told.sources)


@pytest.mark.parametrize("question", ["Which bills of Jens Tarrant are unpaid?", "Is a bill of Jens Tarrant overdue?"])
async def test_a_paid_row_is_no_answer_to_what_is_owed(question: str) -> None:
    assert (await believed(question, BILLS)).abstained


async def test_what_is_due_today_is_not_overdue() -> None:
    (part,) = await find("Which bills of Cato Delivery are overdue?", BILLS)
    assert part.terms.today == dt.date(2031, 5, 20)
    assert part.picked
    assert ["B-4" in row.text for row in part.picked.rows] == [True]


@pytest.mark.parametrize(
    ("question", "begins", "rows"),
    [
        ("How many visits are there on 1 December?", "2 of 3 rows. ", {"Olga Brand", "Gustav Lund"}),
        ("How many visits does Noor Aziz have?", "1 of 3 rows. ", {"Noor Aziz"}),
        ("How many visits are there in December?", "3 of 3 rows. ", {"Noor Aziz", "Olga Brand", "Gustav Lund"}),
    ],
)
async def test_how_many_is_computed_and_the_rows_are_the_quotes(question: str, begins: str, rows: set[str]) -> None:
    told = await believed(question, VISITS)
    assert told.text.startswith(begins), told.text
    cited = " ".join(source.quote for source in told.sources)
    assert {name for name in ("Noor Aziz", "Olga Brand", "Gustav Lund") if name in cited} == rows


@pytest.mark.parametrize(
    "question",
    [
        "How many gloves were ordered?",
        "How many orders were ordered by the mayor?",
        "How many visits are there on 1 November?",
        "How much was ordered in May?",
    ],
)
async def test_what_a_table_does_not_tell_is_not_counted(question: str) -> None:
    (part,) = await find(question, ORDERS, VISITS)
    assert part.picked is None


async def test_yes_and_no_in_a_column_of_payment() -> None:
    table = "name: Ann Ore; fee EUR: 5; paid: yes\nname: Bo Lind; fee EUR: 5; paid: no"
    told = await answer("Who has not paid the fee?", table)
    assert "Bo Lind" in told.text
    assert "Ann Ore" not in told.text
