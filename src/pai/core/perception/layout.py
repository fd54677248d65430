"""In which order lines are read, and which of them belong together: by where they stand alone.

After the recursive cut along white space (Nagy and Seth, Hierarchical representation of optically scanned documents, ICPR 1984).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pai.core.perception.values import Line, Page

_COLUMN: float = 7.0
"""Widths of a line in its heights from which on it is running text: narrower things side by side are a table, and read across."""
_GUTTER: float = 0.8
_PARAGRAPH: float = 1.0
"""White between two lines of one paragraph, in heights of a line, at most."""
_DEEPEST: int = 40


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line as it stands on the page once that is made level."""

    line: Line
    left: float
    right: float
    top: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def in_order(page: Page) -> tuple[Line, ...]:
    """Return a page's lines in the order in which they are read: columns one after another, rows from left to right."""
    return tuple(placed.line for row in _rows(page) for placed in row)


def paragraphs(page: Page) -> list[str]:
    """Return the text of a page in reading order, cut where more white stands between two rows than within a paragraph."""
    found: list[list[str]] = []
    before: _Placed | None = None
    for row in _rows(page):
        text = "  ".join(placed.line.text for placed in row)
        first = row[0]
        height = max(first.height, before.height) if before else 0.0
        near = before is not None and -height < first.top - before.bottom <= _PARAGRAPH * height
        if near and before is not None and abs(first.height - before.height) < height / 2:
            found[-1].append(text)
        else:
            found.append([text])
        before = first
    return ["\n".join(lines) for lines in found]


def _rows(page: Page) -> list[list[_Placed]]:
    lean = statistics.median(_lean(line) for line in page.lines) if page.lines else 0.0
    return list(_cut([_level(line, lean) for line in page.lines], 0))


def _lean(line: Line) -> float:
    """Return the angle of a line that runs along the page; a few that run down it do not count."""
    (ax, ay), (bx, by), _, _ = line.box
    angle = math.atan2(by - ay, bx - ax)
    return angle if abs(angle) < math.pi / 4 else 0.0


def _level(line: Line, lean: float) -> _Placed:
    cos, sin = math.cos(-lean), math.sin(-lean)
    xs = [x * cos - y * sin for x, y in line.box]
    ys = [x * sin + y * cos for x, y in line.box]
    # Of a line that leans a little more than the page, the corners reach into its neighbours: its own height does not.
    (ax, ay), _, _, (dx, dy) = line.box
    middle, half = (min(ys) + max(ys)) / 2, min(math.hypot(dx - ax, dy - ay), max(ys) - min(ys)) / 2
    return _Placed(line, min(xs), max(xs), middle - half, middle + half)


def _cut(placed: Sequence[_Placed], depth: int) -> Iterable[list[_Placed]]:
    if len(placed) < 2 or depth >= _DEEPEST:
        return _across(placed)
    height = statistics.median(one.height for one in placed)
    columns = _parted(placed, lambda one: (one.left, one.right), _GUTTER * height)
    if len(columns) > 1 and all(_running(column) for column in columns):
        return [row for column in columns for row in _cut(column, depth + 1)]
    bands = _parted(placed, lambda one: (one.top, one.bottom), 0.0)
    if len(bands) == 1:
        return _across(placed)
    # What runs over several columns parts the page: try above and below the widest white first.
    gaps = [min(o.top for o in below) - max(o.bottom for o in above) for above, below in itertools.pairwise(bands)]
    at = max(range(len(gaps)), key=lambda n: gaps[n]) + 1
    above = [one for band in bands[:at] for one in band]
    below = [one for band in bands[at:] for one in band]
    return [*_cut(above, depth + 1), *_cut(below, depth + 1)]


def _running(column: Sequence[_Placed]) -> bool:
    return (
        len(column) > 1
        and statistics.median((one.right - one.left) / max(one.height, 1.0) for one in column) >= _COLUMN
    )


def _parted(
    placed: Sequence[_Placed], span: Callable[[_Placed], tuple[float, float]], white: float
) -> list[list[_Placed]]:
    """Return groups with more than ``white`` between them."""
    ordered = sorted(placed, key=lambda one: span(one)[0])
    groups, end = [[ordered[0]]], span(ordered[0])[1]
    for one in ordered[1:]:
        start, stop = span(one)
        if start - end > white:
            groups.append([])
        groups[-1].append(one)
        end = max(end, stop)
    return groups


def _across(placed: Sequence[_Placed]) -> list[list[_Placed]]:
    """Return rows from top to bottom, each from left to right: one row is what overlaps by more than half a height."""
    rows: list[list[_Placed]] = []
    for one in sorted(placed, key=lambda one: one.middle):
        if (
            rows
            and abs(one.middle - statistics.fmean(o.middle for o in rows[-1])) < min(one.height, rows[-1][0].height) / 2
        ):
            rows[-1].append(one)
        else:
            rows.append([one])
    return [sorted(row, key=lambda one: one.left) for row in rows]
