"""Models made into another format: the output inherits its source's record, is signed anew, and says how it compares."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pai.core.models.events import ModelActivated, ModelConverted
from pai.core.models.generation import generation
from pai.core.models.ports import Converter, ModelsUnit
from pai.core.models.values import Form, Model
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import ChatMessage, ChatRequest, Engine, Engines
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, Unsupported
from pai.foundation.refs import ModelRef, ResourceRef

CONTROL = (
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

_TEXT = " ".join(question for question, _ in CONTROL)
_NEW_TOKENS = 24


@dataclass(frozen=True, slots=True)
class Measured:
    """A model as measured here: tokens per second of a prompt and of an answer for one user, seconds to load (0 when it was loaded),
    and how many control questions it answers rightly."""

    prompt_rate: float
    answer_rate: float
    load_seconds: float
    right: int

    @property
    def question_seconds(self) -> float:
        """What a question to documents takes: some 400 tokens of passages to read, some 40 to write."""
        return 400 / self.prompt_rate + 40 / max(self.answer_rate, 1e-3)


@dataclass(frozen=True, slots=True)
class Converted:
    """The new model, and what was measured before and after; None when that was not asked for."""

    model: Model
    before: Measured | None = None
    after: Measured | None = None


async def measured(engines: Engines, name: str) -> Measured:
    """Measure a model. Raises as ``Engines.get``."""
    began = time.monotonic()
    engine = await engines.get(name)
    loaded = time.monotonic() - began
    right = 0
    for question, wanted in CONTROL:
        answer, _, _ = await _timed(engine, question, _NEW_TOKENS)
        right += wanted in answer.lower()
    _, first, read = await _timed(engine, _TEXT, 1)
    _, timed, told = await _timed(engine, "Count from one to thirty in words.", _NEW_TOKENS)
    rate = (told[1] - 1) / max(timed[1] - timed[0], 1e-3)
    return Measured(read[0] / first[0], rate, loaded, right)


async def _timed(engine: Engine, text: str, tokens: int) -> tuple[str, tuple[float, float], tuple[int, int]]:
    """Return the answer, the seconds to its first word and to its end, and the tokens of prompt and answer."""
    began, first, answer, counted = time.monotonic(), 0.0, "", (0, 0)
    request = ChatRequest((ChatMessage("user", text),), max_tokens=tokens, temperature=0.0)
    async with generation(engine, request) as deltas:
        async for delta in deltas:
            answer += delta.text
            first = first or time.monotonic() - began
            if delta.usage is not None:
                counted = (delta.usage.prompt_tokens, delta.usage.completion_tokens)
    return answer, (first, time.monotonic() - began), counted


@dataclass(frozen=True, slots=True)
class Conversions:
    """Use cases on formats of models. ``sign`` signs what was just made with this installation's model key."""

    work: Work[ModelsUnit]
    policy: Policy
    converter: Converter
    sign: Callable[[Model], bytes]
    clock: Clock
    engines: Engines

    async def convert(
        self,
        actor: Actor,
        name: str,
        *,
        to: str = "",
        quantisation: str = "",
        measure: bool = True,
        activate: bool = True,
    ) -> Converted:
        """Make a chat model into another format, by default GGUF into OpenVINO's and safetensors into GGUF; with ``activate`` its
        aliases move to the new one, unless it was measured to answer more control questions wrongly, or questions to documents
        more slowly.

        Raises NotFound, Denied, Unsupported (the model stays as it is), Unavailable.
        """
        source = await self._known(actor, name)
        form, suffix = _form(source, to, quantisation)
        target = f"{source.name}-{suffix}"
        made = await self.work.read(lambda unit: unit.models.get(target))
        if made is None:
            made = dataclasses.replace(
                source, name=target, engine=form.engine, format=form.format, aliases=(), signature=b"",
                files=await self.converter.convert(source, target, form), imported_at=self.clock.now(),
                record=dataclasses.replace(
                    source.record, origin=f"{source.record.origin}. Made into {_told(form)} here, from {source.sha256}"
                ),
            )  # fmt: skip
            await self._keep(actor, source, made)
        before = await self._before(source) if measure else None
        after = await measured(self.engines, target) if measure else None
        worse = (
            before is not None
            and after is not None
            and (after.right < before.right or after.question_seconds > before.question_seconds)
        )
        if activate and not worse:
            await self.activate(actor, target, source.aliases)
        return Converted(await self._known(actor, target), before, after)

    async def activate(self, actor: Actor, name: str, aliases: Sequence[str]) -> Model:
        """Point aliases at a model; what they pointed at stays and can be activated again. Raises NotFound, Denied."""
        model = await self._known(actor, name)
        if unknown := [alias for alias in aliases if not alias.startswith("default")]:
            raise Unsupported(f"{unknown[0][:100]!r} is no alias", code="bad_alias", hint="such as default")

        def write(unit: ModelsUnit) -> None:
            for alias in aliases:
                unit.models.set_alias(alias, model.name)
            unit.audit.record(
                actor, ModelActivated(resource=_ref(model), model=_version(model), aliases=tuple(aliases))
            )

        await self.work.run(write)
        return await self._known(actor, name)

    async def _before(self, source: Model) -> Measured | None:
        """Measure a model that may need an engine that is not installed: then nothing is known of it."""
        try:
            return await measured(self.engines, source.name)
        except Unsupported:
            return None

    async def _known(self, actor: Actor, name: str) -> Model:
        self.policy.decide(actor, Permission.MODELS_MANAGE, ResourceRef("model", name))
        model = await self.work.read(lambda unit: unit.models.get(name))
        if model is None:
            raise NotFound(
                f"the model {name[:100]!r} is not here", code="model_not_found", hint="see `pai models list`"
            )
        return model

    async def _keep(self, actor: Actor, source: Model, made: Model) -> None:
        signed = dataclasses.replace(made, signature=self.sign(made))
        event = ModelConverted(
            resource=_ref(made),
            model=_version(made),
            source=source.name,
            source_sha256=source.sha256,
            format=made.format,
        )

        def write(unit: ModelsUnit) -> None:
            unit.models.add(signed)
            unit.audit.record(actor, event)

        await self.work.run(write)


def _form(source: Model, to: str, quantisation: str) -> tuple[Form, str]:
    """Return what a model is made into, and how the new name ends. Raises Unsupported."""
    wanted = to or ("gguf" if source.engine == "transformers" else "openvino")
    if source.task == "chat":
        match source.engine, wanted, quantisation:
            case "llama.cpp", "openvino", "":
                return Form("openvino-ir", "openvino"), "openvino"
            case "transformers", "gguf", "" | "F16" | "Q8_0":
                kind = quantisation or "Q8_0"
                return Form("gguf", "llama.cpp", kind), kind.lower()
    raise Unsupported(
        f"{source.name} cannot be made into {wanted} {quantisation}".rstrip(), code="unsupported_conversion",
        hint="GGUF chat models become openvino, safetensors become gguf (F16 or Q8_0)",
    )  # fmt: skip


def _told(form: Form) -> str:
    return f"GGUF ({form.quantisation})" if form.format == "gguf" else "OpenVINO's format"


def _ref(model: Model) -> ResourceRef:
    return ResourceRef("model", model.name)


def _version(model: Model) -> ModelRef:
    return ModelRef(model.name, model.sha256)
