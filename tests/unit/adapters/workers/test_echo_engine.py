from __future__ import annotations

import json
import struct

from pai.adapters.workers.echo import answer, embed


def cosine(left: str, right: str) -> float:
    a, b = (struct.unpack("<384f", embed(text)) for text in (left, right))
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_plain_chat_repeats_the_last_user_message() -> None:
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "two"},
    ]
    assert answer(messages) == "Echo: two"


def test_numbered_sources_are_quoted() -> None:
    sources = (
        "Sources:\n[1] Money: Invoices are due in May.\n\n[2] Refunds take 14 days. They are free.\n\n"
        "Question: How long do refunds take?\nShort."
    )
    assert (
        answer([{"role": "system", "content": "Answer."}, {"role": "user", "content": sources}])
        == "Refunds take 14 days. [2]"
    )


def test_a_schema_is_met() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"enum": ["search"]},
            "n": {"type": "integer", "minimum": 1},
            "quotes": {"type": "array", "items": {"type": "string"}},
        },
    }  # fmt: skip
    assert json.loads(answer([{"role": "user", "content": "hi"}], schema)) == {
        "name": "search",
        "n": 1,
        "quotes": ["Echo: hi"],
    }


def test_embeddings_are_near_when_words_are_shared() -> None:
    assert cosine("The Invoices of May", "may invoice the of") > 0.99
    assert cosine("refunds take days", "how long do refunds take") > cosine("refunds take days", "parking in the yard")
    assert abs(cosine("", "") - 1) < 1e-6
