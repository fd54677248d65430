from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai.core.knowledge.chunking import MAXIMUM, TARGET, chunk
from pai.core.knowledge.sentences import sentences
from pai.core.knowledge.values import Block, ParsedDocument
from pai.foundation.errors import Invalid


def parsed(*blocks: Block, title: str = "") -> ParsedDocument:
    return ParsedDocument("text/plain", 1, blocks, title)


def row(**cells: str) -> Block:
    pairs = tuple(cells.items())
    return Block("row", "; ".join(f"{k}: {v}" for k, v in pairs), cells=pairs)


def test_headings_stay_with_what_they_head() -> None:
    blocks = [Block("heading", "Plan", level=1), Block("paragraph", "Rest for a week.")]
    (only,) = chunk(parsed(*blocks, title="Letter"), "doc")
    assert only.heading == "Letter > Plan"
    assert only.text == "Plan\nRest for a week."


def test_small_sections_are_put_together_under_their_common_heading() -> None:
    blocks = []
    for name in ("One", "Two"):
        blocks += [Block("heading", name, level=2), Block("paragraph", f"About {name}.")]
    (only,) = chunk(parsed(Block("heading", "Top", level=1), *blocks), "doc")
    assert only.heading == "Top"
    assert "About One." in only.text
    assert "Two\nAbout Two." in only.text


def test_pages_are_never_mixed() -> None:
    found = chunk(parsed(Block("paragraph", "First page.", 1), Block("paragraph", "Second page.", 2)), "doc")
    assert [(c.page, c.text) for c in found] == [(1, "First page."), (2, "Second page.")]


def test_a_long_section_is_cut_between_sentences_and_overlaps() -> None:
    text = " ".join(f"Sentence number {n} of a long section." for n in range(80))
    found = chunk(parsed(Block("paragraph", text)), "doc")
    assert len(found) > 2
    assert all(len(c.text) <= MAXIMUM for c in found)
    for before, after in pairwise(found):
        assert sentences(before.text)[-1] == sentences(after.text)[0]


def test_rows_keep_columns_and_subjects() -> None:
    blocks = [row(Patient=f"P{n}", Amount=str(n), Note="x" * 100) for n in range(20)]
    found = chunk(parsed(*blocks), "doc", subject_column="patient")
    assert len(found) > 1
    assert found[0].text.startswith("Patient: P0; Amount: 0")
    assert [s for c in found for s in c.subjects] == [f"P{n}" for n in range(20)]
    assert all(f"Patient: {s};" in c.text for c in found for s in c.subjects)


def test_items_of_a_list_keep_their_marks() -> None:
    (only,) = chunk(parsed(Block("heading", "Duties", level=1), Block("list", "wash"), Block("list", "iron")), "doc")
    assert only.text == "Duties\n- wash\n- iron"


def test_a_missing_subject_column_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        chunk(parsed(row(Name="a", Sum="1")), "doc", subject_column="Patient")
    assert caught.value.code == "no_such_column"


def test_a_document_without_title_is_headed_by_its_name() -> None:
    (only,) = chunk(parsed(Block("paragraph", "Words.")), "doc", name="travel_costs-2031.csv")
    assert only.heading == "travel costs 2031"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Voss came. She left.", ["Dr. Voss came.", "She left."]),
        ("It cost 4,850.50 euros. Paid.", ["It cost 4,850.50 euros.", "Paid."]),
        ("One\nTwo three", ["One", "Two three"]),
        ("See e.g. Annex four. Done!", ["See e.g. Annex four.", "Done!"]),
        ("", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.lists(st.text(min_size=1, max_size=3000), min_size=1, max_size=6))
def test_sizes_and_order_hold_for_any_text(texts: list[str]) -> None:
    found = chunk(parsed(*(Block("paragraph", text) for text in texts)), "doc")
    assert [c.ordinal for c in found] == list(range(len(found)))
    assert all(0 < len(c.text) <= MAXIMUM + TARGET for c in found)
    assert all(sentence in c.text for c in found for sentence in sentences(c.text))
