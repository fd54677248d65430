"""Workbooks: each sheet is a page, each row its cells by column name. Formulas give the value that was stored with
them."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile

from pai.adapters.documents.gathering import Gathering
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.adapters.documents.table import gather_rows
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid, TooLarge

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

_DECIMALS = re.compile(r"0\.(0+)")
_EMPTY_RUN = 1_000


def parse_workbook(file: BinaryIO, limits: Limits) -> ParsedDocument:
    """Parse a workbook whose archive was checked. Links to other workbooks are not kept, let alone followed."""
    import mimetypes
    import warnings
    from xml.etree.ElementTree import ParseError

    # openpyxl asks for media types while it is imported; without this, that reads files of the system, which the walls refuse.
    mimetypes.knownfiles.clear()
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    found = Gathering(limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # the library warns about styles that it leaves out; they do not matter here
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            try:
                pages = _sheets(found, book, limits)
            finally:
                book.close()
    except (InvalidFileException, BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError):
        # What the library raises on parts that are missing or not what they should be.
        raise Invalid(
            "the file is damaged or cut short", code="truncated", hint="open and save it in an office program"
        ) from None
    return found.finish(Kind.WORKBOOK.value, pages=pages)


def _sheets(found: Gathering, book: Workbook, limits: Limits) -> int:
    page = 0
    cells = 0
    for sheet in book.worksheets:
        page += 1
        if page > limits.pages:
            raise Invalid(
                f"the workbook has more than {limits.pages} sheets", code="too_many_pages", hint="split the file"
            )
        found.heading(sheet.title, level=1, page=page)
        # Some programs declare a sheet as large as the format allows; the rows themselves tell the truth.
        getattr(sheet, "reset_dimensions", lambda: None)()
        rows: list[list[str]] = []
        empty = 0
        for row in sheet.iter_rows():
            cells += len(row)
            if cells > limits.cells:
                raise TooLarge(f"the workbook has more than {limits.cells} cells", hint="split the file")
            texts = [_text(cell) for cell in row]
            if any(texts):
                rows.append(texts)
                empty = 0
            else:
                empty += 1
                if empty > _EMPTY_RUN:
                    break
        gather_rows(found, rows, page=page)
    return page


def _text(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    if isinstance(value, int | float):
        return _number(value, str(getattr(cell, "number_format", "") or ""))
    return str(value).strip()


def _number(value: float, shown_as: str) -> str:
    decimals = _DECIMALS.search(shown_as)
    if "%" in shown_as:
        return f"{value * 100:.{len(decimals.group(1)) if decimals else 0}f}%"
    if decimals:
        return f"{value:.{len(decimals.group(1))}f}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value) if isinstance(value, int) else f"{value:.10g}"
