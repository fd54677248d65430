"""Word documents: headings by style, paragraphs, lists, tables and the text of page headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO
from zipfile import BadZipFile

from pai.adapters.documents.gathering import Gathering, clean
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.adapters.documents.table import gather_rows
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.table import Table
    from docx.text.paragraph import Paragraph

_LABEL_LENGTH = 40


def parse_word(file: BinaryIO, limits: Limits) -> ParsedDocument:
    """Parse a document whose archive was checked. Pages follow the breaks that the last program that laid it out has
    kept."""
    from docx import Document
    from docx.opc.exceptions import OpcError
    from docx.text.paragraph import Paragraph
    from lxml.etree import XMLSyntaxError

    try:
        document = Document(file)
        found = Gathering(limits)
        _page_headers(found, document)
        page = 1
        for piece in document.iter_inner_content():
            if isinstance(piece, Paragraph):
                _paragraph(found, piece, page)
                page += len(piece.rendered_page_breaks)
            else:
                _table(found, piece, page)
        title = str(document.core_properties.title or "")
    except (OpcError, XMLSyntaxError, BadZipFile, KeyError, ValueError, AttributeError):
        # What these libraries raise on parts that are missing or not what they should be.
        raise Invalid(
            "the file is damaged or cut short", code="truncated", hint="open and save it in an office program"
        ) from None
    if page > limits.pages:
        raise Invalid(f"the document has more than {limits.pages} pages", code="too_many_pages", hint="split the file")
    return found.finish(Kind.WORD.value, pages=page, title=title)


def _page_headers(found: Gathering, document: WordDocument) -> None:
    seen: set[str] = set()
    for section in document.sections:
        text = "\n".join(paragraph.text for paragraph in section.header.paragraphs if paragraph.text.strip())
        if text and text not in seen:
            seen.add(text)
            found.paragraph(text)


def _paragraph(found: Gathering, paragraph: Paragraph, page: int) -> None:
    style = paragraph.style
    name = (style.name or "" if style is not None else "").lower()
    identifier = (style.style_id or "" if style is not None else "").lower()
    if name in {"title", "subtitle"}:
        found.heading(paragraph.text, level=1 if name == "title" else 2, page=page)
    elif name.startswith("heading") or identifier.startswith("heading"):
        digits = [int(c) for c in name + identifier if c.isdigit()]
        found.heading(paragraph.text, level=digits[0] if digits else 1, page=page)
    else:
        found.paragraph(paragraph.text, page=page, kind="list" if name.startswith("list") else "paragraph")


def _table(found: Gathering, table: Table, page: int) -> None:
    rows: list[list[str]] = []
    for row in table.rows:
        cells: list[str] = []
        last: object = None
        for cell in row.cells:
            element = getattr(cell, "_tc", cell)  # merged cells come several times; they share one element
            cells.append("" if element is last else clean(cell.text))
            last = element
        rows.append(cells)
    rows = [row for row in rows if any(row)]
    if rows and all(len(row) == 2 for row in rows) and _is_form(rows):
        for name, value in rows:
            found.row([name.rstrip(":")], [value], page=page)
    else:
        gather_rows(found, rows, page=page)


def _is_form(rows: list[list[str]]) -> bool:
    # A two-column table of labels and values has no header row: its labels end in a colon, or its first value is not a
    # name.
    labels = [row[0] for row in rows if row[0]]
    return bool(labels) and (
        all(label.endswith(":") for label in labels)
        or (all(len(label) <= _LABEL_LENGTH for label in labels) and any(c.isdigit() for c in rows[0][1]))
    )
