from __future__ import annotations

from collections.abc import Sequence

import pytest

from fakes.word_engines import embed
from pai.core.knowledge.evidence import Span, sufficient, support_of, supported, weigh
from pai.core.knowledge.question import Wanted, understand
from pai.core.knowledge.values import Chunk, Hit
from pai.core.knowledge.words import content_words, names, numbers

LETTER = "Patient: Amara Okafor\nShe takes metformin 1000 mg twice a day.\nThe next appointment is on 12 June 2031."


async def embed_all(texts: Sequence[str]) -> list[bytes]:
    return [embed(text) for text in texts]


async def find(question: str, *texts: str) -> list[Span]:
    hits = [Hit(Chunk(f"c{n}", f"d{n}", 0, 1, "Letter", text), 1.0, 0.5) for n, text in enumerate(texts)]
    return await weigh(question, hits, {f"d{n}": "letter.txt" for n in range(len(texts))}, embed_all)


async def test_the_sentence_that_answers_comes_first_and_suffices() -> None:
    found = await find("When is the next appointment of Amara Okafor?", LETTER, "The canteen opens at noon.")
    assert found[0].text == "The next appointment is on 12 June 2031."
    assert sufficient(found)


@pytest.mark.parametrize(
    "question",
    [
        "Which blood group does Amara Okafor have?",
        "When is the next appointment of Jonas Brandt?",
        "What is the salary of Amara Okafor?",
        "What is the capital of Australia?",
    ],
)
async def test_what_the_documents_do_not_hold_does_not_suffice(question: str) -> None:
    assert not sufficient(await find(question, LETTER))


async def test_a_number_is_wanted_and_none_is_there() -> None:
    text = "The appointment of the clinic has a price that is not settled."
    assert not sufficient(await find("How much does the appointment cost?", text))


async def test_nothing_found_is_not_sufficient() -> None:
    assert not sufficient(await find("Anything at all?"))
    assert not sufficient([])


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("She takes metformin 1000 mg.", True),
        ("She takes metoformin 1000 mg.", False),
        ("She takes metformin 500 mg.", False),
        ("Rapidipril was given.", False),
        ("", False),
    ],
)
def test_an_answer_says_nothing_that_its_source_does_not(answer: str, holds: bool) -> None:
    assert supported(answer, "What dose of metformin does she take?", LETTER) is holds


async def test_the_source_of_a_figure_is_the_sentence_with_the_figure() -> None:
    found = await find("What dose of metformin does Okafor take?", LETTER)
    support = support_of("Okafor takes 1000 mg metformin.", "What dose of metformin does Okafor take?", found)
    assert support is not None
    assert "1000 mg" in support.text
    assert support_of("Okafor takes 12 mg metformin.", "What dose?", found) is None


def test_questions_are_taken_apart() -> None:
    asked = understand("Which blood group does Amara Okafor have?")
    assert asked.names == content_words("amara okafor")
    assert asked.focus == {"blood", "group"}
    assert understand("How many beds are there?").wanted is Wanted.NUMBER
    assert understand("When did it end?").wanted is Wanted.TIME
    assert understand("Who signed?").wanted is Wanted.PERSON
    assert understand("What brings on attacks?").focus == frozenset()


def test_words() -> None:
    assert content_words("stopped stopping stops") == {"stop"}
    assert numbers("4,850 euros, ten days") == {"4850", "10"}
    assert names("Where is Bergen? Ask Ylva.") == content_words("bergen ylva")
