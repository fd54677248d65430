from __future__ import annotations

import pytest

from pai.core.identity.passwords import ALONE, CONSOLE, WITH_FACTOR, check_password, common_passwords
from pai.foundation.errors import Invalid
from pai.foundation.redaction import Secret

EMAIL = "ada.lovelace@clinic.example"


def refused(text: str | bytes, minimum: int = WITH_FACTOR) -> bool:
    try:
        check_password(Secret(text if isinstance(text, bytes) else text.encode()), EMAIL, minimum)
    except Invalid as error:
        return error.code == "weak_password"
    return False


@pytest.mark.parametrize("minimum", [WITH_FACTOR, CONSOLE, ALONE])
def test_length_counts_characters_and_nothing_else_is_asked_for(minimum: int) -> None:
    good = "korb weg zaun hut"
    assert refused(good[: minimum - 1], minimum)
    assert not refused(good[:minimum], minimum)
    assert not refused("schlüßel äpfel", CONSOLE), "14 characters, more bytes"


@pytest.mark.parametrize(
    "text",
    ["password", "Password1", "P A S S W O R D", "iloveyou", "football1!", "qwertyuiop", "1q2w3e4r5t", "123456789012345", "aaaaaaaaaaaaaaaa",
     "abcabcabcabc", "abcdefghijklm", "zyxwvutsrqpo", "asdfghjkl", "correct horse battery staple", "ada.lovelace", "lovelace99",
     "clinic.example", "ADA.LOVELACE@clinic.example", "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44", "sunshine2024", "personalai123"],
)  # fmt: skip
def test_what_is_tried_first_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "violet tractor under nine lamps",
        "gr33n-ket",
        "kettle attic seven",
        "zm4!kTq8",
        "my password is a long sentence",
    ],
)
def test_what_is_good_is_taken(text: str) -> None:
    assert not refused(text)


def test_the_list_is_shipped_and_is_one() -> None:
    assert len(common_passwords()) > 11_000
    assert {"password", "12345678", "sunshine", "trustno1"} <= common_passwords()
    assert all(len(word) >= 7 for word in common_passwords())


def test_too_long_and_no_text_are_refused() -> None:
    assert refused("kx" * 600)
    assert refused(b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8")
