"""Ranking: documents that a client sends, in the order in which they answer a question.

No model here reads question and document together (a reranker). Until one does, the score is the cosine of their embeddings, and the
name of what scored says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.models.events import DocumentsRanked
from pai.core.models.ports import ModelsUnit
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.engine import Capability, Engine, Engines, floats
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
        asked = await engine.embed([question])
        wanted, tokens, scores = floats(asked.vectors[0]), asked.prompt_tokens, []
        for start in range(0, count, BATCH):
            found = await engine.embed(documents[start : start + BATCH])
            tokens += found.prompt_tokens
            scores += [sum(a * b for a, b in zip(wanted, floats(v), strict=True)) for v in found.vectors]
        ranked = [Ranked(n, round(min(1.0, max(0.0, score)), 6)) for n, score in enumerate(scores)]
        return f"{engine.model.name} (cosine)", sorted(ranked, key=lambda one: (-one.score, one.index)), tokens

    async def _engine(self, name: str) -> Engine:
        needed = frozenset({Capability.EMBED})
        try:
            return await self.engines.get(name, needed)
        except NotFound:
            if name != MODEL:
                raise
            return await self.engines.get(FALLBACK, needed)
