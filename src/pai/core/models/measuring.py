"""How fast, and how rightly, a model answers on this machine: fixed prompts that hold nobody's words, timed; kept for each model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pai.core.models.choice import explained
from pai.core.models.events import SpeedMeasured
from pai.core.models.generation import generation
from pai.core.models.ports import ModelsUnit
from pai.core.models.values import Measurement, Model
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import ChatMessage, ChatRequest, Engine, Engines
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, Unavailable
from pai.foundation.refs import ResourceRef

CONTROL: Final = (
    ("The meeting of the board is on 14 May at 9:30 in room 12. When is the meeting?", "14 may"),
    ("Refunds take 14 days and are free of charge. How long do refunds take?", "14 days"),
    ("Invoice 4711 amounts to 1,250.40 euros. What is the amount of invoice 4711?", "1,250.40"),
    ("Berta Kiesel keeps the key; Otto Lang keeps the seal. Who keeps the seal?", "otto lang"),
    ("Visitors enter by the north gate; deliveries use the south gate. Which gate do deliveries use?", "south"),
    ("The contract began in 2019 and ends in 2027. In which year does it end?", "2027"),
    ("Take 5 ml in the morning and 10 ml at night. How much is taken at night?", "10 ml"),
    ("What is the capital of France?", "paris"),
    ("What is 7 plus 5?", "12"),
    ("Which planet is called the red planet?", "mars"),
)
"""Control questions and what a right answer holds. Easy on purpose: a conversion that loses one has broken something."""

_PASSAGES: Final = " ".join(question for question, _ in CONTROL)
_STORY: Final = "Tell a story about a lighthouse keeper who finds a letter."
"""Little in it is said twice: engines that guess from what was said before gain nothing, so the rate is not flattering."""
_TOKENS: Final = 48
_SHORT: Final = 24


@dataclass(frozen=True, slots=True)
class Measuring:
    """Times models. ``seconds`` is a clock that never goes back, ``processor`` the name of this machine's."""

    work: Work[ModelsUnit]
    policy: Policy
    engines: Engines
    clock: Clock
    seconds: Callable[[], float]
    processor: str

    async def measure(self, actor: Actor, name: str, *, control: bool = False) -> Measurement:
        """Measure a model now and keep the outcome; with ``control`` it is asked the control questions too.

        Raises NotFound, Unsupported or Unavailable as engines do.
        """
        self.policy.decide(actor, Permission.STATUS, ResourceRef("model", name))
        began = self.seconds()
        engine = await self.engines.get(name, _request("", 1).needs)
        loaded = self.seconds() - began
        event = SpeedMeasured(resource=ResourceRef("model", engine.model.name), model=engine.model)
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        right = 0
        for question, wanted in CONTROL if control else ():
            right += wanted in (await self._timed(engine, question, _SHORT)).text.lower()
        await self._timed(engine, "Hello", 1)  # the first answer of an engine also lays out its memory
        read = await self._timed(engine, _PASSAGES, 1)
        told = await self._timed(engine, _STORY, _TOKENS)
        found = Measurement(
            name=engine.model.name, sha256=engine.model.sha256, processor=self.processor,
            prompt_tokens=read.prompt_tokens, prompt_rate=_rate(read.prompt_tokens, read.first),
            answer_rate=_rate(told.tokens - 1, told.end - told.first), load_seconds=round(loaded, 3),
            right=right if control else None, questions=len(CONTROL) if control else 0, measured_at=self.clock.now(),
        )  # fmt: skip
        await self.work.run(lambda unit: unit.models.measured(found))
        return found

    async def explained(self, actor: Actor, name: str) -> tuple[Model, Measurement | None, str]:
        """Return a model by name or alias, its last measurement as it is now and on this processor, and why it runs on its engine."""
        self.policy.decide(actor, Permission.MODELS_LIST, ResourceRef("model", name))
        models, found = await self.work.read(lambda unit: (unit.models.list(), unit.models.measurements()))
        for model in models:
            if name in (model.name, *model.aliases):
                current = {one.name: one for one in found if self._current(one, models)}
                return model, current.get(model.name), explained(model, current, models)
        raise NotFound(f"the model {name[:100]!r} is not here", code="model_not_found", hint="see `pai models list`")

    def _current(self, one: Measurement, models: Sequence[Model]) -> bool:
        same = any((model.name, model.sha256) == (one.name, one.sha256) for model in models)
        return same and one.processor == self.processor

    async def _timed(self, engine: Engine, text: str, tokens: int) -> _Answer:
        began, first, answer, usage = self.seconds(), 0.0, "", None
        async with generation(engine, _request(text, tokens)) as deltas:
            async for delta in deltas:
                answer += delta.text
                if delta.waiting is None:
                    first = first or self.seconds() - began
                usage = delta.usage or usage
        if usage is None:
            raise Unavailable("the engine counted no tokens", code="not_measured")
        return _Answer(answer, first, self.seconds() - began, usage.prompt_tokens, usage.completion_tokens)


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer, the seconds to its first word and to its end, and the tokens of prompt and answer."""

    text: str
    first: float
    end: float
    prompt_tokens: int
    tokens: int


def _request(text: str, tokens: int) -> ChatRequest:
    return ChatRequest((ChatMessage("user", text),), max_tokens=tokens, temperature=0.0, seed=1)


def _rate(tokens: int, seconds: float) -> float:
    return max(0, tokens) / max(seconds, 1e-3)
