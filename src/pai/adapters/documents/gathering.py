"""Gathers blocks while counting, so that no format can grow past the limits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pai.adapters.documents.limits import Limits
from pai.core.knowledge.values import Block, ParsedDocument
from pai.foundation.errors import Invalid, TooLarge

# C0/C1 controls, zero-width and bidirectional format characters: they hide text from a reader but not from a model.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00a0": " "}
)
_FULL = 0.85
_SPACES = re.compile(r"[ \t\r\f\v\u2000-\u200a\u202f\u3000]+")


def clean(text: str) -> str:
    """Return ``text`` as one line in NFC: invisible characters dropped, runs of white space made one space."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text).translate(_LIGATURES))
    return _SPACES.sub(" ", text.replace("\n", " ")).strip()


def clean_lines(text: str) -> str:
    """Return ``text`` with each line cleaned and empty lines dropped."""
    return "\n".join(line for line in (clean(part) for part in text.split("\n")) if line)


def reflow(lines: Sequence[str], width: int) -> str:
    """Return lines with those joined that were only wrapped: a line is, when the next word would not have fitted
    into ``width``."""
    out: list[str] = []
    last = ""
    for line in lines:
        if last and len(last) + 1 + len(line.split(" ", 1)[0]) > _FULL * width:
            out[-1] = f"{out[-1]} {line}"
        else:
            out.append(line)
        last = line
    return "\n".join(out)


class Gathering:
    """The blocks found so far. Every method raises TooLarge once a limit is passed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._characters = 0
        self._cells = 0
        self._blocks: list[Block] = []

    def heading(self, text: str, *, level: int, page: int = 1) -> None:
        """Add a heading of ``level`` 1 to 6."""
        self._add(Block("heading", clean(text)[:300], page, max(1, min(level, 6))))

    def paragraph(self, text: str, *, page: int = 1, kind: str = "paragraph") -> None:
        """Add running text; ``kind`` may be ``list`` for an item of a list."""
        self._add(Block(kind, clean_lines(text), page))

    def row(self, header: Sequence[str], values: Sequence[str], *, page: int = 1) -> None:
        """Add a table row as ``column: value`` pairs; empty cells are left out."""
        self._cells += len(values)
        if self._cells > self._limits.cells:
            raise TooLarge(f"the table has more than {self._limits.cells} cells", hint="split the file")
        if len(values) > self._limits.columns:
            raise TooLarge(f"the table has more than {self._limits.columns} columns", hint="split the file")
        if any(len(value) > self._limits.cell_characters for value in values):
            raise TooLarge(f"a cell holds more than {self._limits.cell_characters} characters", hint="split the cell")
        pairs = ((clean(name), clean(value)) for name, value in zip(header, values, strict=False))
        cells = tuple((name, value) for name, value in pairs if value)
        self._add(
            Block("row", "; ".join(f"{name}: {value}" if name else value for name, value in cells), page, 0, cells)
        )

    def _add(self, block: Block) -> None:
        if not block.text:
            return
        self._characters += len(block.text)
        if self._characters > self._limits.characters or len(self._blocks) >= self._limits.blocks:
            raise TooLarge("the document holds more text than PAI reads from one file", hint="split the file")
        self._blocks.append(block)

    def finish(self, media_type: str, *, pages: int = 1, title: str = "") -> ParsedDocument:
        """Return the document. Raises Invalid (``no_text``) when nothing readable was found."""
        if not self._blocks:
            raise Invalid(
                "the document holds no text", code="no_text",
                hint="a scanned document has to go through text recognition (OCR) first",
            )  # fmt: skip
        return ParsedDocument(media_type, max(pages, 1), tuple(self._blocks), clean(title)[:200])
