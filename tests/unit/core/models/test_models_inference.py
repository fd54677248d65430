"""What is begun is also ended in the audit log, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from fakes.knowledge_memory import StillClock
from fakes.receipts import RECEIPTS
from fakes.word_engines import OneEngine, Untouched, WordEngine
from pai.adapters.policy.cedar import CedarPolicy
from pai.core.models.events import ChatEnded, ChatStarted
from pai.core.models.inference import Inference
from pai.core.ports.engine import ChatDelta, ChatMessage, ChatRequest
from pai.foundation.actor import Actor, ActorKind, Role
from pai.foundation.errors import Unavailable

ADA = Actor("usr_1", "ada@pai.test", ActorKind.PERSON, Role.MEMBER)
ASKED = ChatRequest((ChatMessage("user", "x"),))


@dataclass
class Log:
    events: list[Any] = field(default_factory=list)

    async def run(self, job: Any) -> Any:
        return job(self)

    @property
    def audit(self) -> Log:
        return self

    def record(self, _actor: Actor, event: Any) -> int:
        self.events.append(event)
        return len(self.events)


class Broken(WordEngine):
    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        yield ChatDelta("one ")
        raise RuntimeError(request.messages[0].content)


def inference(log: Log, engine: WordEngine) -> Inference:
    return Inference(log, CedarPolicy(), OneEngine(engine), RECEIPTS, StillClock(), Untouched())  # type: ignore[arg-type]


async def test_an_answer_of_which_nobody_took_a_piece_has_an_end() -> None:
    log = Log()
    _, answer = await inference(log, WordEngine("hello")).start_chat(ADA, "default", ASKED)
    await answer.aclose()
    assert [type(event) for event in log.events] == [ChatStarted, ChatEnded]
    assert (log.events[1].started, log.events[1].reason) == (1, "stopped by its reader")


async def test_what_nobody_foresaw_is_told_apart_from_a_reader_who_left() -> None:
    log = Log()
    _, answer = await inference(log, Broken()).start_chat(ADA, "default", ASKED)
    with pytest.raises(RuntimeError):
        _ = [piece async for piece in answer]
    assert log.events[-1].reason == "internal"


async def test_pieces_are_the_engines_own() -> None:
    _, answer = await inference(Log(), WordEngine("hello")).start_chat(ADA, "default", ASKED)
    assert [piece.text async for piece in answer] == ["hello", ""]


class Full(Log):
    """A log that takes nothing any more, and takes its time to say so."""

    async def run(self, job: Any) -> Any:
        await asyncio.sleep(0.02)
        raise Unavailable("the disk is full")


async def test_no_vector_is_given_that_is_not_in_the_log() -> None:
    with pytest.raises(Unavailable, match="full"):
        await inference(Full(), WordEngine()).embed(ADA, "default", ["one"])
    log = Log()
    _, found = await inference(log, WordEngine()).embed(ADA, "default", ["one", "two"])
    assert (len(found.vectors), [event.texts for event in log.events]) == (2, [2])
