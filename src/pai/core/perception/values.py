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


@dataclass(frozen=True, slots=True)
class Segment:
    """Something that was said, from ``start`` to ``end`` in seconds of the recording. ``logprob`` is the mean natural log-probability of
    a token of its window, ``silence`` how likely the model finds it that nothing was said there."""

    start: float
    end: float
    text: str
    logprob: float
    silence: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a part of a recording of ``total`` seconds, which has been listened to until ``until``. ``language`` is a code of
    ISO 639-1, empty while nothing was said."""

    segments: tuple[Segment, ...]
    until: float
    total: float
    language: str


@dataclass(frozen=True, slots=True)
class Wish:
    """How a recording is to be listened to. ``language`` is a code of ISO 639-1, empty to have it found; ``translate``: into English;
    ``prompt`` is text that might have come before, for names and spelling."""

    language: str = ""
    translate: bool = False
    prompt: str = ""
    temperature: float = 0.0
