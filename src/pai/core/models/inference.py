"""Inference for clients: chat and embeddings, decided, audited before the model is asked."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from pai.core.audit.values import Outcome
from pai.core.models.events import ChatEnded, ChatStarted, TextsEmbedded
from pai.core.models.ports import ModelsUnit
from pai.core.models.values import Model
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.engine import Capability, ChatDelta, ChatRequest, Embeddings, Engine, Engines, Usage
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, PaiError, Unsupported
from pai.foundation.refs import ResourceRef


@contextlib.asynccontextmanager
async def generation(engine: Engine, request: ChatRequest) -> AsyncIterator[AsyncIterator[ChatDelta]]:
    """Hold an answer that is being generated. Leaving it stops the model, then and there."""
    deltas = engine.chat(request)
    try:
        yield deltas
    finally:
        if isinstance(deltas, AsyncGenerator):
            await deltas.aclose()


@dataclass(frozen=True, slots=True)
class Inference:
    """Use cases on models for clients."""

    work: Work[ModelsUnit]
    policy: Policy
    engines: Engines

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

    async def start_chat(
        self, actor: Actor, name: str, request: ChatRequest
    ) -> tuple[Engine, AsyncIterator[ChatDelta]]:
        """Return the engine and its answer as it comes. The start is durable in the audit log before the model is asked; the end is
        recorded however the answer ends, also when its reader goes away."""
        engine = await self._engine(actor, Permission.CHAT, name, Capability.CHAT)
        resource = ResourceRef("model", engine.model.name)
        event = ChatStarted(
            resource=resource, model=engine.model, outcome=Outcome.STARTED, messages=len(request.messages)
        )
        started = await self.work.run(lambda unit: unit.audit.record(actor, event))
        return engine, self._answer(actor, engine, request, started)

    async def _answer(
        self, actor: Actor, engine: Engine, request: ChatRequest, started: int
    ) -> AsyncIterator[ChatDelta]:
        usage = Usage(0, 0)
        outcome, reason, pieces = Outcome.FAILED, "stopped by its reader", 0
        try:
            async with generation(engine, request) as deltas:
                async for delta in deltas:
                    pieces += 1
                    if delta.usage is not None:
                        usage, outcome, reason = delta.usage, Outcome.DONE, ""
                    yield delta
        except PaiError as error:
            reason = error.code
            raise
        finally:
            event = ChatEnded(
                resource=ResourceRef("model", engine.model.name), model=engine.model, outcome=outcome, reason=reason, started=started,
                prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens or pieces,
            )  # fmt: skip
            await self.work.run(lambda unit: unit.audit.record(actor, event))

    async def embed(self, actor: Actor, name: str, texts: Sequence[str]) -> tuple[Engine, Embeddings]:
        """Return one vector per text."""
        engine = await self._engine(actor, Permission.EMBED, name, Capability.EMBED)
        event = TextsEmbedded(resource=ResourceRef("model", engine.model.name), model=engine.model, texts=len(texts))
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        return engine, await engine.embed(texts)

    async def _engine(self, actor: Actor, permission: Permission, name: str, needed: Capability) -> Engine:
        self.policy.decide(actor, permission, ResourceRef("model", name))
        engine = await self.engines.get(name)
        if needed not in engine.capabilities.supports:
            raise Unsupported(
                f"{engine.model.name} cannot do {needed.value}", code="missing_capability", hint="see `pai models list`"
            )
        return engine
