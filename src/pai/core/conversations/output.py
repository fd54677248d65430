"""What a model says, taken apart into items while it comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pai.core.conversations.values import Called, Citation, Item, Spoken, Thought
from pai.core.ports.engine import ChatDelta, TokenLogprob
from pai.foundation.ids import new_id

Cite = Callable[[str], tuple[Citation, ...]]
Kind = TypeVar("Kind", Spoken, Thought)


@dataclass(frozen=True, slots=True)
class ItemBegun:
    """An item begins, still empty. ``at`` is its place among the items of the response."""

    at: int
    item: Item


@dataclass(frozen=True, slots=True)
class Piece:
    """More of a text or thought."""

    at: int
    item: Spoken | Thought
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemEnded:
    """An item is complete, or will not get longer."""

    at: int
    item: Item


Step = ItemBegun | Piece | ItemEnded


def _no_citations(_text: str) -> tuple[Citation, ...]:
    return ()


@dataclass(slots=True)
class Output:
    """The items of a response while it grows. ``cite`` finds what the documents say of a text that has ended."""

    cite: Cite = _no_citations
    items: list[Item] = field(default_factory=list)
    _open: bool = False

    def put(self, item: Item) -> Iterator[Step]:
        """Add an item that is complete."""
        yield from self.close()
        self.items.append(item)
        empty = dataclasses.replace(item, arguments="") if isinstance(item, Called) else item
        yield ItemBegun(len(self.items) - 1, empty)
        yield ItemEnded(len(self.items) - 1, item)

    def take(self, delta: ChatDelta) -> Iterator[Step]:
        """Add a piece of the answer."""
        if delta.reasoning:
            last = self._last(Thought)
            if last is None:
                yield from self._begin(last := Thought(new_id("rs"), ""))
            yield self._grow(dataclasses.replace(last, text=last.text + delta.reasoning), delta.reasoning, ())
        if delta.text or (delta.logprobs and not delta.reasoning):
            said = self._last(Spoken)
            if said is None:
                yield from self._begin(said := Spoken(new_id("msg"), "assistant", ""))
            longer = dataclasses.replace(said, text=said.text + delta.text, logprobs=said.logprobs + delta.logprobs)
            yield self._grow(longer, delta.text, delta.logprobs)
        for call in delta.tool_calls:
            yield from self.put(Called(new_id("fc"), call.id, call.name, call.arguments))

    def close(self, *, whole: bool = True) -> Iterator[Step]:
        """End the item that is open."""
        if not self._open:
            return
        self._open = False
        last = self.items[-1]
        if isinstance(last, Spoken):
            last = dataclasses.replace(last, whole=whole, citations=self.cite(last.text))
        elif isinstance(last, Thought):
            last = dataclasses.replace(last, whole=whole)
        self.items[-1] = last
        yield ItemEnded(len(self.items) - 1, last)

    def end(self, *, whole: bool) -> Iterator[Step]:
        """End the response. One that says nothing has an empty text, so that its reader finds one."""
        yield from self.close(whole=whole)
        if whole and not any(isinstance(item, Spoken | Called) for item in self.items):
            yield from self._begin(Spoken(new_id("msg"), "assistant", ""))
            yield from self.close()

    def _last(self, kind: type[Kind]) -> Kind | None:
        last = self.items[-1] if self._open else None
        return last if isinstance(last, kind) else None

    def _begin(self, item: Spoken | Thought) -> Iterator[Step]:
        yield from self.close()
        self.items.append(item)
        self._open = True
        yield ItemBegun(len(self.items) - 1, item)

    def _grow(self, item: Spoken | Thought, text: str, logprobs: tuple[TokenLogprob, ...]) -> Piece:
        self.items[-1] = item
        return Piece(len(self.items) - 1, item, text, logprobs)
