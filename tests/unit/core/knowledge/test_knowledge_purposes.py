"""Purposes as people write them, in any script, and what is no plain phrase."""

from __future__ import annotations

import unicodedata

import pytest

from pai.foundation.errors import Invalid
from pai.foundation.refs import parse_purpose


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Patient care", "patient care"),
        ("Pflege, Übergabe (Nachtdienst)", "pflege, übergabe (nachtdienst)"),
        (unicodedata.normalize("NFD", "Überweisung"), "überweisung"),
        ("лечение", "лечение"),
        ("患者护理", "患者护理"),
        ("मरीज़ की देखभाल", unicodedata.normalize("NFC", "मरीज़ की देखभाल")),
        ("R&D, year 1/2", "r&d, year 1/2"),
        ("the client's matter", "the client's matter"),
        ("x" * 64, "x" * 64),
    ],
)
def test_a_plain_phrase_of_any_script_is_a_purpose(typed: str, kept: str) -> None:
    assert parse_purpose(f"  {typed} ") == kept
    assert parse_purpose(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "-a",
        ",",
        "x" * 65,
        "a\nb",
        "a\u202eb",
        "a\u200bb",
        "<b>",
        'a"b',
        "a\\b",
        "a\x00",
        "a;b",
        "a=b",
        "\u0301a",
        "😀",
    ],
)
def test_what_is_no_plain_phrase_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_purpose(typed)
    assert refused.value.code == "bad_purpose"
