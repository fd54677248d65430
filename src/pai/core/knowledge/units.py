"""A document read as units: sentences, table rows, items of lists, headers; each with the section it stands in.

Passages are cut for the index; here they are put together again, so that a list that runs over two passages is one list and a section
keeps its heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pai.core.knowledge.sentences import sentences
from pai.core.knowledge.values import Chunk

BULLET = "- "
HEADING_LENGTH = 60
_BULLETS = re.compile(r"^[-•*–‣▪◦·]\s+")  # noqa: RUF001  a dash that lists begin with
_NUMBERED = re.compile(r"^(\d{1,2})[.)]\s+(?=\S)")
_HEADER = re.compile(
    r"^(?:(?:re|ref|subject|to|from|date|cc|betreff|betr|an|von|datum)\s*[:.]|(?:dear|sehr geehrte[rs]?|hello|hi|liebe[rs]?)\s)",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^(?:re|ref|subject|betreff|betr|patient(?:in)?(?: name)?|name|client|customer|employee|mandant|kunde|insured|tenant)\s*:",
    re.IGNORECASE,
)
_CELL = re.compile(r"; (?=[^:;]{1,60}: )")


class Shape(StrEnum):
    """How a unit stands in its document. A header (letterhead, subject line, greeting) is no answer by being near."""

    SENTENCE = "sentence"
    ROW = "row"
    ITEM = "item"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Unit:
    """``text`` stands word for word in ``chunk``. ``group`` counts lists and tables of the document from 1; 0 is none.
    ``before`` are the sentences before it in its section."""

    chunk: Chunk
    text: str
    shape: Shape
    section: str
    group: int = 0
    before: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """The (column, value) pairs of a row."""
        pairs = (cell.partition(": ") for cell in _CELL.split(self.text)) if self.shape is Shape.ROW else ()
        return tuple((name, value) if sign else ("", name) for name, sign, value in pairs)


@dataclass(slots=True)
class _Place:
    section: str = ""
    group: int = 0
    kind: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    ordinal: int = -2
    last: str = ""


def read(chunks: Sequence[Chunk]) -> list[Unit]:
    """Return the units of one document's passages, given in order; gaps between them may be left."""
    found: list[Unit] = []
    place = _Place()
    for chunk in chunks:
        _enter(place, chunk)
        lines = chunk.text.split("\n")
        steps = _steps(lines)
        for n, line in enumerate(lines):
            if n == 0 and line == place.last:
                continue  # the overlap of two passages
            found += _line(line, chunk, place, _NUMBERED.match(line) if n in steps else _BULLETS.match(line))
        place.last = (sentences(lines[-1]) or [""])[-1]
        place.ordinal = chunk.ordinal
    return found


def subject_lines(chunks: Sequence[Chunk]) -> list[str]:
    """Return the lines that say whom or what a document is about ("Re: ...", "Patient: ...")."""
    lines = (line for chunk in chunks[:2] for line in chunk.text.split("\n"))
    return [line for line in lines if _SUBJECT.match(line) and not is_row(line)]


def is_row(line: str) -> bool:
    """Return whether a line is a table row as passages hold it: ``column: value; column: value``."""
    return line.count(": ") >= 2 and "; " in line


def is_heading(line: str) -> bool:
    """Return whether a line reads as a heading: short, without a full stop or a value."""
    return len(line) <= HEADING_LENGTH and line[-1:] not in {".", "!", "?", ";", ":", ","} and ": " not in line


def _enter(place: _Place, chunk: Chunk) -> None:
    if chunk.ordinal != place.ordinal + 1:
        place.section, place.said, place.kind, place.last = chunk.heading.split(" > ")[-1], (), (), ""


def _steps(lines: Sequence[str]) -> set[int]:
    """Return which lines are items of a numbered list: those beside the line with the number before or after. Numbers of headings
    stand apart."""
    told = {n: int(match[1]) for n, line in enumerate(lines) if (match := _NUMBERED.match(line))}
    return {n for n, number in told.items() if told.get(n - 1) == number - 1 or told.get(n + 1) == number + 1}


def _line(line: str, chunk: Chunk, place: _Place, bullet: re.Match[str] | None) -> Iterator[Unit]:
    if bullet:
        yield from _grouped(line[bullet.end() :], Shape.ITEM, ("item",), chunk, place)
    elif is_row(line):
        columns = tuple(cell.partition(": ")[0] for cell in _CELL.split(line))
        yield from _grouped(line, Shape.ROW, columns, chunk, place)
    elif _HEADER.match(line) and len(sentences(line)) == 1:
        yield Unit(chunk, line, Shape.HEADER, place.section)
    elif is_heading(line):
        yield Unit(chunk, line, Shape.HEADER, place.section)
        place.section, place.said, place.kind = line, (), ()
    else:
        place.kind = ()
        for text in sentences(line):
            yield Unit(chunk, text, Shape.SENTENCE, place.section, before=place.said[-3:])
            place.said = (*place.said, text)


def _grouped(text: str, shape: Shape, kind: tuple[str, ...], chunk: Chunk, place: _Place) -> Iterator[Unit]:
    if not text:
        return
    if not place.kind or (place.kind != kind and not set(place.kind) & set(kind)):
        place.group += 1
    place.kind = tuple(dict.fromkeys((*place.kind, *kind)))
    yield Unit(chunk, text, shape, place.section, place.group, before=place.said[-1:])
