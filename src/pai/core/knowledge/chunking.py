"""Passages by structure: headings stay with what they head, pages are kept, table rows carry their column names.

Small sections that follow each other are put together, so that a passage says enough by itself; a long section is cut
between sentences, and the next passage begins with the last sentence of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pai.core.knowledge.sentences import sentences
from pai.core.knowledge.units import BULLET
from pai.core.knowledge.values import Block, Chunk, ParsedDocument
from pai.foundation.errors import Invalid
from pai.foundation.ids import new_id

TARGET = 900  # characters: about 150 words, which the embedding model reads whole
MAXIMUM = 1200
OVERLAP = 250
Path = tuple[str, ...]


@dataclass(slots=True)
class _Passage:
    page: int
    paths: list[Path] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    size: int = 0
    last_is_row: bool = False

    def add(self, line: str, path: Path) -> None:
        self.lines.append(line)
        self.size += len(line) + 1
        self.paths.append(path)

    @property
    def heading(self) -> str:
        shared = list(self.paths[0]) if self.paths else []
        for path in self.paths[1:]:
            while shared and tuple(shared) != path[: len(shared)]:
                shared.pop()
        return " > ".join(shared)


def chunk(parsed: ParsedDocument, document_id: str, *, name: str = "", subject_column: str = "") -> list[Chunk]:
    """Return the passages of a document, at most about 1200 characters each. A document without a title is headed by
    its ``name``.

    ``subjects`` of a passage are the values found in the table column named ``subject_column``. Raises Invalid
    (``no_such_column``) when no table has it: links to subjects must not get lost unnoticed.
    """
    if subject_column and not any(_names(block, subject_column) for block in parsed.blocks):
        raise Invalid(
            f"no table of the document has a column {subject_column!r}",
            code="no_such_column",
            hint="check the column's name",
        )
    passages = [
        passage for passage in _passages(parsed, parsed.title or _readable(name), subject_column) if passage.lines
    ]
    return [
        Chunk(
            new_id("chk"),
            document_id,
            n,
            p.page,
            p.heading,
            "\n".join(p.lines),
            tuple(dict.fromkeys(filter(None, p.aliases))),
        )
        for n, p in enumerate(passages)
    ]


def _readable(name: str) -> str:
    return " ".join(re.sub(r"\.[A-Za-z0-9]{1,8}$", "", name).replace("_", " ").replace("-", " ").split())[:120]


def _passages(parsed: ParsedDocument, title: str, subject_column: str) -> list[_Passage]:
    passages: list[_Passage] = [_Passage(1)]
    path: list[tuple[int, str]] = [(0, title)] if title else []
    waiting: list[str] = []  # headings that wait for their text: they are kept with what follows, never left at an end
    for block in parsed.blocks:
        if block.kind == "heading":
            if block.text != title:
                path = [(level, text) for level, text in path if level < block.level] + [(block.level, block.text)]
                waiting.append(block.text)
            continue
        names: Path = tuple(text for _, text in path)
        aliases = [value for column, value in block.cells if _same(column, subject_column)]
        for piece in _pieces(BULLET + block.text if block.kind == "list" else block.text):
            line = "\n".join([*waiting, piece])
            current = _room(passages, block, line, starts_section=bool(waiting))
            current.add(line, names)
            current.aliases += aliases
            current.last_is_row = block.kind == "row"
            waiting.clear()
    if waiting:
        _room(passages, parsed.blocks[-1], "\n".join(waiting), starts_section=True).add("\n".join(waiting), ())
    return passages


def _room(passages: list[_Passage], block: Block, line: str, *, starts_section: bool) -> _Passage:
    """Return the passage that takes ``line``: the last one, or a new one when it is full or on another page."""
    last = passages[-1]
    if not last.lines:
        last.page = block.page
        return last
    if last.page == block.page and last.size + len(line) <= TARGET:
        return last
    fresh = _Passage(block.page)
    if last.page == block.page and not starts_section and not last.last_is_row:
        tail = sentences(last.lines[-1])[-1]
        if len(tail) <= OVERLAP and len(last.lines) + len(sentences(last.lines[-1])) > 2:
            fresh.add(tail, last.paths[-1])
    passages.append(fresh)
    return fresh


def _names(block: Block, column: str) -> bool:
    return any(_same(name, column) for name, _ in block.cells)


def _same(column: str, wanted: str) -> bool:
    return bool(wanted) and column.strip().casefold() == wanted.strip().casefold()


def _pieces(text: str) -> Iterator[str]:
    """Yield ``text`` whole when it is short, else in pieces of whole sentences up to the target size."""
    if len(text) <= TARGET:
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
        rest = text
        while len(rest) > MAXIMUM:
            at = rest.rfind(" ", MAXIMUM // 2, MAXIMUM)
            at = at if at > 0 else MAXIMUM
            yield rest[:at].strip()
            rest = rest[at:].strip()
        if rest:
            yield rest
