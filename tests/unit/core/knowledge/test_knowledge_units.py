from __future__ import annotations

import pytest

from pai.core.knowledge.question import understand
from pai.core.knowledge.reading import Document, anchored, document_of, named_in
from pai.core.knowledge.sentences import sentences
from pai.core.knowledge.units import Shape, read
from pai.core.knowledge.values import Chunk

LETTER = """Harbour Clinic
1 Quay Road, Wexmoor
Date: 12 May 2031
Re: Mr. Henrik Lund, born 3 February 1955
Dear Dr. de Wit,
He has known allergies. Ms. Olga Brand takes ramipril.
Medicines
Medicine: Furosemide; Dose: 40 mg
Medicine: Bisoprolol; Dose: 2.5 mg
Duties of the ward
- weigh him every morning
- call the doctor
With kind regards,
Dr. Ruth Adeyemi, Cardiologist"""


def chunks(*texts: str, document: str = "d", heading: str = "Letter") -> list[Chunk]:
    return [Chunk(f"{document}{n}", document, n, 1, heading, text) for n, text in enumerate(texts)]


def letter(*texts: str) -> Document:
    return Document("d", "letter.pdf", chunks(*(texts or (LETTER,))))


def shape_of(text: str) -> Shape:
    return next(unit.shape for unit in letter().units if unit.text.startswith(text))


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Re:", Shape.HEADER),
        ("Date:", Shape.HEADER),
        ("Dear", Shape.HEADER),
        ("1 Quay", Shape.HEADER),
        ("Dr. Ruth", Shape.HEADER),
        ("He has", Shape.SENTENCE),
        ("Medicine: F", Shape.ROW),
        ("weigh him", Shape.ITEM),
    ],
)
def test_each_line_has_its_shape(text: str, shape: Shape) -> None:
    assert shape_of(text) is shape


def test_units_stand_word_for_word_in_their_passage_and_know_their_section() -> None:
    units = letter().units
    assert all(unit.text in unit.chunk.text for unit in units)
    rows = [unit for unit in units if unit.shape is Shape.ROW]
    assert {row.section for row in rows} == {"Medicines"}
    assert rows[0].cells == (("Medicine", "Furosemide"), ("Dose", "40 mg"))
    items = [unit for unit in units if unit.shape is Shape.ITEM]
    assert {item.section for item in items} == {"Duties of the ward"}
    assert rows[0].group != items[0].group


def test_a_list_over_two_passages_is_one_list() -> None:
    first, second = chunks("Duties\n- one thing\n- another thing", "- another thing\n- a third thing")
    document = Document("d", "x", [first, second])
    assert [unit.text for unit in document.members(1)] == [
        "one thing",
        "another thing",
        "another thing",
        "a third thing",
    ] or [unit.text for unit in document.members(1)] == ["one thing", "another thing", "a third thing"]
    assert {unit.section for unit in document.members(1)} == {"Duties"}


def test_long_documents_are_read_around_the_hits() -> None:
    many = chunks(*(f"Sentence number {n} is here." for n in range(50)))
    near = document_of("d", "long.txt", many, [30], whole=40)
    assert not near.whole
    assert [chunk.ordinal for chunk in near.chunks] == [0, 1, 28, 29, 30, 31, 32]
    assert document_of("d", "short.txt", many, [3]).whole


def test_german_days_do_not_end_sentences() -> None:
    assert sentences("Am 26. Mai kommt ein Gutachter. Öffnen Sie bitte.") == [
        "Am 26. Mai kommt ein Gutachter.",
        "Öffnen Sie bitte.",
    ]


@pytest.mark.parametrize(
    ("question", "text", "about"),
    [
        ("What is Mr. Lund allergic to?", "He has known", True),
        ("What is Henrik Lund allergic to?", "He has known", True),
        ("What is Erik Lund allergic to?", "He has known", False),
        ("What is Dr. Adeyemi allergic to?", "He has known", False),
        ("What does Mr. Lund take?", "Ms. Olga Brand", False),
        ("What does Olga Brand take?", "Ms. Olga Brand", True),
        ("What dose of furosemide does Mr. Lund take?", "Medicine: F", True),
        ("What dose of furosemide does Olga Brand take?", "Medicine: F", False),
    ],
)
def test_a_unit_about_another_person_never_answers(question: str, text: str, about: bool) -> None:
    document = letter()
    unit = next(unit for unit in document.units if unit.text.startswith(text))
    assert anchored(understand(question), unit, document) is about


def test_rows_of_a_table_that_names_people_are_about_those_in_them() -> None:
    table = Document(
        "d", "visits.csv", chunks("name: Noor Aziz; room: 1\nname: Gustav Lund; room: 2", heading="visits")
    )
    asked = understand("Which room does Gustav Lund go to?")
    assert [anchored(asked, unit, table) for unit in table.units] == [False, True]


def test_defined_words_of_a_contract_stand_for_their_names() -> None:
    text = 'Made between Harbour Clinic (the "Client") and Seafoam Ltd (the Contractor).\nThe Client pays monthly.'
    document = Document("d", "contract.docx", chunks(text))
    assert named_in(("harbour",), document.full("The Client pays monthly."))
    assert "seafoam" in document.full("The Contractor cleans.")


def test_an_empty_document_has_no_units() -> None:
    assert read([]) == []
