"""Passages as they are shown: edges at words, pages, what is repeated, the quote."""

from __future__ import annotations

import pytest

from pai.core.knowledge.chunking import chunk
from pai.core.knowledge.values import Block, Chunk, ParsedDocument
from pai.entrypoints.web.reading import NEARBY, around, pages
from pai.foundation.errors import NotFound

LONG = " ".join(f"Sentence number {n} tells of the harbour." for n in range(40))


def passage(n: int, page: int, text: str) -> Chunk:
    return Chunk(f"chk_{n}", "doc_1", n, page, "", text)


def test_neighbours_begin_and_end_at_sentences_and_name_their_pages() -> None:
    parts = [passage(0, 1, LONG), passage(1, 2, "The key hangs in the hall."), passage(2, 3, LONG)]
    told = around(parts, "chk_1", "key hangs")
    assert (told["before"], told["quote"], told["after"]) == ("The ", "key hangs", " in the hall.")
    assert (told["previous_page"], told["page"], told["next_page"]) == (1, 2, 3)
    assert told["previous"].startswith("\N{HORIZONTAL ELLIPSIS} Sentence number")
    assert told["next"].endswith("harbour. \N{HORIZONTAL ELLIPSIS}")
    assert max(len(told["previous"]), len(told["next"])) < NEARBY + 5


def test_without_sentences_the_edges_are_words() -> None:
    words = " ".join(["harbour"] * 200)
    told = around([passage(0, 1, words), passage(1, 1, "x"), passage(2, 1, words)], "chk_1", "")
    assert set(told["previous"].split()[1:]) == {"harbour"}
    assert set(told["next"].split()[:-1]) == {"harbour"}
    unbroken = "h" * 2000
    assert "h" * 300 in around([passage(0, 1, unbroken), passage(1, 1, "x")], "chk_1", "")["previous"]


def test_a_quote_is_found_whatever_the_spaces_between_its_words() -> None:
    told = around([passage(0, 1, "Take 5\nmg (at night).")], "chk_0", "5 mg (at night)")
    assert told["quote"] == "5\nmg (at night)"
    assert around([passage(0, 1, "Take 5 mg.")], "chk_0", "6 mg")["quote"] == ""
    with pytest.raises(NotFound):
        around([passage(0, 1, "x")], "chk_9", "")


def test_a_whole_document_reads_as_it_was_parsed() -> None:
    paragraphs = [" ".join(f"In part {p} sentence {n} tells of the harbour." for n in range(12)) for p in range(6)]
    blocks = tuple(Block("paragraph", text, page=1 + p // 3) for p, text in enumerate(paragraphs))
    parts = chunk(ParsedDocument("text/plain", 2, blocks), "doc_1")
    assert sum(len(part.text) for part in parts) > sum(map(len, paragraphs)), (
        "nothing is repeated: the test shows nothing"
    )
    told = pages(parts)
    assert [number for number, _ in told] == [1, 2]
    assert " ".join(" ".join(texts) for _, texts in told).split() == " ".join(paragraphs).split()
