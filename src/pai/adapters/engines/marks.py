"""Marks of turns: what a model's own template and vocabulary mean by more than its letters. What people write must not hold any.

Engines read a prompt with all special tokens in it, because the template writes them. So a text that somebody typed, or that stood in a
document, is taken apart wherever it spells one: a space behind its first character, and it is letters again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

LONGEST: Final = 200
"""Characters of the longest mark; no model known has one half as long."""
_USUAL: Final = (r"<\|[\w .-]{1,40}\|>", r"</?(?:start_of_turn|end_of_turn)>")
"""What most families write, taken apart whatever the model says."""
_WRITTEN: Final = re.compile(r"<\|[^|<>\n]{1,60}\|>|\[/?[A-Z][A-Z_ ]{2,40}\]|<</?[A-Z_]{2,20}>>")
"""Marks that templates write though they are no tokens of their own, such as Llama 2's ``[INST]``."""
_END: Final = ""


class Marks:
    """The marks of one model: its special ``tokens``, and what its ``template`` writes out."""

    def __init__(self, tokens: Iterable[str] = (), template: str = "") -> None:
        named = {token for token in (*tokens, *_WRITTEN.findall(template)) if 2 <= len(token) <= LONGEST}
        any_of_them = "|".join((*_USUAL, *([_one_of(named)] if named else ())))
        # Looked at from each place and one character taken: a mark inside another, or across its end, is found too.
        self._pattern = re.compile(f"(?=(?:{any_of_them}))(.)", re.DOTALL)

    def apart(self, text: str) -> str:
        """Return a text in which no mark is left whole."""
        return self._pattern.sub(r"\1 ", text)

    def apart_within(self, value: Any) -> Any:
        """Return a JSON value, bounded in depth before, with every text and name in it taken apart."""
        if isinstance(value, str):
            return self.apart(value)
        if isinstance(value, dict):
            return {self.apart(name): self.apart_within(inner) for name, inner in value.items()}
        return [self.apart_within(inner) for inner in value] if isinstance(value, list | tuple) else value

    def apart_within_json(self, text: str) -> str:
        """Return JSON text as ``apart_within`` leaves it: escapes are read first, for a template would read them too."""
        try:
            return msgspec.json.encode(self.apart_within(msgspec.json.decode(text))).decode()
        except (msgspec.MsgspecError, RecursionError):
            return self.apart(text)


def _one_of(words: Iterable[str]) -> str:
    """Return an expression for any of these, as a tree of their beginnings: thousands cost no more than the longest one."""
    tree: dict[str, Any] = {}
    for word in words:
        branch = tree
        for character in word:
            branch = branch.setdefault(character, {})
        branch[_END] = {}
    return _expression(tree)


def _expression(tree: dict[str, Any]) -> str:
    ends, branches = _END in tree, []
    for first, rest in tree.items():
        if first == _END:
            continue
        path, inner = first, rest
        while len(inner) == 1 and _END not in inner:  # one way on: no need to nest
            [(more, inner)] = inner.items()
            path += more
        branches.append(re.escape(path) + (_expression(inner) if inner.keys() != {_END} else ""))
    if not branches:
        return ""
    joined = f"(?:{'|'.join(branches)})"
    return f"{joined}?" if ends else joined
