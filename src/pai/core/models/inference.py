"""Inference for clients: chat and embeddings, decided, audited before the model is asked."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from pai.core.audit.receipts import MESSAGES, Answered, Draft, Receipts, messages_request
from pai.core.audit.values import Outcome
from pai.core.models.events import ChatEnded, ChatStarted, ModelLoaded, PromptCounted, TextsEmbedded
from pai.core.models.generation import answered
from pai.core.models.ports import ModelsUnit, Pictures
from pai.core.models.schemas import checked_schema
from pai.core.models.tools import checked_calls, checked_tools
from pai.core.models.values import Model
from pai.core.models.vectors import refuse_long
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import (
    Capabilities,
    Capability,
    ChatDelta,
    ChatRequest,
    Embeddings,
    Engine,
    Engines,
    Usage,
)
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, NotFound, PaiError
from pai.foundation.refs import ResourceRef

MOST_PICTURES: Final = 16
"""Of one request, in all its messages."""


@dataclass(frozen=True, slots=True)
class Inference:
    """Use cases on models for clients."""

    work: Work[ModelsUnit]
    policy: Policy
    engines: Engines
    receipts: Receipts
    clock: Clock
    pictures: Pictures

    async def models(self, actor: Actor) -> Sequence[Model]:
        """Return the active models."""
        self.policy.decide(actor, Permission.MODELS_LIST, ResourceRef("installation", "pai"))
        return [model for model in await self.work.read(lambda unit: unit.models.list()) if model.active]

    async def show(self, actor: Actor, name: str) -> Model:
        """Return an active model by name or alias. Raises NotFound (``model_not_found``)."""
        for model in await self.models(actor):
            if name in (model.name, *model.aliases):
                return model
        raise NotFound(f"the model {name[:100]!r} is not here", code="model_not_found", hint="see `pai models list`")

    async def loaded(self, actor: Actor) -> Sequence[Model]:
        """Return the models that are in memory now."""
        names = {model.name for model in self.engines.loaded()}
        return [model for model in await self.models(actor) if model.name in names]

    async def able(self, actor: Actor, name: str) -> tuple[Model, Capabilities]:
        """Return an active model by name or alias, and what its engine can do with it. Raises NotFound (``model_not_found``)."""
        model = await self.show(actor, name)
        return model, await self.engines.capabilities(model.name)

    async def load(self, actor: Actor, name: str) -> Engine:
        """Load a chat model because a client asks for that alone; return its engine. Raises as ``start_chat``."""
        engine = await self.ready(actor, name)
        event = ModelLoaded(resource=ResourceRef("model", engine.model.name), model=engine.model)
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        return engine

    async def ready(self, actor: Actor, name: str) -> Engine:
        """Return the engine of a chat model that is about to be asked, which is recorded then. Raises as ``start_chat``."""
        self.policy.decide(actor, Permission.CHAT, ResourceRef("model", name))
        return await self.engines.get(name, frozenset({Capability.CHAT}))

    async def start_chat(
        self, actor: Actor, name: str, request: ChatRequest, *, receipt: bool = False
    ) -> tuple[Engine, AsyncGenerator[ChatDelta, None]]:
        """Return the engine and its answer as it comes. The start is durable in the audit log before the model is asked; the end is
        recorded however the answer ends, also when its reader goes away. With ``receipt`` a whole answer is followed by a piece with its
        receipt, which stands in the log by then.

        Raises Invalid, Denied, NotFound, Unsupported (another model may be able to), Unavailable.
        """
        self.policy.decide(actor, Permission.CHAT, ResourceRef("model", name))
        _check(request)
        engine = await self.engines.get(name, request.needs)
        request = await self._seen(request)
        resource = ResourceRef("model", engine.model.name)
        event = ChatStarted(
            resource=resource, model=engine.model, outcome=Outcome.STARTED, messages=len(request.messages)
        )
        started = await self.work.run(lambda unit: unit.audit.record(actor, event))
        answer = self._answer(actor, engine, request, started, receipt=receipt)
        # A generator that was never begun ends without a word: from here on its end is recorded, also when nobody takes a piece.
        await anext(answer)
        return engine, answer

    async def _seen(self, request: ChatRequest) -> ChatRequest:
        """Return the request with its pictures made anew: what came in reaches no engine's own decoder."""
        if not any(message.images for message in request.messages):
            return request
        messages = [
            dataclasses.replace(message, images=tuple([await self.pictures.clean(image) for image in message.images]))
            for message in request.messages
        ]
        return dataclasses.replace(request, messages=tuple(messages))

    async def _answer(
        self, actor: Actor, engine: Engine, request: ChatRequest, started: int, *, receipt: bool
    ) -> AsyncGenerator[ChatDelta, None]:
        usage = Usage(0, 0)
        outcome, reason, pieces, thoughts, text = Outcome.FAILED, "stopped by its reader", 0, "", ""
        issued: Mapping[str, Any] | None = None
        try:
            yield ChatDelta()  # see ``start_chat``
            async with aclosing(answered(engine, request)) as deltas:
                async for delta in deltas:
                    pieces, thoughts = pieces + (delta.waiting is None), thoughts + delta.reasoning
                    text += delta.text if receipt else ""
                    if delta.usage is not None:
                        usage, outcome, reason = await _with_thoughts(engine, delta.usage, thoughts), Outcome.DONE, ""
                    yield delta if delta.usage is None else dataclasses.replace(delta, usage=usage)
        except Exception as error:
            reason = error.code if isinstance(error, PaiError) else PaiError.default_code
            raise
        finally:
            draft = self._draft(engine, request, text) if receipt and outcome is Outcome.DONE else None
            event = ChatEnded(
                resource=ResourceRef("model", engine.model.name), model=engine.model, outcome=outcome, reason=reason, started=started,
                prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens or pieces,
                receipt=draft.commitment if draft else "",
            )  # fmt: skip
            issued = await self.work.run(lambda unit: self.receipts.recorded(unit.audit, actor, event, draft))
        if issued is not None:
            yield ChatDelta(receipt=issued)

    def _draft(self, engine: Engine, request: ChatRequest, text: str) -> Draft:
        told = [(message.role, message.content, message.images) for message in request.messages]
        return self.receipts.draft(
            Answered(
                "chat", self.clock.now(), messages_request(told), MESSAGES, text, engine.model, Permission.CHAT.value
            )
        )

    async def count_prompt(self, actor: Actor, name: str, request: ChatRequest) -> tuple[Engine, int]:
        """Return the engine and how many tokens the prompt of a request takes, template and tools included. Raises as ``start_chat``."""
        self.policy.decide(actor, Permission.CHAT, ResourceRef("model", name))
        _check(request)
        engine = await self.engines.get(name, request.needs)
        request = await self._seen(request)
        resource = ResourceRef("model", engine.model.name)
        event = PromptCounted(resource=resource, model=engine.model, messages=len(request.messages))
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        return engine, await engine.count_prompt(request)

    async def embed(
        self, actor: Actor, name: str, texts: Sequence[str | Sequence[int]], *, cut: bool = True
    ) -> tuple[Engine, Embeddings]:
        """Return one vector per text, each a text or token ids of the model. Texts that do not fit into its context are cut, or
        refused without ``cut``. Raises as ``start_chat``."""
        self.policy.decide(actor, Permission.EMBED, ResourceRef("model", name))
        engine = await self.engines.get(name, frozenset({Capability.EMBED}))
        if not cut:
            await refuse_long(engine, texts)
        event = TextsEmbedded(resource=ResourceRef("model", engine.model.name), model=engine.model, texts=len(texts))
        recorded = asyncio.ensure_future(self.work.run(lambda unit: unit.audit.record(actor, event)))
        try:
            found = await engine.embed(texts)
        finally:
            await recorded  # durable, or failed for good, before anybody sees a vector
        return engine, found


def _check(request: ChatRequest) -> None:
    checked_tools(request)
    if sum(len(message.images) for message in request.messages) > MOST_PICTURES:
        raise Invalid(f"a request has at most {MOST_PICTURES} pictures", code="too_many_pictures", hint="send fewer")
    for message in request.messages:
        checked_calls(message.tool_calls)
    if request.json_schema is not None:
        checked_schema(request.json_schema)


async def _with_thoughts(engine: Engine, usage: Usage, thoughts: str) -> Usage:
    if not thoughts:
        return usage
    counted = min(await engine.count_tokens(thoughts), usage.completion_tokens)
    return dataclasses.replace(usage, reasoning_tokens=counted)
