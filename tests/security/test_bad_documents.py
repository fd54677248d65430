"""Broken and hostile documents are refused, each with the code that tells a person why."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from pai.adapters.documents import Limits, parse
from pai.foundation.errors import PaiError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hostile"))

from make_corpus import corpus, pdf, word

CORPUS = corpus()


def refusal(name: str, data: bytes, limits: Limits | None = None) -> PaiError:
    fd = os.memfd_create("document")
    try:
        os.write(fd, data)
        with pytest.raises(PaiError) as caught:
            parse(fd, name, limits or Limits())
        return caught.value
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", CORPUS)
def test_each_is_refused_with_its_code(name: str) -> None:
    code, make = CORPUS[name]
    data = make()
    start = time.monotonic()
    error = refusal(name, data)
    assert error.code == code, error.message
    assert error.message
    assert error.hint
    assert time.monotonic() - start < 10


def test_messages_do_not_repeat_content() -> None:
    error = refusal("secret.txt", b"secret-word \xff\xfe")
    assert "secret-word" not in error.message + error.hint


def test_size_limit() -> None:
    assert refusal("a.txt", b"x" * 200, Limits(size=100)).code == "too_large"


def test_two_gigabytes_are_refused_without_being_read() -> None:
    fd = os.memfd_create("document")
    try:
        os.ftruncate(fd, 2 << 30)
        start = time.monotonic()
        with pytest.raises(PaiError) as caught:
            parse(fd, "huge.pdf", Limits())
        assert caught.value.code == "too_large"
        assert time.monotonic() - start < 1
    finally:
        os.close(fd)


def test_character_limit_holds_for_text_and_pdf() -> None:
    assert refusal("a.txt", b"word " * 1000, Limits(characters=500)).code == "too_large"
    assert refusal("a.pdf", pdf(50), Limits(characters=500)).code == "too_large"


def test_a_page_limit_is_a_limit_not_a_cut() -> None:
    assert refusal("a.pdf", pdf(6), Limits(pages=5)).code == "too_many_pages"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.txt", "/etc/passwd.txt", "C:\\boot.txt", "a\0b.txt", "x" * 5000 + ".txt"]
)
def test_names_are_never_paths(name: str) -> None:
    fd = os.memfd_create("document")
    try:
        os.write(fd, b"the content that was handed over")
        assert parse(fd, name, Limits()).blocks[0].text == "the content that was handed over"
    finally:
        os.close(fd)


def test_remote_references_stay_text() -> None:
    page = b'<body><img src="http://x.invalid/x.png"><link href="http://x.invalid/a.css"><p>only this</p></body>'
    fd = os.memfd_create("document")
    try:
        os.write(fd, page)
        assert [block.text for block in parse(fd, "a.html", Limits()).blocks] == ["only this"]
    finally:
        os.close(fd)


def test_invisible_characters_are_dropped() -> None:
    fd = os.memfd_create("document")
    try:
        os.write(fd, "pay\u200b 10\u202e euros".encode())
        assert parse(fd, "a.txt", Limits()).blocks[0].text == "pay 10 euros"
    finally:
        os.close(fd)


def test_an_empty_word_document_has_no_text() -> None:
    assert refusal("a.docx", word("<x/>")).code in {"truncated", "no_text"}
