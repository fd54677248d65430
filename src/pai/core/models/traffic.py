"""Traffic: whether somebody is waiting for an answer now, so that work nobody waits for can step back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field

from pai.core.models.generation import generation
from pai.core.ports.engine import (
    Capabilities,
    Capability,
    ChatDelta,
    ChatRequest,
    Embeddings,
    Engine,
    Engines,
    Relevance,
)
from pai.foundation.refs import ModelRef


@dataclass(slots=True)
class Traffic:
    """Counts answers that people wait for."""

    under_way: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Somebody waits, until this is left."""
        self.under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.under_way -= 1
            if not self.under_way:
                self._idle.set()

    async def quiet(self, seconds: float) -> None:
        """Wait until nobody waits, or for so long: what steps back must come to its turn all the same."""
        if self.under_way:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)


@dataclass(frozen=True, slots=True)
class WatchedEngine:
    """An engine whose answers count."""

    engine: Engine
    traffic: Traffic

    @property
    def model(self) -> ModelRef:
        """The model that answers."""
        return self.engine.model

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self.engine.capabilities

    async def chat(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """Generate; somebody waits from the first to the last piece."""
        with self.traffic.answering():
            async with generation(self.engine, request) as deltas:
                async for delta in deltas:
                    yield delta

    async def embed(self, texts: Sequence[str | Sequence[int]]) -> Embeddings:
        """Return vectors; somebody waits for them."""
        with self.traffic.answering():
            return await self.engine.embed(texts)

    async def rank(self, question: str, documents: Sequence[str]) -> Relevance:
        """Return scores; somebody waits for them."""
        with self.traffic.answering():
            return await self.engine.rank(question, documents)

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""
        return await self.engine.count_tokens(text)

    async def count_prompt(self, request: ChatRequest) -> int:
        """Return how many tokens a prompt has."""
        return await self.engine.count_prompt(request)


@dataclass(frozen=True, slots=True)
class WatchedEngines:
    """Engines whose answers count."""

    engines: Engines
    traffic: Traffic

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> Engine:
        """Return a watched engine. Raises as the engines do."""
        return WatchedEngine(await self.engines.get(name, needs), self.traffic)

    def loaded(self) -> Sequence[ModelRef]:
        """Return the models that are in memory now."""
        return self.engines.loaded()

    async def capabilities(self, name: str) -> Capabilities:
        """Return what the engine of a model can do with it."""
        return await self.engines.capabilities(name)
