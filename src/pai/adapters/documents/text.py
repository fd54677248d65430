"""Plain text: paragraphs between empty lines, pages between form feeds."""

from __future__ import annotations

import codecs
import itertools
import re

from pai.adapters.documents.gathering import Gathering, clean, reflow
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid

_SHORTEST_WRAP, _LONGEST_WRAP = 60, 140  # columns at which mail and editors break lines
_COLUMNS = re.compile(r"\S(?: {2,}| *\t)\s*\S")
_CAPITALS = re.compile(r"(?=.*[A-ZÄÖÜ]{3})[^a-zäöüß.!?:]{3,60}")
_EMPTY_LINES = re.compile(r"\n[ \t]*\n+")


def decode(data: bytes) -> str:
    """Return the text of UTF-8 (with or without a mark) or UTF-16 (with a mark). Raises Invalid (``not_text``,
    ``no_text``)."""
    encoding = "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Invalid(
            f"the file is not UTF-8 text (byte {error.start})", code="not_text", hint="save it as UTF-8 text"
        ) from None
    if "\0" in text:
        raise Invalid("the file holds NUL bytes, so it is not text", code="not_text", hint="save it as UTF-8 text")
    if not text.strip():
        raise Invalid("the file holds only white space", code="no_text", hint="check that it was saved completely")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_text(text: str, limits: Limits) -> ParsedDocument:
    """Parse plain text."""
    found = Gathering(limits)
    pages = text.split("\f")
    if len(pages) > limits.pages:
        raise Invalid(f"the text has more than {limits.pages} pages", code="too_many_pages", hint="split the file")
    width = _wrapped_at(text)
    for number, page in enumerate(pages, 1):
        for paragraph in _EMPTY_LINES.split(page):
            _gather(found, paragraph.strip("\n").split("\n"), width, number)
    return found.finish(Kind.TEXT.value, pages=len(pages))


def _wrapped_at(text: str) -> int:
    """Return the column at which lines were broken, or 0: then every line stands for itself. Lines were broken when some
    go on in small letters."""
    lines = text.split("\n")
    longest = max(map(len, lines))
    if not _SHORTEST_WRAP <= longest <= _LONGEST_WRAP:
        return 0
    goes_on = (
        bool(after[:1].islower()) for line, after in itertools.pairwise(lines) if len(line) > _SHORTEST_WRAP * 0.8
    )
    return longest if any(goes_on) else 0


def _gather(found: Gathering, lines: list[str], width: int, page: int) -> None:
    """Add a paragraph. One with columns set by spaces, or of several short lines, is a list: each line is a thing of its own."""
    told = [clean(line) for line in lines]
    if len(told) == 1 and _CAPITALS.fullmatch(told[0]):
        found.heading(told[0], level=2, page=page)
        return
    columns = sum(bool(_COLUMNS.search(line.strip())) for line in lines)
    if columns > 1:
        for line, text in zip(lines, told, strict=True):
            found.paragraph(text, page=page, kind="list" if _COLUMNS.search(line.strip()) else "paragraph")
    else:
        found.paragraph(reflow(told, width) if width else "\n".join(told), page=page)
