"""Text on a page: where it stands, what it says, in which order it is read.

The two networks come as functions, so that this room knows pixels only: ``detect`` takes float32 [1, 3, height, width] (sides are
multiples of 32) and gives a map [height, width]; ``recognise`` takes [n, 3, 48, width] and gives [n, steps, characters].
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pai.adapters.pictures.text_boxes import Rectangle, boxes_in

_LEAST_SIDE: Final = 736
_MOST_SIDE: Final = 1600
"""Of what the detector sees; lines are then cut from the page as it is."""
_LINE_HEIGHT: Final = 48
_NARROWEST: Final = 320
_WIDEST: Final = 4800
_BATCH_PIXELS: Final = 6 * 48 * 1200
_WORTH: Final = 0.5
"""Below this confidence a line is taken for no text."""
_SAMPLE: Final = 8
_PLAIN: Final = 0.9
"""Lines that are read with this confidence are upright."""
_FEW: Final = 4
_SPACE: Final = 6.0
"""Columns of a line 48 pixels high: no space is narrower."""
_MUCH: Final = 2.5
_FIGURES: Final = 1.6
_CLOSES: Final = frozenset(".,;:!?)%")
_SPACELESS: Final = "\u2e80"
"""From here on stand the scripts of East Asia."""
Run = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """Two networks and what their outputs stand for: ``characters[0]`` is no character."""

    detect: Run
    recognise: Run
    characters: Sequence[str]


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line: its text, how sure of it the model is (0 to 1), and where it stands."""

    text: str
    confidence: float
    box: Rectangle


@dataclass(frozen=True, slots=True)
class TextPage:
    """A page made upright by ``turned`` degrees clockwise; lines in the order they were found."""

    width: int
    height: int
    turned: int
    lines: tuple[TextLine, ...]


def read_page(picture: Any, reader: Reader) -> TextPage:
    """Read an upright, sideways or overturned page (an image of the imaging library, RGB), each line at its own angle."""
    boxes = _boxes(picture, reader)
    if not boxes:
        return TextPage(picture.width, picture.height, 0, ())
    turned = _turned(picture, boxes, reader)
    if turned:
        picture = picture.rotate(-turned, expand=True)
        boxes = _boxes(picture, reader)
    read = _recognised([_cut(picture, box) for box in boxes], reader)
    lines = tuple(
        TextLine(text, sure, box) for box, (text, sure) in zip(boxes, read, strict=True) if text and sure >= _WORTH
    )
    return TextPage(picture.width, picture.height, turned, lines)


def _boxes(picture: Any, reader: Reader) -> list[Rectangle]:
    width, height = picture.size
    scale = max(1.0, _LEAST_SIDE / min(width, height))
    scale = min(scale, _MOST_SIDE / max(width, height))
    seen = [max(32, round(side * scale / 32) * 32) for side in (width, height)]
    pixels = np.asarray(picture.resize(seen), np.float32)
    if pixels.std() < 1.0:
        return []  # a page of one colour
    ink = reader.detect(((pixels / 127.5) - 1.0).transpose(2, 0, 1)[None])
    return [box.scaled(width / seen[0], height / seen[1]) for box in boxes_in(ink)]


def _turned(picture: Any, boxes: Sequence[Rectangle], reader: Reader) -> int:
    """Return by how many degrees clockwise the page has to be turned: as most of its length of text runs, the way that reads best."""
    long = sorted((box for box in boxes if box.width > 2 * box.height), key=lambda box: -box.width) or list(boxes)
    downwards = sum(box.width if abs(box.angle) > math.pi / 4 else -box.width for box in long) > 0
    sample = [box for box in long if (abs(box.angle) > math.pi / 4) == downwards][:_SAMPLE]
    cuts = [_cut(picture, box) for box in sample]
    first = _mean(_recognised(cuts, reader))
    # A line that runs down was cut as if it began above: read so, the page has to be turned back by a quarter.
    usual, other = (270, 90) if downwards else (0, 180)
    if first >= _PLAIN:
        return usual
    second = _mean(_recognised([cut.rotate(180) for cut in cuts], reader))
    return other if second > first else usual


def _mean(read: Sequence[tuple[str, float]]) -> float:
    """Return the mean confidence, by length: an overturned line is short and doubtful."""
    letters = sum(len(text) for text, _ in read)
    return sum(len(text) * sure for text, sure in read) / letters if letters else 0.0


