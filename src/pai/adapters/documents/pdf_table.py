"""Tables of a PDF. The format knows none: lines whose words stand in columns under a line of names are taken as one.

Only plain tables are seen: one line per row. Cells that run over several lines are left as text.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pai.adapters.documents.gathering import clean
from pai.adapters.documents.table import looks_like_header

_GAP = 1.1  # of the type size: wider than any space between words, justified lines apart
_NEAR = 1.0
_ROWS = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a line, from ``left`` to ``right`` in points."""

    text: str
    left: float
    right: float


def cells_of(text_page: Any, text: str, start: int, size: float, count: int) -> tuple[Cell, ...]:
    """Return the pieces of a line that wide gaps set apart; ``start`` is where it begins in the page's text."""
    cuts: list[tuple[int, float, float]] = []
    for at, sign in enumerate(text):
        if sign == " " and 0 < at < len(text) - 1:
            before, after = (
                _box(text_page, start + at - 1, count),
                _box(text_page, start + at + 1, count),
            )
            if after[0] - before[1] > _GAP * max(size, 4.0):
                cuts.append((at, before[1], after[0]))
    if not cuts:
        return ()
    left = _box(text_page, start, count)[0]
    cells: list[Cell] = []
    begin = 0
    for at, right, following in [*cuts, (len(text), _box(text_page, start + len(text.rstrip()) - 1, count)[1], 0.0)]:
        cells.append(Cell(clean(text[begin:at]), left, right))
        begin, left = at + 1, following
    return tuple(cell for cell in cells if cell.text)


def table_at(lines: Sequence[tuple[Cell, ...]]) -> list[list[str]]:
    """Return the rows (names first) of the table that begins with the first of ``lines``, or nothing."""
    header = lines[0] if lines else ()
    names = [cell.text for cell in header]
    if not looks_like_header(names) or any(sign.isdigit() for name in names for sign in name):
        return []
    rows: list[list[str]] = []
    for line in lines[1:]:
        row = _under(header, line)
        if not row:
            break
        rows.append(row)
    return [names, *rows] if len(rows) >= _ROWS else []


def _under(header: Sequence[Cell], line: Sequence[Cell]) -> list[str]:
    if len(line) < 2 or len(line) > len(header):
        return []
    row = [""] * len(header)
    last = -1
    for cell in line:
        column = min(range(len(header)), key=lambda n: _distance(header[n], cell))
        if column <= last or _distance(header[column], cell) > _NEAR * 12:
            return []
        row[column] = cell.text
        last = column
    return row


def _distance(name: Cell, cell: Cell) -> float:
    # Left, right or middle of a column may be what is in line.
    middles = abs((name.left + name.right) - (cell.left + cell.right)) / 2
    return min(abs(name.left - cell.left), abs(name.right - cell.right), middles)


def _box(text_page: Any, at: int, count: int) -> tuple[float, float]:
    import pypdfium2.raw as raw

    char = min(max(raw.FPDFText_GetCharIndexFromTextIndex(text_page, at), 0), count - 1)
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(
        text_page, char, ctypes.byref(left), ctypes.byref(right), ctypes.byref(bottom), ctypes.byref(top)
    )
    return left.value, right.value
