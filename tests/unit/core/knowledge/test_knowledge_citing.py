from __future__ import annotations

import pytest

from pai.core.knowledge.citing import cite
from pai.core.knowledge.searching import Found

LETTER = Found(
    "doc_1", "letter.txt", 1, "Ferries", "The ferry leaves at 14:40. Maud Terwilliger keeps the timetable.", 0.9
)
OTHER = Found("doc_2", "other.txt", 2, "", "Dogs pay half.\nThe ferry leaves from pier nine.", 0.5)
QUESTION = "When does the ferry leave?"


def test_each_sentence_that_stands_in_a_passage_is_cited_where_it_ends() -> None:
    text = "The ferry leaves at 14:40 [1]. It is painted green. It leaves from pier nine."
    cited = cite(text, QUESTION, [LETTER, OTHER])
    assert [(one.passage.document_id, one.quote) for one in cited] == [
        ("doc_1", "The ferry leaves at 14:40."), ("doc_2", "The ferry leaves from pier nine."),
    ]  # fmt: skip
    assert [text[: one.at].rsplit(". ", 1)[-1] for one in cited] == [
        "The ferry leaves at 14:40 [1].",
        "It leaves from pier nine.",
    ]
    assert all(one.quote in one.passage.text for one in cited)


@pytest.mark.parametrize(
    "text",
    [
        "The ferry leaves at 15:40.",
        "The ferry leaves at 14:40 with Captain Okafor.",
        "Terwillinger keeps the timetable.",
        "The ferry leaves.",
        "",
        "I do not know.",
    ],
)
def test_what_no_passage_says_is_not_cited(text: str) -> None:
    assert cite(text, QUESTION, [LETTER, OTHER]) == []


def test_words_from_several_sentences_of_a_passage_are_no_quote() -> None:
    assert cite("Terwilliger keeps the ferry at 14:40.", "Who?", [LETTER]) == []
    assert cite("x", QUESTION, []) == []
