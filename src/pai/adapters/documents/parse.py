"""Parses one original, given as a file descriptor."""

from __future__ import annotations

import os

from pai.adapters.documents.kinds import TEXT_KINDS, Kind, kind_of
from pai.adapters.documents.limits import DEFAULT, Limits
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid, TooLarge

_HEAD = 4096


def parse(fd: int, name: str, limits: Limits = DEFAULT) -> ParsedDocument:
    """Parse the open file ``fd`` (seekable; read from its start; left open). ``name`` is used for its extension only.

    Formats import their libraries on first use, all of them pure readers: nothing is fetched, followed, run or written.
    Raises Invalid, Unsupported or TooLarge with one of the codes of ``core.knowledge.ports.DocumentParser``.
    """
    size = os.fstat(fd).st_size
    if size == 0:
        raise Invalid("the file is empty", code="empty", hint="check that it was saved or copied completely")
    if size > limits.size:
        raise TooLarge(f"the file is larger than {limits.size >> 20} MB", hint="split the file")
    kind = kind_of(name, os.pread(fd, _HEAD, 0))
    if kind in TEXT_KINDS:
        return _parse_text(kind, _read(fd, size), limits)
    if kind is Kind.PDF:
        from pai.adapters.documents.pdf import parse_pdf

        return parse_pdf(_read(fd, size), limits)
    from pai.adapters.documents.archive import checked_archive

    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        checked_archive(file, kind, limits)
        file.seek(0)
        if kind is Kind.WORD:
            from pai.adapters.documents.word import parse_word

            return parse_word(file, limits)
        from pai.adapters.documents.workbook import parse_workbook

        return parse_workbook(file, limits)


def _parse_text(kind: Kind, data: bytes, limits: Limits) -> ParsedDocument:
    from pai.adapters.documents.text import decode, parse_text

    text = decode(data)
    if kind is Kind.MARKDOWN:
        from pai.adapters.documents.markdown import parse_markdown

        return parse_markdown(text, limits)
    if kind is Kind.HTML:
        from pai.adapters.documents.html import parse_html

        return parse_html(text, limits)
    if kind is Kind.CSV:
        from pai.adapters.documents.table import parse_csv

        return parse_csv(text, limits)
    return parse_text(text, limits)


def _read(fd: int, size: int) -> bytes:
    pieces: list[bytes] = []
    offset = 0
    while offset < size:
        piece = os.pread(fd, min(size - offset, 1 << 24), offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)
