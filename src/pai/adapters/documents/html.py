"""HTML: headings, paragraphs, lists and tables of the body. Scripts, styles and hidden parts are dropped; nothing is
fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pai.adapters.documents.gathering import Gathering, clean
from pai.adapters.documents.kinds import Kind
from pai.adapters.documents.limits import Limits
from pai.adapters.documents.table import gather_rows, looks_like_header, numbered
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_DROPPED = frozenset({
    "script", "style", "noscript", "template", "head", "iframe", "object", "embed", "svg", "math", "canvas", "select",
    "textarea",
})  # fmt: skip
_BLOCKS = frozenset({
    "p", "div", "section", "article", "main", "header", "footer", "aside", "nav", "ul", "ol", "dl", "dt", "dd", "pre",
    "blockquote", "address", "figure", "figcaption", "form", "fieldset", "hr", "body", "html", "details", "summary", "center",
    "td", "th", "tr",
    "tbody", "thead", "tfoot", "caption",
})  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# Elements that the parser closes by itself, or that hold nothing: they do not deepen the tree.
_FLAT = frozenset({
    "p", "li", "dt", "dd", "td", "th", "tr", "option", "area", "base", "br", "col", "embed", "hr", "img", "input",
    "link", "meta",
    "source", "track", "wbr", "body", "html", "head",
})  # fmt: skip


def parse_html(text: str, limits: Limits) -> ParsedDocument:
    """Parse a page. Raises Invalid (``too_deep``) when elements are nested beyond ``limits.depth``."""
    _check_depth(text, limits.depth)
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(text)
    found = Gathering(limits)
    title = tree.css_first("title")
    if tree.body is not None:
        _Walk(found).walk(tree.body)
    return found.finish(Kind.HTML.value, title=title.text() if title else "")


def plain_text(fragment: str, limits: Limits) -> str:
    """Return the visible text of a fragment."""
    try:
        return "\n".join(block.text for block in parse_html(fragment, limits).blocks)
    except Invalid as error:
        if error.code == "no_text":
            return ""
        raise


def _check_depth(text: str, limit: int) -> None:
    # The tree builder needs quadratic time on deep nesting (minutes at 200,000 levels), so depth is counted on the
    # source first.
    depth = 0
    for closing, tag in _TAG.findall(text):
        if tag.lower() in _FLAT:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > limit:
            raise Invalid(
                f"the page nests elements more than {limit} deep",
                code="too_deep",
                hint="save the page again as plain text",
            )


class _Walk:
    """A depth-first walk without recursion that gathers inline text until a block begins or ends."""

    def __init__(self, found: Gathering) -> None:
        self._found = found
        self._inline: list[str] = []

    def walk(self, body: LexborNode) -> None:
        """Gather all blocks below ``body``."""
        stack: list[LexborNode | str] = [body]
        while stack:
            node = stack.pop()
            if isinstance(node, str):
                self._flush(node)
                continue
            tag = node.tag or ""
            if tag == "-text":
                self._inline.append(node.text_content or "")
            elif tag in _DROPPED or tag.startswith(("-", "!")) or "hidden" in node.attributes:
                continue
            elif tag == "br":
                self._inline.append("\n")
            elif tag == "table":
                self._flush("p")
                self._table(node)
            else:
                if tag in _BLOCKS or tag in _HEADINGS or tag == "li":
                    self._flush("p")
                    stack.append(tag)
                stack.extend(_children(node)[::-1])
        self._flush("p")

    def _flush(self, tag: str) -> None:
        text = "".join(self._inline)
        self._inline.clear()
        if not text.strip():
            return
        if tag in _HEADINGS:
            self._found.heading(text, level=_HEADINGS[tag])
            return
        lines = "\n".join(clean(line) for line in text.split("\n")) if "\n" in text and tag == "pre" else clean(text)
        self._found.paragraph(lines, kind="list" if tag == "li" else "paragraph")

    def _table(self, table: LexborNode) -> None:
        rows = [
            [clean(cell.text(separator=" ")) for cell in _children(row) if cell.tag in {"td", "th"}]
            for row in table.css("tr")
        ]
        rows = [row for row in rows if any(row)]
        marked = bool(rows) and table.css_first("th") is not None
        if marked and not looks_like_header(rows[0]) and all(len(row) == 2 for row in rows):
            for row in rows:
                self._found.row(row[:1], row[1:])
        elif rows and len(rows) == 1:
            self._found.row(numbered(len(rows[0])), rows[0])
        else:
            gather_rows(self._found, rows)


def _children(node: LexborNode) -> list[LexborNode]:
    children: list[LexborNode] = []
    child = node.child
    while child is not None:
        children.append(child)
        child = child.next
    return children
