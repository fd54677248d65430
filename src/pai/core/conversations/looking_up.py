"""Collections that are searched for a response: what was found for it, and what of its text stands there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.conversations.values import Citation, FoundPassage, Item, Searched, Spoken
from pai.core.knowledge.access import ref_of
from pai.core.knowledge.citing import cite
from pai.core.knowledge.events import QuestionAnswered
from pai.core.knowledge.searching import MOST_CHARACTERS, Found, Searching
from pai.core.knowledge.values import Collection
from pai.foundation.actor import Actor
from pai.foundation.ids import new_id
from pai.foundation.labels import Label, highest
from pai.foundation.refs import DEFAULT_PURPOSE, ModelRef

PASSAGES: Final = 5
"""Passages that are given to the model where nothing else is asked for: about a thousand tokens."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Which collections are to be searched, and how much of them is wanted."""

    collections: tuple[str, ...]
    limit: int = PASSAGES
    minimum: float = 0.0


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What a search found."""

    question: str
    collections: tuple[Collection, ...]
    passages: tuple[Found, ...]
    places: Mapping[str, str]
    """The collection of each document that was found, by id."""

    @property
    def label(self) -> Label:
        """The highest label of what was searched: what is made from it has it too."""
        return highest([collection.label for collection in self.collections])

    @property
    def purposes(self) -> frozenset[str]:
        """The purposes of what was searched."""
        return frozenset(collection.purpose for collection in self.collections)

    def item(self) -> Searched:
        """Return the search as an item of the response."""
        return Searched(new_id("fs"), self.question, self.shown())

    def shown(self) -> tuple[FoundPassage, ...]:
        """Return the passages as the model is told them."""
        return tuple(FoundPassage(one.document_id, one.document, one.score, one.text) for one in self.passages)

    def cite(self, text: str) -> tuple[Citation, ...]:
        """Return which sentences of a text stand in the passages."""
        return tuple(
            Citation(one.at, one.passage.document_id, one.passage.document, one.passage.page, one.quote)
            for one in cite(text, self.question, self.passages)
        )

    def answered(self, model: ModelRef, items: Sequence[Item]) -> list[QuestionAnswered]:
        """Return the events of what was answered, one for each collection."""
        cited = {one.document_id for item in items if isinstance(item, Spoken) for one in item.citations}
        own = {
            collection.id: tuple(sorted(one for one in cited if self.places.get(one) == collection.id))
            for collection in self.collections
        }
        return [
            QuestionAnswered(
                resource=ref_of(collection), label=collection.label, purpose=collection.purpose, model=model,
                abstained=not own[collection.id], sources=own[collection.id],
            )
            for collection in self.collections
        ]  # fmt: skip


def one_purpose(purposes: Iterable[str]) -> str:
    """Return the purpose of what is made from things of these purposes: the one that is named, where only one is."""
    named = set(purposes) - {DEFAULT_PURPOSE}
    return next(iter(named)) if len(named) == 1 else DEFAULT_PURPOSE


async def look_up(searching: Searching, actor: Actor, wanted: Lookup, items: Sequence[Item]) -> LookedUp | None:
    """Search for what was asked last, None when nothing was. What calls gave since is no question: the answer to it still needs the
    passages, which were told for an earlier turn only. Raises NotFound, Denied, Unavailable."""
    asked = (item.text for item in reversed(items) if isinstance(item, Spoken) and item.role == "user")
    question = " ".join(next(asked, "").split())[:MOST_CHARACTERS]
    if not question:
        return None
    collections: list[Collection] = []
    passages: list[Found] = []
    places: dict[str, str] = {}
    for name in dict.fromkeys(wanted.collections):
        collection, found = await searching.search(
            actor, name, question, limit=wanted.limit, minimum=wanted.minimum
        )  # fmt: skip
        collections.append(collection)
        passages += found
        places |= {one.document_id: collection.id for one in found}
    best = sorted(passages, key=lambda one: -one.score)[: wanted.limit]
    return LookedUp(question, tuple(collections), tuple(best), places)
