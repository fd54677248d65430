"""Moderation: how near a text is to what OpenAI's categories name. A signal, not a gate: nothing in PAI is decided by it.

A score is the larger of two: 0.9 where a pattern says it outright; and how near the text's meaning is to the examples of a category,
stretched so that 0.5 is where it is nearer to them than to anything harmless. It is no probability, and knows English only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pai.core.models.events import TextsModerated
from pai.core.models.moderation_words import EXAMPLES, HARMLESS, NAME, PATTERNS
from pai.core.models.ports import ModelsUnit
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.engine import Capability, Engine, Engines, floats
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, NotFound
from pai.foundation.refs import ResourceRef

MODEL: Final = "default-moderation"
FALLBACK: Final = "default-embedding"
FLAGGED: Final = 0.5
SAID_OUTRIGHT: Final = 0.9
MOST_TEXTS: Final = 64
MOST_CHARACTERS: Final = 100_000
BATCH: Final = 32
WINDOW: Final = 600
"""Characters that are compared at a time: a bad sentence in a long letter must not drown in it."""
NEAR: Final = 0.35
STRETCH: Final = 2.0


@dataclass(frozen=True, slots=True)
class Moderated:
    """Scores of a text by category, 0 to 1."""

    scores: dict[str, float]

    @property
    def flagged(self) -> bool:
        """Whether any category is."""
        return any(score >= FLAGGED for score in self.scores.values())


@dataclass(frozen=True, slots=True)
class Moderation:
    """Use cases on moderation. ``examples`` are the vectors of the examples, by model."""

    work: Work[ModelsUnit]
    policy: Policy
    engines: Engines
    examples: dict[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)

    async def moderate(self, actor: Actor, texts: Sequence[str]) -> tuple[str, list[Moderated]]:
        """Return what scored, and the scores of each text. Raises Invalid, Denied, Unsupported, Unavailable."""
        self.policy.decide(actor, Permission.MODERATE, ResourceRef("model", MODEL))
        if len(texts) > MOST_TEXTS or sum(map(len, texts)) > MOST_CHARACTERS:
            most = f"{MOST_TEXTS} texts of {MOST_CHARACTERS} characters together"
            raise Invalid(f"at most {most} are moderated at once", code="too_long")
        engine = await self._engine()
        event = TextsModerated(resource=ResourceRef("model", engine.model.name), model=engine.model, texts=len(texts))
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        known = await self._known(engine)
        return f"{NAME} ({engine.model.name})", [await _moderated(engine, text, known) for text in texts]

    async def _engine(self) -> Engine:
        try:
            return await self.engines.get(MODEL, frozenset({Capability.EMBED}))
        except NotFound:
            return await self.engines.get(FALLBACK, frozenset({Capability.EMBED}))

    async def _known(self, engine: Engine) -> tuple[tuple[float, ...], ...]:
        key = engine.model.sha256 or engine.model.name
        if key not in self.examples:
            told = [text for texts in EXAMPLES.values() for text in texts]
            found = await engine.embed([*told, *HARMLESS])
            self.examples[key] = tuple(floats(vector) for vector in found.vectors)
        return self.examples[key]


async def _moderated(engine: Engine, text: str, known: Sequence[Sequence[float]]) -> Moderated:
    windows = _windows(text)
    vectors: list[bytes] = []
    for start in range(0, len(windows), BATCH):
        vectors += (await engine.embed(windows[start : start + BATCH])).vectors
    # In a thread: a long text has millions of products, and others are waiting for the event loop.
    return await asyncio.to_thread(_scored, text, vectors, known)


def _scored(text: str, vectors: Sequence[bytes], known: Sequence[Sequence[float]]) -> Moderated:
    scores = {name: SAID_OUTRIGHT if any(p.search(text) for p in PATTERNS[name]) else 0.0 for name in EXAMPLES}
    for vector in vectors:
        for name, score in _by_meaning(floats(vector), known).items():
            scores[name] = max(scores[name], score)
    return Moderated({name: round(score, 6) for name, score in scores.items()})


def _windows(text: str) -> list[str]:
    return [text[at : at + WINDOW] for at in range(0, max(1, len(text)), WINDOW)]


def _by_meaning(vector: Sequence[float], known: Sequence[Sequence[float]]) -> dict[str, float]:
    nearness = [sum(a * b for a, b in zip(vector, other, strict=True)) for other in known]
    harmless = max(nearness[len(nearness) - len(HARMLESS) :])
    scores, at = {}, 0
    for name, examples in EXAMPLES.items():
        nearest = max(nearness[at : at + len(examples)])
        at += len(examples)
        scores[name] = min(1.0, max(0.0, 0.5 + STRETCH * (nearest - max(NEAR, harmless) - 0.1))) if nearest > 0 else 0.0
    return scores
