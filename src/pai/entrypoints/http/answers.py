"""A model's answer on its way to a client: begun, taken in piece by piece, or whole."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from pai.core.ports.engine import ChatDelta, ChatRequest, TokenLogprob, ToolCall, Usage
from pai.entrypoints.http.routing import services_of
from pai.entrypoints.http.streams import first_of, while_valid
from pai.foundation.actor import Actor

Pieces = AsyncGenerator[ChatDelta, None]


@dataclass(slots=True)
class Begun:
    """An answer that has begun: the model's own name, the first piece (None when there is none) and the others as they come.
    ``taken`` is when the engine had the request, in nanoseconds of ``time.perf_counter_ns``."""

    model: str
    first: ChatDelta | None
    rest: Pieces
    taken: int


@dataclass(slots=True)
class Answer:
    """An answer while it grows."""

    text: str = ""
    reasoning: str = ""
    finish: str = "stop"
    stop: str = ""
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    receipt: Mapping[str, Any] | None = None

    def take(self, delta: ChatDelta) -> None:
        """Add a piece."""
        self.text += delta.text
        self.reasoning += delta.reasoning
        self.finish = delta.finish_reason or self.finish
        self.stop = delta.stop or self.stop
        self.usage = delta.usage or self.usage
        self.calls += delta.tool_calls
        self.logprobs += delta.logprobs
        self.receipt = delta.receipt or self.receipt


def logprob(one: TokenLogprob) -> dict[str, Any]:
    """Return a token's log-probability in the shape that OpenAI gave it and Ollama took over."""
    told = {"token": one.token, "logprob": one.logprob, "bytes": list(one.raw)}
    return {**told, "top_logprobs": [{"token": t.token, "logprob": t.logprob, "bytes": list(t.raw)} for t in one.top]}


async def begin(request: Request, actor: Actor, model: str, asked: ChatRequest) -> Begun:
    """Ask a model and wait for its first piece: what refuses the prompt becomes a status, not a broken stream."""
    engine, deltas = await services_of(request).inference.start_chat(actor, model, asked)
    taken = time.perf_counter_ns()
    rest = while_valid(request, actor, deltas, watch_reader=True)
    return Begun(engine.model.name, await first_of(rest), rest, taken)


async def pieces_of(begun: Begun) -> Pieces:
    """Yield all pieces; the model is stopped however this ends."""
    piece = begun.first
    try:
        while piece is not None:
            yield piece
            piece = await anext(begun.rest, None)
    finally:
        await begun.rest.aclose()


async def whole(begun: Begun) -> Answer:
    """Wait for all of an answer."""
    answer = Answer()
    async with aclosing(pieces_of(begun)) as pieces:
        async for piece in pieces:
            answer.take(piece)
    return answer
