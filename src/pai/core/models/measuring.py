"""How fast a model answers here: a fixed prompt that holds nobody's words, timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pai.core.models.events import SpeedMeasured
from pai.core.models.generation import generation
from pai.core.models.ports import ModelsUnit
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.engine import ChatMessage, ChatRequest, Engines, Usage
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Unavailable
from pai.foundation.refs import ModelRef, ResourceRef

_SENTENCE: Final = "The {n}th box holds {n} red, {m} blue and no green marbles, and stands left of the next one. "
_PROMPT: Final = (
    "".join(_SENTENCE.format(n=n, m=2 * n) for n in range(4, 16))
    + "Count from one to one hundred in words, nothing else."
)
_TOKENS: Final = 64


@dataclass(frozen=True, slots=True)
class Speed:
    """What a fixed prompt took. The prompt's time ends with the first token, which is not counted among those generated."""

    model: ModelRef
    prompt_tokens: int
    prompt_seconds: float
    generated_tokens: int
    generated_seconds: float

    @property
    def prompt_rate(self) -> float:
        """Tokens of the prompt read per second."""
        return self.prompt_tokens / self.prompt_seconds if self.prompt_seconds > 0 else 0.0

    @property
    def generated_rate(self) -> float:
        """Tokens written per second, one answer alone."""
        return self.generated_tokens / self.generated_seconds if self.generated_seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Measuring:
    """Times models. ``seconds`` is a clock that never goes back."""

    work: Work[ModelsUnit]
    policy: Policy
    engines: Engines
    seconds: Callable[[], float]

    async def speed(self, actor: Actor, name: str) -> Speed:
        """Return how fast a model answers now. Raises NotFound, Unsupported or Unavailable as engines do."""
        resource = ResourceRef("model", name)
        self.policy.decide(actor, Permission.STATUS, resource)
        request = ChatRequest((ChatMessage("user", _PROMPT),), max_tokens=_TOKENS, temperature=0.0, seed=1)
        engine = await self.engines.get(name, request.needs)
        event = SpeedMeasured(resource=ResourceRef("model", engine.model.name), model=engine.model)
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        began = first = last = self.seconds()
        usage = None
        async with generation(engine, request) as deltas:
            async for delta in deltas:
                last = self.seconds()
                first = last if first == began else first
                usage = delta.usage or usage
        if usage is None:
            raise Unavailable("the engine counted no tokens", code="not_measured")
        return _speed(engine.model, usage, first - began, last - first)


def _speed(model: ModelRef, usage: Usage, prompt: float, generated: float) -> Speed:
    return Speed(model, usage.prompt_tokens, prompt, max(0, usage.completion_tokens - 1), generated)
