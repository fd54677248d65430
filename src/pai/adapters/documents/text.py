"""Plain text: paragraphs between empty lines, pages between form feeds."""

from __future__ import annotations

import codecs
import re

from pai.adapters.documents.gathering import Gathering, clean, reflow
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid

_SHORTEST_WRAP, _LONGEST_WRAP = 60, 140  # columns at which mail and editors break lines
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
    longest = max(len(line) for line in text.split("\n"))
    width = longest if _SHORTEST_WRAP <= longest <= _LONGEST_WRAP else 0
    for number, page in enumerate(pages, 1):
        for paragraph in _EMPTY_LINES.split(page):
            lines = [clean(line) for line in paragraph.split("\n")]
            found.paragraph(reflow(lines, width) if width else paragraph, page=number)
    return found.finish(Kind.TEXT.value, pages=len(pages))
