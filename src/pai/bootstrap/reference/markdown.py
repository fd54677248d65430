"""Pieces of Markdown that every page of the reference is made of."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Final

from markdown_it.common.utils import escapeHtml

_ROLE: Final = re.compile(r":class:`([^`]+)`")


def document(title: str, source: str, *parts: str) -> str:
    """Return a whole page. ``source`` names the code that it is made from."""
    notice = f"<!-- Made from {source} by `make docs`. Change the code, not this file. -->"
    return "\n\n".join([f"# {title}", notice, *(part.strip("\n") for part in parts if part)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or nothing when it has no rows."""
    lines = [_row(row) for row in rows]
    return "\n".join([_row(heads), _row(["---"] * len(heads)), *lines]) if lines else ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: object) -> str:
    """Return text as code."""
    return f"`{text}`"


def plain(text: str) -> str:
    """Return text of the code for a page: nothing in it is markup."""
    return escapeHtml(text).replace("&quot;", '"').replace("*", "\\*")


def told(thing: object) -> str:
    """Return what a docstring says, as Markdown in one line per paragraph."""
    text = _ROLE.sub(r"``\1``", inspect.getdoc(thing) or "").replace("``", "`")
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def first(thing: object) -> str:
    """Return the first paragraph of a docstring."""
    return told(thing).split("\n\n")[0]