def _cut(picture: Any, box: Rectangle) -> Any:
    """Return a line as a picture of its own, its text running to the right."""
    width, height = max(1, round(box.width)), max(1, round(box.height))
    (x0, y0), (x1, y1), _, (x3, y3) = box.corners
    # Output (u, v) comes from x0 + u * (x1 - x0) / width + v * (x3 - x0) / height, and y alike.
    across, down = ((x1 - x0) / width, (y1 - y0) / width), ((x3 - x0) / height, (y3 - y0) / height)
    affine = (across[0], down[0], x0, across[1], down[1], y0)
    return picture.transform((width, height), 0, affine, 2, fillcolor="white")  # 0: affine, 2: bilinear


def _recognised(cuts: Sequence[Any], reader: Reader) -> list[tuple[str, float]]:
    """Return text and confidence of each line, read together with lines of like length."""
    widths = [min(_WIDEST, max(8, math.ceil(cut.width * _LINE_HEIGHT / cut.height))) for cut in cuts]
    found: list[tuple[str, float]] = [("", 0.0)] * len(cuts)
    batch: list[int] = []
    for n in sorted(range(len(cuts)), key=lambda n: widths[n]):
        if batch and (len(batch) + 1) * _LINE_HEIGHT * max(widths[n], _NARROWEST) > _BATCH_PIXELS:
            _read_batch(batch, cuts, widths, reader, found)
            batch = []
        batch.append(n)
    if batch:
        _read_batch(batch, cuts, widths, reader, found)
    return found


def _read_batch(
    batch: Sequence[int], cuts: Sequence[Any], widths: Sequence[int], reader: Reader, found: list[tuple[str, float]]
) -> None:
    widest = max(_NARROWEST, *(widths[n] for n in batch)) if len(batch) > 1 else max(_NARROWEST, widths[batch[0]])
    pixels = np.zeros((len(batch), 3, _LINE_HEIGHT, widest), np.float32)
    for row, n in enumerate(batch):
        line = np.asarray(cuts[n].resize((widths[n], _LINE_HEIGHT), 2), np.float32)
        pixels[row, :, :, : widths[n]] = (line / 127.5 - 1.0).transpose(2, 0, 1)
    for n, steps in zip(batch, reader.recognise(pixels), strict=True):
        text, sure, at = _decoded(steps, reader.characters)
        places = [step * widest / len(steps) for step in at]
        found[n] = (
            _spaced(text, places, np.asarray(cuts[n].resize((widths[n], _LINE_HEIGHT), 2).convert("L"), np.float32)),
            sure,
        )


def _decoded(steps: Any, characters: Sequence[str]) -> tuple[str, float, list[int]]:
    """Return the best path of connectionist temporal classification, the mean confidence in it, and the step of each character: repeats
    are one, class 0 parts them."""
    best = steps.argmax(axis=1)
    kept = [n for n, at in enumerate(best) if at and (n == 0 or at != best[n - 1])]
    if not kept:
        return "", 0.0, []
    return "".join(characters[best[n]] for n in kept), float(np.mean([steps[n, best[n]] for n in kept])), kept


def _spaced(text: str, places: Sequence[float], line: Any) -> str:
    """Return a text with the spaces that the network left out: it does where a scan's compression blurs them. A space is where much more
    white stands between two letters of a script that has spaces than usually stands between letters of this line."""
    if len(text) < _FEW or len(text) != len(places):
        return text.strip()
    paper, ink = np.percentile(line, (85, 2))
    white = line.min(axis=0) > paper - 0.4 * (paper - ink)
    gaps = [_widest(white[int(a) : int(b) + 1]) for a, b in itertools.pairwise(places)]
    usual = float(np.median(gaps))
    made = [text[0]]
    for before, after, gap in zip(text, text[1:], gaps, strict=False):
        # Figures are all set as wide as the widest of them: more white stands around a 1.
        figures = before.isdigit() and after.isdigit()
        wide = gap > max(_SPACE, _MUCH * usual) * (_FIGURES if figures else 1)
        if (
            wide
            and (before.isalnum() or before in _CLOSES)
            and (after.isalnum() or after == "(")
            and max(before, after) < _SPACELESS
        ):
            made.append(" ")
        made.append(after)
    return "".join(made).strip()


def _widest(white: Any) -> int:
    """Return the longest run of columns that are white."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], white.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
