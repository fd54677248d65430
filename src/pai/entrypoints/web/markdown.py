"""Text of a model as safe blocks: Markdown without HTML, then an allow list, then plain trees for the browser.

Nothing in the result can be fetched or followed: pictures become their description, links become their text and their
address as text. A model that was talked into it by a document cannot make the browser send anything anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any, TypeAlias

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

Tree: TypeAlias = "str | list[Any]"
"""A text, or ``[tag, class, children]``; ``["cite", "3", []]`` is the mark of citation 3."""

TAGS = frozenset(
    {
        "p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "hr", "br",
        "table", "thead", "tbody", "tr", "th", "td", "span",
    }
)  # fmt: skip
CLASSES = frozenset({"right", "centre", "address", "picture"})
MAX_DEPTH = 12
_VOID = frozenset({"br", "hr"})
_CITATION = re.compile(r"\[(\d{1,2})\]")
_ALIGN = {"text-align:right": "right", "text-align:center": "centre"}


def render(text: str) -> Markup:
    """Return the whole text as sanitised HTML, for a page that is rendered on the server."""
    # Safe to mark: nh3 has just removed everything that is not on the allow list.
    return Markup("".join(_clean(html) for html, _ in _blocks(text)))  # noqa: S704


def trees(text: str, *, citations: bool = False) -> list[Tree]:
    """Return one tree per block of the text. With ``citations``, ``[1]`` in running text becomes a citation mark."""
    return [tree for html, _ in _blocks(text) for tree in _tree(_clean(html), citations=citations)]


class GrowingText:
    """A text that comes in pieces, rendered without doing the settled blocks again.

    A block is settled when a later one has begun in lines that are complete: CommonMark decides the structure of a
    block without looking further ahead than that.
    """

    def __init__(self, *, citations: bool = False) -> None:
        self._citations = citations
        self._tail = ""
        self._settled = 0

    def add(self, piece: str) -> tuple[int, list[Tree]]:
        """Take a piece in; return the index of the first changed block, and the blocks from there on."""
        self._tail += piece
        first = self._settled
        settled: list[Tree] = []
        whole_lines = self._tail[: self._tail.rfind("\n") + 1]
        starts = [line for _, line in _blocks(whole_lines)] if whole_lines else []
        if len(starts) > 1:
            lines = self._tail.splitlines(keepends=True)
            settled = trees("".join(lines[: starts[-1]]), citations=self._citations)
            self._tail = "".join(lines[starts[-1] :])
            self._settled += len(settled)
        return first, [*settled, *trees(self._tail, citations=self._citations)]


def _blocks(text: str) -> Iterator[tuple[str, int]]:
    """Yield (HTML, first line) of each top-level block."""
    # Only \n ends a line here: other separators (such as U+2028) would make the line numbers of the two sides disagree.
    normal = _lines(text)
    tokens = _PARSER.parse(normal)
    begin = 0
    depth = 0
    for at, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            group = tokens[begin : at + 1]
            yield _PARSER.renderer.render(group, _PARSER.options, {}), (group[0].map or [0, 0])[0]
            begin = at + 1


def _lines(text: str) -> str:
    return re.sub("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n", text)


def _clean(html: str) -> str:
    return nh3.clean(
        html, tags=set(TAGS), clean_content_tags={"script", "style"}, attributes={}, url_schemes=set(),
        allowed_classes={tag: set(CLASSES) for tag in ("th", "td", "span")}, strip_comments=True, link_rel=None,
    )  # fmt: skip


class _TreeBuilder(HTMLParser):
    """Builds trees of sanitised HTML; tags that are not on the allow list vanish a second time here."""

    def __init__(self, *, citations: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._citations = citations
        self.roots: list[Tree] = []
        self._open: list[list[Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        if tag not in TAGS:
            return
        wanted = dict(attrs).get("class") or ""
        node: list[Any] = [tag, wanted if wanted in CLASSES else "", []]
        self._append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Append text, with its citation marks taken out of it."""
        if not self._open:
            return
        if not self._citations or any(node[0] == "code" for node in self._open):
            self._append(data)
            return
        end = 0
        for found in _CITATION.finditer(data):
            if found.start() > end:
                self._append(data[end : found.start()])
            self._append(["cite", found[1], []])
            end = found.end()
        if end < len(data):
            self._append(data[end:])

    def _append(self, node: Tree) -> None:
        if self._open:
            self._open[-1][2].append(node)
        else:
            self.roots.append(node)


def _tree(html: str, *, citations: bool) -> list[Tree]:
    builder = _TreeBuilder(citations=citations)
    builder.feed(html)
    builder.close()
    return builder.roots


def _link_close(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    if tokens[at].info == "auto":
        return ""  # the text is the address already
    depth = 0
    for token in reversed(tokens[: at + 1]):
        depth += {"link_close": 1, "link_open": -1}.get(token.type, 0)
        if depth == 0:
            return f' <span class="address">{escape(str(token.attrGet("href") or ""))}</span>'
    return ""


def _image(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    return f'<span class="picture">[picture: {escape(tokens[at].content or "no description")}]</span>'


def _heading(tokens: Sequence[Token], at: int) -> str:
    # The page has an h1 and h2 of its own: an answer's headings begin below them.
    return f"h{min(int(tokens[at].tag[1]) + 2, 6)}"


def _heading_open(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    return f"<{_heading(tokens, at)}>"


def _heading_close(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    return f"</{_heading(tokens, at)}>"


def _cell_open(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    aligned = _ALIGN.get(str(tokens[at].attrGet("style") or ""), "")
    return f'<{tokens[at].tag} class="{aligned}">' if aligned else f"<{tokens[at].tag}>"


def _fence(_self: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, _env: Any) -> str:
    return f"<pre><code>{escape(tokens[at].content)}</code></pre>"


def _nothing(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: Any, _env: Any) -> str:
    return ""


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_DEPTH}).enable(["table", "strikethrough"])
    rules = {
        "link_open": _nothing, "link_close": _link_close, "image": _image, "heading_open": _heading_open,
        "heading_close": _heading_close, "th_open": _cell_open, "td_open": _cell_open, "fence": _fence,
        "code_block": _fence,
    }  # fmt: skip
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


_PARSER = _parser()
