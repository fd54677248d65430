"""PDF by PDFium: text with page numbers, paragraphs by the gaps between lines, headings by type size. Nothing in it
is run."""

from __future__ import annotations

import ctypes
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pai.adapters.documents.gathering import Gathering, clean, reflow
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.adapters.documents.pdf_table import Cell, cells_of, table_at
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid, TooLarge

_NO_TITLES = frozenset({"untitled", "untitled document", "document", "title"})  # what programs write when nobody did
_TAIL = 2048
_HEADING_RATIO = 1.15
_HEADING_LENGTH = 120
_GAP_RATIO = 1.7
_TABLE_LINE = 200


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a page: type size in points, ``y`` of its first letter above the page's foot, its pieces if gaps part it."""

    text: str
    size: float
    y: float
    page: int
    cells: tuple[Cell, ...] = ()


def parse_pdf(data: bytes, limits: Limits) -> ParsedDocument:
    """Parse a PDF. Raises Invalid: ``encrypted``, ``truncated``, ``too_many_pages``, ``no_text``."""
    import pypdfium2
    import pypdfium2.raw as raw

    if b"%%EOF" not in data[-_TAIL:] and b"startxref" not in data[-_TAIL:]:
        # PDFium would rebuild what is left and lose pages without a word.
        raise _truncated()
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY} or "assword" in str(
            error
        ):
            raise Invalid(
                "the PDF is protected by a password", code="encrypted", hint="save a copy without the password"
            ) from None
        raise _truncated() from None
    try:
        pages = len(document)
        if pages > limits.pages:
            raise Invalid(
                f"the PDF has {pages} pages, more than {limits.pages}", code="too_many_pages", hint="split the file"
            )
        if pages == 0:
            raise _truncated()
        found = Gathering(limits)
        _gather(found, list(_lines(document, pages, limits)))
        title = document.get_metadata_value("Title") or ""
        title = "" if title.strip().lower() in _NO_TITLES else title
        return found.finish(Kind.PDF.value, pages=pages, title=title)
    except pypdfium2.PdfiumError:
        raise _truncated() from None
    finally:
        document.close()


def _truncated() -> Invalid:
    return Invalid("the PDF is damaged or cut short", code="truncated", hint="copy it again from its source")


def _lines(document: Any, pages: int, limits: Limits) -> Iterator[_Line]:
    total = 0
    for number in range(pages):
        page = document[number]
        text_page = page.get_textpage()
        try:
            count = text_page.count_chars()
            total += count
            if total > limits.characters:
                raise TooLarge("the PDF holds more text than PAI reads from one file", hint="split the file")
            yield from _lines_of(text_page, count, number + 1)
        finally:
            text_page.close()
            page.close()


def _lines_of(text_page: Any, count: int, page: int) -> Iterator[_Line]:
    import pypdfium2.raw as raw

    if not count:
        return
    # A hyphen that PDFium knows to be one of line breaking comes as U+0002 or U+FFFE.
    text = (
        text_page.get_text_range()
        .replace("\x02\r\n", "")
        .replace("\ufffe\r\n", "")
        .replace("\x02", "")
        .replace("\ufffe", "")
    )
    y = ctypes.c_double()
    x = ctypes.c_double()
    index = 0
    for part in text.split("\n"):
        stripped = part.strip()
        if stripped:
            at = index + part.index(stripped[0])
            char = min(max(raw.FPDFText_GetCharIndexFromTextIndex(text_page, at), 0), count - 1)
            size = raw.FPDFText_GetFontSize(text_page, char)
            raw.FPDFText_GetCharOrigin(text_page, char, ctypes.byref(x), ctypes.byref(y))
            cells = cells_of(text_page, part.rstrip(), index, size, count) if len(part) <= _TABLE_LINE else ()
            yield _Line(clean(part), size if size > 1 else 0.0, y.value, page, cells)
        index += len(part) + 1


def _gather(found: Gathering, lines: list[_Line]) -> None:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted({round(line.size, 1) for line in lines if line.size > body * _HEADING_RATIO}, reverse=True)
    width = max((len(line.text) for line in lines if round(line.size, 1) == body), default=0)
    paragraph: list[_Line] = []
    rows_left = 0
    for n, line in enumerate(lines):
        if rows_left:
            rows_left -= 1
            continue
        table = _table(lines, n)
        if table:
            if paragraph:
                found.paragraph(reflow([part.text for part in paragraph], width), page=paragraph[0].page)
                paragraph = []
            for row in table[1:]:
                found.row(table[0], row, page=line.page)
            rows_left = len(table) - 1
            continue
        is_heading = bool(body) and line.size > body * _HEADING_RATIO and len(line.text) <= _HEADING_LENGTH
        if paragraph and (is_heading or _breaks(paragraph[-1], line)):
            found.paragraph(reflow([part.text for part in paragraph], width), page=paragraph[0].page)
            paragraph = []
        if is_heading:
            found.heading(line.text, level=larger.index(round(line.size, 1)) + 1, page=line.page)
        else:
            paragraph.append(line)
    if paragraph:
        found.paragraph(reflow([part.text for part in paragraph], width), page=paragraph[0].page)


def _table(lines: list[_Line], n: int) -> list[list[str]]:
    if not lines[n].cells:
        return []
    same_page = itertools.takewhile(lambda line: line.page == lines[n].page and line.cells, lines[n:])
    return table_at([line.cells for line in same_page])


def _breaks(before: _Line, line: _Line) -> bool:
    if before.page != line.page:
        return True
    gap = before.y - line.y
    return gap < 0 or gap > _GAP_RATIO * max(before.size, line.size, 6.0)
