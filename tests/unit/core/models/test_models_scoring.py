from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from openai.types import Moderation as OpenAIModeration

from fakes.word_engines import OneEngine, WordEngine
from pai.adapters.policy.cedar import CedarPolicy
from pai.core.models.moderation import Moderation
from pai.core.models.moderation_words import EXAMPLES, PATTERNS
from pai.core.models.ranking import Ranking
from pai.core.ports.engine import Capabilities, Capability
from pai.foundation.actor import OPERATOR, Actor, ActorKind, Role
from pai.foundation.errors import Denied, Invalid, NotFound

ADA = Actor("usr_1", "ada@pai.test", ActorKind.PERSON, Role.MEMBER)
AUDITOR = Actor("usr_2", "bo@pai.test", ActorKind.PERSON, Role.AUDITOR)


@dataclass
class Log:
    """Keeps the events that would be recorded; the storage itself is tried where it is tested."""

    events: list[Any] = field(default_factory=list)

    async def run(self, job: Any) -> Any:
        return job(self)

    @property
    def audit(self) -> Log:
        return self

    def record(self, actor: Actor, event: Any) -> int:
        self.events.append(event)
        return len(self.events)


@dataclass
class Named(OneEngine):
    """Knows some names only."""

    names: tuple[str, ...] = ("default-embedding",)

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> WordEngine:
        if name not in self.names:
            raise NotFound("no such model", code="model_not_found")
        return self.engine

    async def capabilities(self, name: str) -> Capabilities:
        return (await self.get(name)).capabilities


def test_the_categories_are_openais() -> None:
    theirs = {
        field.alias or name
        for name, field in OpenAIModeration.model_fields["categories"].annotation.model_fields.items()
    }  # type: ignore[union-attr]
    assert set(EXAMPLES) == set(PATTERNS) == theirs


async def test_scores_are_between_nothing_and_one_and_say_what_scored() -> None:
    log = Log()
    room = Moderation(log, CedarPolicy(), Named(WordEngine()))  # type: ignore[arg-type]
    model, found = await room.moderate(ADA, ["I will kill you and I know where you live.", "A letter on flowers.", ""])
    assert model == "pai-moderation-1 (words)"
    assert all(0 <= score <= 1 for one in found for score in one.scores.values())
    assert [one.flagged for one in found] == [True, False, False]
    assert found[0].scores["harassment/threatening"] == 0.9
    [event] = log.events
    assert (event.name, event.texts) == ("models:moderation:create", 3)
    again, _ = await room.moderate(ADA, ["x"])
    assert again == model
    assert len(room.examples) == 1, "the examples are embedded once"


async def test_a_bad_sentence_does_not_drown() -> None:
    room = Moderation(Log(), CedarPolicy(), Named(WordEngine()))  # type: ignore[arg-type]
    long = "The garden has roses and herbs. " * 100
    _, [calm, loud] = await room.moderate(ADA, [long, f"{long} {EXAMPLES['illicit'][0]} {long}"])
    assert not calm.flagged
    assert loud.scores["illicit"] > calm.scores["illicit"]


async def test_a_model_with_the_alias_is_used() -> None:
    log = Log()
    named = Named(WordEngine(), names=("default-moderation", "default-reranker"))
    assert (await Moderation(log, CedarPolicy(), named).moderate(ADA, ["x"]))[0].endswith("(words)")  # type: ignore[arg-type]
    assert (await Ranking(log, CedarPolicy(), named).rank(ADA, "default-reranker", "q", ["d"]))[0] == "words (cosine)"  # type: ignore[arg-type]


async def test_too_much_and_too_few_rights_are_refused() -> None:
    log = Log()
    room = Moderation(log, CedarPolicy(), Named(WordEngine()))  # type: ignore[arg-type]
    for texts in (["x"] * 65, ["x" * 100_001], ["x" * 50_001] * 2):
        with pytest.raises(Invalid):
            await room.moderate(ADA, texts)
    for actor in (AUDITOR, OPERATOR):
        with pytest.raises(Denied):
            await room.moderate(actor, ["x"])
        with pytest.raises(Denied):
            await Ranking(log, CedarPolicy(), Named(WordEngine())).rank(actor, "default-reranker", "q", ["d"])  # type: ignore[arg-type]
    assert log.events == []


async def test_what_answers_stands_first() -> None:
    log = Log()
    room = Ranking(log, CedarPolicy(), Named(WordEngine()))  # type: ignore[arg-type]
    documents = ["the ferry leaves at noon", "roses are red", "when does the ferry leave today", *["filler"] * 40]
    model, ranked, _ = await room.rank(ADA, "default-reranker", "when does the ferry leave", documents)
    assert model == "words (cosine)"
    assert {one.index for one in ranked[:2]} == {0, 2}
    assert len(ranked) == 43
    assert log.events[0].documents == 43
    with pytest.raises(NotFound):
        await room.rank(ADA, "rerank-of-somebody", "q", documents)
