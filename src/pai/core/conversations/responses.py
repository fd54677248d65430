"""Responses: a model's answer to items, as items that come while it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pai.core.conversations.items import chat_of
from pai.core.conversations.output import Output, Step
from pai.core.conversations.values import Item, Response, ResponseStatus
from pai.core.models.inference import Inference
from pai.core.ports.clock import Clock
from pai.core.ports.engine import ChatDelta, ChatRequest
from pai.foundation.actor import Actor
from pai.foundation.ids import new_id


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a model. ``request`` says how to answer, without messages; ``settings`` is what the response repeats of it."""

    model: str
    items: tuple[Item, ...]
    request: ChatRequest
    instructions: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Begun:
    """First event: the response, still empty."""

    response: Response


@dataclass(frozen=True, slots=True)
class Ended:
    """Last event: the whole response."""

    response: Response


ResponseEvent = Begun | Step | Ended


@dataclass(frozen=True, slots=True)
class Responses:
    """Use cases on responses."""

    inference: Inference
    clock: Clock

    async def respond(self, actor: Actor, asked: Asked) -> AsyncGenerator[ResponseEvent, None]:
        """Yield a response as it comes. The start is durable in the audit log before the model is asked. Raises Invalid, Denied,
        NotFound, Unsupported, Unavailable."""
        messages = chat_of(asked.instructions, asked.items)
        request = dataclasses.replace(asked.request, messages=messages, cache_key=actor.id)
        engine, deltas = await self.inference.start_chat(actor, asked.model, request)
        output = Output()
        async with aclosing(deltas) as coming:
            # What refuses the prompt raises here, before the response has begun.
            delta = await anext(coming, None)
            begun = Response(new_id("resp"), actor.id, engine.model.name, self.clock.now(), settings=asked.settings)
            yield Begun(begun)
            last = ChatDelta()
            while delta is not None:
                last = delta
                for step in output.take(delta):
                    yield step
                delta = await anext(coming, None)
        for step in output.end(whole=last.finish_reason != "length"):
            yield step
        yield Ended(self._ended(begun, output, last))

    def _ended(self, begun: Response, output: Output, last: ChatDelta) -> Response:
        cut = last.finish_reason == "length"
        return dataclasses.replace(
            begun, status=ResponseStatus.INCOMPLETE if cut else ResponseStatus.COMPLETED, output=tuple(output.items),
            usage=last.usage, completed_at=None if cut else self.clock.now(), reason="max_output_tokens" if cut else "",
        )  # fmt: skip
