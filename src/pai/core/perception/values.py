"""Values of the perception room."""

from __future__ import annotations

from dataclasses import dataclass

Point = tuple[float, float]
Box = tuple[Point, Point, Point, Point]
"""Corners in pixels, x to the right and y down, clockwise from where the text begins."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text in a picture; ``confidence`` is the model's own, 0 to 1, and no probability of being right."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was looked at, counted from 1, ``of`` so many. Sizes and boxes are pixels of the page made upright, for which it was
    ``turned`` so many degrees clockwise."""

    number: int
    of: int
    width: int
    height: int
    turned: int
    lines: tuple[Line, ...]
