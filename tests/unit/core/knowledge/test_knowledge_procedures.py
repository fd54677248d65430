from __future__ import annotations

import pytest

from pai.core.knowledge.composing import compose
from pai.core.knowledge.judging import judge
from pai.core.knowledge.question import understand
from pai.core.knowledge.units import Shape, read
from pai.core.knowledge.values import Answer, Chunk
from unit.core.knowledge.test_knowledge_evidence import TODAY, answer, find
from unit.core.knowledge.test_knowledge_judging import Reader

GUIDE = """Cabin guide
Lighting the stove
1. Open the damper all the way.
2. Lay two small logs crosswise.
3. Light the kindling from above.
Never leave it burning overnight.
Lending a bike
Before a bike leaves the shop, do the following:
- check the brakes
- take a deposit of 80 euros
Water
In winter the water is turned off. Open the red tap first. Then open the blue one in the cellar.
Dogs
One dog is allowed. This does not hold for the bedrooms. A cot stands in the shed."""


async def chosen(question: str, says: str, text: str = GUIDE) -> Answer:
    """Answer with a model that holds only what contains ``says`` to be the answer."""
    told = [
        await judge(Reader(lambda candidate: says in candidate), "usr_1", part) for part in await find(question, text)
    ]
    return compose(told, "words", TODAY)


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("how do i light the stove", True),
        ("What are the steps for closing the shop?", True),
        ("what do I have to do to join", True),
        ("Wie kann ich kündigen?", True),
        ("what does a loan bike cost", False),
        ("how long do we have", False),
    ],
)
def test_which_questions_ask_for_steps(question: str, asks: bool) -> None:
    assert understand(question).procedure is asks


async def test_numbered_steps_are_a_list_and_told_whole_in_their_order() -> None:
    told = await chosen("how do i light the stove", "Light the kindling")
    steps = ["Open the damper all the way.", "Lay two small logs crosswise.", "Light the kindling from above."]
    assert [line.removeprefix("- ") for line in told.text.splitlines() if line.startswith("- ")] == steps
    (source,) = told.sources
    assert source.quote in GUIDE
    assert all(step in source.quote for step in steps)


async def test_one_step_that_fits_brings_all_of_them_and_the_sentence_that_opens_them() -> None:
    told = await chosen("how do I lend a bike", "deposit")
    assert told.text.startswith("Before a bike leaves the shop, do the following [1]:")
    assert "- check the brakes" in told.text
    assert "do the following:\n- check the brakes\n- take a deposit" in told.sources[0].quote


async def test_steps_in_sentences_begin_with_the_first() -> None:
    told = await chosen("How do I turn the water on?", "blue one")
    assert (
        told.text
        == "In winter the water is turned off. Open the red tap first. Then open the blue one in the cellar. [1]"
    )


async def test_a_fact_of_one_step_is_not_the_whole_list() -> None:
    told = await chosen("how much is the deposit for a bike", "deposit")
    assert told.text == "take a deposit of 80 euros [1]"


async def test_what_an_answer_hangs_on_is_quoted_with_it_and_nothing_after_that() -> None:
    told = await chosen("is a dog allowed", "One dog")
    assert told.text == "One dog is allowed. This does not hold for the bedrooms. [1]"
    told = await answer(
        "How long is theft insured?", "Theft is insured for two years. Unless the door was open. Fire is not."
    )
    assert told.text == "Theft is insured for two years. Unless the door was open. [1]"


def test_numbers_of_headings_make_no_list() -> None:
    text = "1. The flat\nThe flat has two rooms.\n2. The rent\nThe rent is 900 euros a month."
    told = read([Chunk("c", "d", 0, 1, "", text)])
    assert [(unit.text, unit.group) for unit in told if unit.shape is Shape.SENTENCE] == [
        ("The flat has two rooms.", 0),
        ("The rent is 900 euros a month.", 0),
    ]
    assert not [unit for unit in told if unit.shape is Shape.ITEM]


async def test_the_next_of_one_row_gives_way_to_the_sentence_that_says_it() -> None:
    text = "client: Walter Pym; visits: 7; since: 2029-10-01\nclient: Ann Ore; visits: 5; since: 2030-01-01"
    text += "\nHis next appointment with Walter Pym is on 9 June 2031."
    told = await chosen("when is the next appointment of Walter Pym", "", text)
    assert "9 June" in told.text


async def test_the_name_of_a_table_chooses_no_row_of_it() -> None:
    text = "Orders\nitem: Gloves; supplier: Medi; status: delivered\nitem: Bags; supplier: Medi; status: ordered\n"
    text += "item: Pads; supplier: Brand; status: ordered"
    told = await chosen("list all orders from Medi", "Bags", text)
    assert "Gloves" in told.text
    assert "Pads" not in told.text
