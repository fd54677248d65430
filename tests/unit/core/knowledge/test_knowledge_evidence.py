from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest

from fakes.word_engines import embed
from pai.core.knowledge.composing import ABSTAINED, CAUTION, Part, compose, part_of
from pai.core.knowledge.evidence import sufficient, weigh
from pai.core.knowledge.question import parts
from pai.core.knowledge.reading import Document
from pai.core.knowledge.values import Answer, Chunk, Hit
from pai.core.knowledge.words import content_words, numbers

TODAY = dt.date(2031, 5, 20)
LETTER = """Harbour Clinic
Re: Ms Amara Okafor, born 4 May 1971
She takes metformin 1000 mg twice a day.
The next appointment is on 12 June 2031.
Medicines at discharge
Medicine: Ramipril; Dose: 5 mg
Medicine: Doxycycline; Dose: 100 mg
Duties of the ward
- weigh her every morning
- call the doctor"""
CANTEEN = "The canteen opens at noon. The canteen is run by Olga Brand."


async def embed_all(texts: Sequence[str]) -> list[bytes]:
    return [embed(text) for text in texts]


async def find(question: str, *texts: str) -> list[Part]:
    chunks = [Chunk(f"c{n}", f"d{n}", 0, 1, "", text) for n, text in enumerate(texts)]
    documents = {chunk.document_id: Document(chunk.document_id, "paper.txt", [chunk]) for chunk in chunks}
    hits = [Hit(chunk, 1.0, 0.5) for chunk in chunks]
    return [
        part_of(asked, await weigh(asked, hits, documents, embed_all), documents, TODAY) for asked in parts(question)
    ]


async def answer(question: str, *texts: str) -> Answer:
    return compose(await find(question, *(texts or (LETTER, CANTEEN))), "words", TODAY)


async def test_the_sentence_that_answers_comes_first_and_suffices() -> None:
    (part,) = await find("When is the next appointment of Amara Okafor?", LETTER, CANTEEN)
    assert part.spans[0].text == "The next appointment is on 12 June 2031."
    assert sufficient(part.spans[0])


@pytest.mark.parametrize(
    "question",
    [
        "Which blood group does Amara Okafor have?",
        "When is the next appointment of Jonas Brandt?",
        "What is the salary of Amara Okafor?",
        "What is the capital of Australia?",
        "Does she take any blood thinners?",
        "How much does Olga Brand weigh?",
        "What dose of metformin does Olga Brand take?",
    ],
)
async def test_what_the_documents_do_not_hold_does_not_suffice(question: str) -> None:
    told = await answer(question)
    assert (told.text, told.abstained, told.sources) == (f"{ABSTAINED} {CAUTION}", True, ())


async def test_an_abstention_shows_what_was_near_but_of_nobody_else() -> None:
    near = (await answer("Which antibiotic does Amara Okafor take twice a day?")).nearest
    assert near
    assert all(source.quote in LETTER for source in near)
    assert not (await answer("Which medicines does Olga Brand take?", LETTER)).nearest


async def test_a_number_is_wanted_and_none_is_there() -> None:
    text = "The appointment of the clinic has a price that is not settled."
    assert (await answer("How much does the appointment cost?", text)).abstained


async def test_nothing_found_is_not_sufficient() -> None:
    (part,) = await find("Anything at all?")
    assert not part.good


async def test_a_subject_line_answers_by_its_own_words_only() -> None:
    assert (await answer("When was Amara Okafor born?")).text == "Re: Ms Amara Okafor, born 4 May 1971 [1]"
    told = await answer("Which colour does Amara Okafor like?")
    assert told.abstained


async def test_a_heading_never_answers_and_what_stands_under_it_does() -> None:
    told = await answer("What is due to the ward?", "Plan\nWhat is due to the ward\n- a new pump\n- two beds\n")
    assert told.text == "What is due to the ward [1]:\n\n- a new pump\n- two beds"


async def test_what_is_the_most_a_sentence_has_to_say_itself() -> None:
    assert (await answer("Which laptop is the dearest?", "A laptop is locked in the cabinet.")).abstained
    assert not (await answer("Which laptop is the dearest?", "The dearest laptop is the red one.")).abstained


async def test_what_points_at_a_question_without_answer_has_none_either() -> None:
    told = await answer("When does the coach leave and when does it end?", "The contract ends on 3 May 2031.")
    assert told.abstained


async def test_months_are_read_out_of_dates() -> None:
    rows = "name: Noor Aziz; leave: 2031-08-10\nname: Olga Brand; leave: 2031-07-02"
    assert "1 of 2" in (await answer("Who is on leave in August?", rows)).text


async def test_a_row_is_told_whole() -> None:
    told = await answer("What dose of ramipril does Ms Okafor take?")
    assert told.text == "Ramipril (Dose: 5 mg) [1]"
    assert [source.quote for source in told.sources] == ["Medicine: Ramipril; Dose: 5 mg"]


async def test_a_list_is_told_whole_under_its_heading_with_one_quote() -> None:
    told = await answer("Which medicines does Ms Okafor take at discharge?")
    assert told.text == "Medicines at discharge [1]:\n\n- Ramipril (Dose: 5 mg)\n- Doxycycline (Dose: 100 mg)"
    (source,) = told.sources
    assert source.quote in LETTER
    told = await answer("What are the duties of the ward?")
    assert told.text.endswith("- weigh her every morning\n- call the doctor")


async def test_two_questions_get_two_answers_or_are_told_what_is_missing() -> None:
    told = await answer("When is the next appointment and when does the canteen open?")
    assert told.text == "The next appointment is on 12 June 2031. [1] The canteen opens at noon. [2]"
    told = await answer("When does the canteen open and what is its telephone number?")
    assert told.text.startswith("The canteen opens at noon. [1] I found no answer to")
    assert not told.abstained
    assert len(told.sources) == 1


async def test_only_what_is_marked_is_a_source() -> None:
    told = await answer("When does the canteen open?", CANTEEN, "The canteen opens at eight in summer.")
    assert len(told.sources) == told.text.count("[")


def test_words() -> None:
    assert content_words("stopped stopping stops") == {"stop"}
    assert numbers("4,850 euros, ten days") == {"4850", "10"}


VISITS = """name: Noor Aziz; appointment: 2031-05-27; with: Dr. Paul Obi
name: Olga Brand; appointment: 2031-05-06; with: Nurse Fiorello
name: Gustav Lund; appointment: 2031-05-27; with: Dr. Paul Obi"""


@pytest.mark.parametrize(
    ("visits", "begins", "cited"),
    [
        (VISITS.replace("05-27; with: Dr. Paul Obi\nname: O", "05-28; with: Dr. Paul Obi\nname: O"), "Gustav Lund", "Gustav Lund"),
        (VISITS, "2 share it, the next of 3 rows by appointment from 2031-05-20 on: ", "Noor Aziz"),
        (VISITS.replace("05-27", "05-07"), "None of 3 rows is from 2031-05-20 on. ", "Olga Brand"),
        (VISITS.replace("2031-05-06", "soon"), "Which row that is cannot be computed here. ", "Olga Brand"),
    ],
)  # fmt: skip
async def test_the_next_row_is_told_or_all_that_share_it_or_that_there_is_none(
    visits: str, begins: str, cited: str
) -> None:
    told = await answer("When is the next appointment?", visits)
    assert told.text.startswith(begins), told.text
    assert cited in told.text
    assert told.sources
    assert all(source.quote in visits for source in told.sources)
