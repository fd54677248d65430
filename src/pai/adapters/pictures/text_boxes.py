"""Where text stands: from the map of a differentiable-binarisation detector (Liao et al., arXiv:1911.08947) to turned rectangles.

Numbers are pixels, x to the right and y down; a rectangle is four corners, clockwise from the one where its text begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

_INK: Final = 0.3
_SURE: Final = 0.5
_GROWN: Final = 1.6
"""How much smaller than their text the detector was taught to draw regions; rectangles grow by area / outline times this."""
_THINNEST: Final = 3.0
_MOST_BOXES: Final = 2000
_UPRIGHT: Final = 1.5
"""From this height per width on, a line runs down the page."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A turned rectangle: its middle, its size along and across the text, and the angle of the text in radians (down is positive)."""

    x: float
    y: float
    width: float
    height: float
    angle: float

    @property
    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Top left, top right, bottom right, bottom left, as the text sees it."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        half = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        sides = ((a * self.width / 2, b * self.height / 2) for a, b in half)
        found = [(self.x + dx * cos - dy * sin, self.y + dx * sin + dy * cos) for dx, dy in sides]
        return found[0], found[1], found[2], found[3]

    def scaled(self, across: float, down: float) -> Rectangle:
        """Return it in a picture that is larger by these factors (nearly alike)."""
        mean = (across + down) / 2
        return Rectangle(self.x * across, self.y * down, self.width * mean, self.height * mean, self.angle)


def boxes_in(ink: Any) -> list[Rectangle]:
    """Return rectangles around text; ``ink`` is the detector's map, float [height, width] of 0 to 1."""
    sums = np.concatenate([np.zeros((ink.shape[0], 1), np.float32), np.cumsum(ink, axis=1, dtype=np.float32)], axis=1)
    found = []
    for runs in _regions(ink > _INK):
        total = sum(float(sums[row, end] - sums[row, start]) for row, start, end in runs)
        points = [
            point for row, start, end in runs for point in ((start, row), (end, row), (start, row + 1), (end, row + 1))
        ]
        box = _least(_hull(points))
        area = box.width * box.height
        if min(box.width, box.height) < _THINNEST or total / max(area, 1.0) < _SURE:
            continue
        grow = 2 * area * _GROWN / (2 * (box.width + box.height))
        found.append(Rectangle(box.x, box.y, box.width + grow, box.height + grow, box.angle))
    return found[:_MOST_BOXES]


def _regions(mask: Any) -> Iterator[list[tuple[int, int, int]]]:
    """Yield connected regions as runs (row, start, end after the last)."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    starts, ends = np.argwhere(steps == 1), np.argwhere(steps == -1)
    runs = [(int(row), int(start), int(end)) for (row, start), (_, end) in zip(starts, ends, strict=True)]
    parent = list(range(len(runs)))

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = parent[parent[of]]
            of = parent[of]
        return of

    above = 0
    for n, (row, start, end) in enumerate(runs):
        while runs[above][0] < row - 1:
            above += 1
        at = above
        while runs[at][0] == row - 1:
            if runs[at][1] <= end and start <= runs[at][2]:  # corners touch
                parent[root(at)] = root(n)
            at += 1
    together: dict[int, list[tuple[int, int, int]]] = {}
    for n, run in enumerate(runs):
        together.setdefault(root(n), []).append(run)
    yield from together.values()


def _hull(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the convex hull (Andrew's monotone chain)."""
    ordered = sorted(set(points))

    def half(along: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        chain: list[tuple[int, int]] = []
        for x, y in along:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (y - ay) > (by - ay) * (x - ax):
                    break
                chain.pop()
            chain.append((x, y))
        return chain[:-1]

    return half(ordered) + half(ordered[::-1])


def _least(hull: Sequence[tuple[int, int]]) -> Rectangle:
    """Return the rectangle of least area: one of its sides lies on a side of the hull. Its text is taken to run along the page, or down
    it where the rectangle is much higher than wide."""
    corners = np.array(hull, np.float64)
    sides = np.roll(corners, -1, axis=0) - corners
    angles = np.unique(np.mod(np.arctan2(sides[:, 1], sides[:, 0]), math.pi / 2))
    along = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    across = np.stack([-np.sin(angles), np.cos(angles)], axis=1)
    a, b = along @ corners.T, across @ corners.T
    widths, heights = a.max(1) - a.min(1), b.max(1) - b.min(1)
    best = int(np.argmin(widths * heights))
    middle = along[best] * (a[best].max() + a[best].min()) / 2 + across[best] * (b[best].max() + b[best].min()) / 2
    width, height, angle = float(widths[best]), float(heights[best]), float(angles[best])
    if angle > math.pi / 4:
        width, height, angle = height, width, angle - math.pi / 2
    if height > _UPRIGHT * width:
        width, height, angle = height, width, angle + math.pi / 2
    return Rectangle(float(middle[0]), float(middle[1]), width, height, angle)
