"""Tables: which row is the header, and comma-separated files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from pai.adapters.documents.gathering import Gathering
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import TooLarge

_NUMBER = re.compile(r"^[-+(]?[\d.,'\s]+[%)]?$")
_SAMPLE = 16_384
_SEARCHED_ROWS = 20


def looks_like_header(row: Sequence[str]) -> bool:
    """Return whether a row reads as column names: two or more different short texts, none of them a number."""
    names = [cell.strip() for cell in row if cell.strip()]
    return (
        len(names) >= 2
        and len(set(names)) == len(names)
        and all(len(name) <= 60 and not _NUMBER.match(name) for name in names)
    )


def numbered(count: int) -> list[str]:
    """Return stand-in names for a table without a header."""
    return [f"Column {number}" for number in range(1, count + 1)]


def gather_rows(found: Gathering, rows: Sequence[Sequence[str]], *, page: int = 1) -> None:
    """Add the rows of one table: what stands above the header as text, then each row under its column names."""
    start = next((n for n, row in enumerate(rows[:_SEARCHED_ROWS]) if looks_like_header(row)), None)
    width = max((len(row) for row in rows), default=0)
    header = numbered(width)
    if start is not None:
        header = [cell.strip() for cell in rows[start]] + numbered(width)[len(rows[start]) :]
        for row in rows[:start]:
            found.paragraph(" ".join(cell for cell in row if cell.strip()), page=page)
    for row in rows[0 if start is None else start + 1 :]:
        found.row(header, row, page=page)


def parse_csv(text: str, limits: Limits) -> ParsedDocument:
    """Parse a delimited file; the delimiter (comma, semicolon, tab or bar) is told from a sample."""
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:_SAMPLE], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(limits.cell_characters)
    rows: list[list[str]] = []
    cells = 0
    try:
        for row in csv.reader(io.StringIO(text), dialect):
            cells += len(row)
            if cells > limits.cells:
                raise TooLarge(f"the table has more than {limits.cells} cells", hint="split the file")
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        raise TooLarge(f"a field cannot be read: {error}", hint="split the cell, or check the quotes") from None
    found = Gathering(limits)
    gather_rows(found, rows)
    return found.finish(Kind.CSV.value)
