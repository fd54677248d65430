"""Markdown (CommonMark with tables): headings, paragraphs, list items, code and tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pai.adapters.documents.gathering import Gathering
from pai.adapters.documents.html import plain_text
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.adapters.documents.table import gather_rows
from pai.core.knowledge.values import ParsedDocument

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---[ \t]*\n", re.DOTALL)


def parse_markdown(text: str, limits: Limits) -> ParsedDocument:
    """Parse Markdown. Raw HTML in it is reduced to its visible text; links and pictures keep their words only."""
    from markdown_it import MarkdownIt

    found = Gathering(limits)
    matter = _FRONT_MATTER.match(text)
    if matter:
        found.paragraph(matter.group(1))
        text = text[matter.end() :]
    tokens = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table").parse(text)
    title = next((_inline(tokens[n + 1]) for n, token in enumerate(tokens) if token.type == "heading_open"), "")
    _gather(found, tokens, limits)
    return found.finish(Kind.MARKDOWN.value, title=title)


def _gather(found: Gathering, tokens: list[Token], limits: Limits) -> None:
    rows: list[list[str]] = []
    items = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        kind = token.type
        if kind in {"list_item_open", "list_item_close"}:
            items += 1 if kind.endswith("open") else -1
        elif kind == "inline" and before is not None:
            if before.type == "heading_open":
                found.heading(_inline(token), level=int(before.tag[1:]))
            elif before.type in {"td_open", "th_open"}:
                rows[-1].append(_inline(token))
            else:
                found.paragraph(_inline(token), kind="list" if items else "paragraph")
        elif kind == "tr_open":
            rows.append([])
        elif kind == "table_close":
            gather_rows(found, rows)
            rows = []
        elif kind in {"fence", "code_block"}:
            found.paragraph(token.content)
        elif kind == "html_block":
            found.paragraph(plain_text(token.content, limits))


def _inline(token: Token) -> str:
    parts: list[str] = []
    for child in token.children or []:
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type in {"softbreak", "hardbreak"}:
            parts.append("\n" if child.type == "hardbreak" else " ")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts)
