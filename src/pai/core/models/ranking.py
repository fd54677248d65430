"""Ranking: documents that a client sends, in the order in which they answer a question.

A reranker reads question and document together. Where the model named is one that makes vectors, or no reranker is here, the score is
the cosine of their embeddings, and the name of what scored says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.models.events import DocumentsRanked
from pai.core.models.ports import ModelsUnit
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.engine import Capability, Engine, Engines, Relevance, floats
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound
from pai.foundation.refs import ResourceRef

MODEL: Final = "default-reranker"
FALLBACK: Final = "default-embedding"
BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document by its place among those that were sent. ``score`` is 0 to 1."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Use cases on ranking."""

    work: Work[ModelsUnit]
    policy: Policy
    engines: Engines

    async def rank(
        self, actor: Actor, name: str, question: str, documents: Sequence[str]
    ) -> tuple[str, list[Ranked], int]:
        """Return what scored, all documents, best first, and the tokens read. A document is read as far as the model's context goes.

        Raises Denied, NotFound, Unsupported, Unavailable.
        """
        self.policy.decide(actor, Permission.RERANK, ResourceRef("model", name))
        engine = await self._engine(name)
        count = len(documents)
        event = DocumentsRanked(resource=ResourceRef("model", engine.model.name), model=engine.model, documents=count)
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        reads_both = Capability.RERANK in engine.capabilities.supports
        found = await (_relevance if reads_both else _likeness)(engine, question, documents)
        ranked = [Ranked(n, round(min(1.0, max(0.0, score)), 6)) for n, score in enumerate(found.scores)]
        told = engine.model.name if reads_both else f"{engine.model.name} (cosine)"
        return told, sorted(ranked, key=lambda one: (-one.score, one.index)), found.prompt_tokens

    async def _engine(self, name: str) -> Engine:
        """Return what ranks: a model made for it, or one that makes vectors. Without a reranker, ``default-reranker`` is the latter."""
        try:
            able = await self.engines.capabilities(name)
        except NotFound:
            if name != MODEL:
                raise
            return await self.engines.get(FALLBACK, frozenset({Capability.EMBED}))
        needed = Capability.RERANK if Capability.RERANK in able.supports else Capability.EMBED
        return await self.engines.get(name, frozenset({needed}))


async def _relevance(engine: Engine, question: str, documents: Sequence[str]) -> Relevance:
    """Let the engine read question and document together."""
    scores: list[float] = []
    tokens = 0
    for start in range(0, len(documents), BATCH):
        found = await engine.rank(question, documents[start : start + BATCH])
        scores += found.scores
        tokens += found.prompt_tokens
    return Relevance(tuple(scores), tokens)


async def _likeness(engine: Engine, question: str, documents: Sequence[str]) -> Relevance:
    """Compare vectors of what was read apart."""
    asked = await engine.embed([question])
    wanted, tokens, scores = floats(asked.vectors[0]), asked.prompt_tokens, []
    for start in range(0, len(documents), BATCH):
        found = await engine.embed(documents[start : start + BATCH])
        tokens += found.prompt_tokens
        scores += [sum(a * b for a, b in zip(wanted, floats(v), strict=True)) for v in found.vectors]
    return Relevance(tuple(scores), tokens)
