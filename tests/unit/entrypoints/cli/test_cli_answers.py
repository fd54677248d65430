from __future__ import annotations

from typing import Any

from pai.entrypoints.cli.output import answer_text

QUOTE = {"n": 1, "document": "a.pdf", "page": 2, "place": "page 2", "quote": "The pump is red."}


def value(**more: Any) -> dict[str, Any]:
    return {"answer": "It is red. [1]", "sources": [], "nearest": [], **more}


def test_sources_and_nearest_passages_are_told_apart() -> None:
    assert answer_text(value(sources=[QUOTE])) == 'It is red. [1]\n  [1] a.pdf, page 2: "The pump is red."'
    assert answer_text(value(nearest=[QUOTE])).endswith('\n  nearest passage: a.pdf, page 2: "The pump is red."')
