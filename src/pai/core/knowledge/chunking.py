"""Passages by structure: headings stay with what they head, pages are kept, table rows carry their column names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pai.core.knowledge.values import Block, Chunk, ParsedDocument
from pai.foundation.ids import new_id

TARGET = 900
MAXIMUM = 1200
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")
_ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|No|Nr|St|vs|e\.g|i\.e|etc|approx|Inc|Ltd)\.$")


def sentences(text: str) -> list[str]:
    """Split text into sentences, each verbatim; known abbreviations do not end one."""
    found: list[str] = []
    for line in text.split("\n"):
        for piece in _SENTENCE.split(line.strip()):
            if found and found[-1] and _ABBREVIATION.search(found[-1]):
                found[-1] += " " + piece
            elif piece:
                found.append(piece)
        if found and found[-1]:
            found.append("")
    return [sentence for sentence in found if sentence]


@dataclass(slots=True)
class _Passage:
    page: int
    heading: str
    lines: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(line) + 1 for line in self.lines)


def chunk(parsed: ParsedDocument, document_id: str, *, subject_column: str = "") -> list[Chunk]:
    """Return the passages of a document, at most about 1200 characters each. ``subjects`` of a passage are the values found in the
    column named ``subject_column``."""
    passages: list[_Passage] = []
    path: list[tuple[int, str]] = []
    for block in parsed.blocks:
        if block.kind == "heading":
            path = [(level, text) for level, text in path if level < block.level] + [(block.level, block.text)]
            continue
        heading = " > ".join(text for _, text in path)
        for text in _pieces(_row_text(block)):
            last = passages[-1] if passages else None
            if last is None or last.page != block.page or last.heading != heading or last.size + len(text) > TARGET:
                last = _Passage(block.page, heading)
                passages.append(last)
            last.lines.append(text)
            last.aliases += [value for column, value in block.cells if subject_column and column.lower() == subject_column.lower()]
    if not passages and path:
        passages.append(_Passage(1, "", [text for _, text in path]))
    return [
        Chunk(new_id("chk"), document_id, n, p.page, p.heading, "\n".join(p.lines), tuple(dict.fromkeys(filter(None, p.aliases))))
        for n, p in enumerate(passages)
    ]


def _row_text(block: Block) -> str:
    if not block.cells:
        return block.text
    return "; ".join(f"{column}: {value}" if column else value for column, value in block.cells if value)


def _pieces(text: str) -> Iterator[str]:
    if len(text) <= MAXIMUM:
        if text.strip():
            yield text.strip()
        return
    held = ""
    for sentence in _hard_cut(sentences(text)):
        if held and len(held) + len(sentence) > TARGET:
            yield held
            held = ""
        held = f"{held} {sentence}".strip()
    if held:
        yield held


def _hard_cut(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for at in range(0, len(text), MAXIMUM):
            yield text[at : at + MAXIMUM]
