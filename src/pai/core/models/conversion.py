"""Models made into another format: the output inherits its source's record, is signed anew, and says how it compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pai.core.models.events import ModelActivated, ModelConverted
from pai.core.models.measuring import Measuring
from pai.core.models.ports import Converter, ModelsUnit
from pai.core.models.values import ALIASES, SOURCES, Form, Measurement, Model
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, Unsupported
from pai.foundation.refs import ModelRef, ResourceRef

_TASKS = {alias: task for task, alias in ALIASES.items()}
"""What a model has to be for that an alias may mean it; other aliases mean models that chat."""


@dataclass(frozen=True, slots=True)
class Converted:
    """The new model, and what was measured before and after; None when that was not asked for."""

    model: Model
    before: Measurement | None = None
    after: Measurement | None = None


@dataclass(frozen=True, slots=True)
class Conversions:
    """Use cases on formats of models. ``sign`` signs what was just made with this installation's model key."""

    work: Work[ModelsUnit]
    policy: Policy
    converter: Converter
    sign: Callable[[Model], bytes]
    clock: Clock
    measuring: Measuring

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
        """Make a model into another format, by default GGUF into OpenVINO's, safetensors of a chat model into GGUF and those of an
        encoder into ONNX; with ``activate`` its
        aliases move to the new one, unless it was measured to answer more control questions wrongly, or questions to documents
        more slowly. From safetensors to OpenVINO leads over GGUF, which stays as a model of its own.

        Raises NotFound, Denied, Unsupported (the model stays as it is), Unavailable.
        """
        source = last = await self._known(actor, name)
        for form, suffix in _steps(source, to, quantisation):
            last = await self._made(actor, last, form, suffix)
        target = last.name
        measure = measure and source.task == "chat"  # what reads only was compared while it was made
        before = await self._before(actor, source) if measure else None
        after = await self.measuring.measure(actor, target, control=True) if measure else None
        worse = before is not None and after is not None and _worse(before, after)
        if activate and not worse:
            await self.activate(actor, target, source.aliases)
        return Converted(await self._known(actor, target), before, after)

    async def _made(self, actor: Actor, source: Model, form: Form, suffix: str) -> Model:
        target = f"{source.name}-{suffix}"
        made = await self.work.read(lambda unit: unit.models.get(target))
        if made is not None:
            return made
        new = await self.converter.convert(source, target, form)
        made = dataclasses.replace(
            source, name=target, engine=form.engine, format=form.format, aliases=(), signature=b"", files=new.files,
            dimensions=new.dimensions or source.dimensions, imported_at=self.clock.now(),
            record=dataclasses.replace(
                source.record, origin=f"{source.record.origin}. Made into {_told(form)} here, from {source.sha256}",
                known_gaps=" ".join(filter(None, (source.record.known_gaps, new.note))),
            ),
        )  # fmt: skip
        return await self._keep(actor, source, made)

    async def activate(self, actor: Actor, name: str, aliases: Sequence[str]) -> Model:
        """Point aliases at a model; what they pointed at stays and can be activated again. Raises NotFound, Denied."""
        model = await self._known(actor, name)
        if unknown := [alias for alias in aliases if not alias.startswith("default")]:
            raise Unsupported(f"{unknown[0][:100]!r} is no alias", code="bad_alias", hint="such as default")
        if wrong := [alias for alias in aliases if _TASKS.get(alias, "chat") != model.task]:
            # Vectors of another model, or none at all, would be compared with those that collections hold.
            raise Unsupported(
                f"{model.name} is for {model.task}, and {wrong[0]} is not",
                code="bad_alias",
                hint="see `pai models list`",
            )

        if aliases and model.engine in SOURCES:
            raise Unsupported(
                f"{model.name} is kept as safetensors, which its task is not run from", code="not_converted",
                hint=f"pai models convert {model.name}",
            )  # fmt: skip

        def write(unit: ModelsUnit) -> None:
            for alias in aliases:
                unit.models.set_alias(alias, model.name)
            unit.audit.record(
                actor, ModelActivated(resource=_ref(model), model=_version(model), aliases=tuple(aliases))
            )

        await self.work.run(write)
        return await self._known(actor, name)

    async def _before(self, actor: Actor, source: Model) -> Measurement | None:
        """Measure a model that may need an engine that is not installed: then nothing is known of it."""
        try:
            return await self.measuring.measure(actor, source.name, control=True)
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

    async def _keep(self, actor: Actor, source: Model, made: Model) -> Model:
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
        return signed


def _worse(before: Measurement, after: Measurement) -> bool:
    return (after.right or 0) < (before.right or 0) or after.question_seconds > before.question_seconds


def _steps(source: Model, to: str, quantisation: str) -> list[tuple[Form, str]]:
    """Return what a model is made into, one after the other, and how each new name ends. Raises Unsupported."""
    usual = {"transformers": "gguf", "encoder": "onnx", "cross-encoder": "onnx"}
    wanted = to or usual.get(source.engine, "openvino")
    if source.engine in SOURCES and wanted == "onnx" and quantisation in {"", "INT8", "F32"}:
        kind = quantisation or "INT8"
        return [(Form("onnx", "onnxruntime", kind), f"onnx-{kind.lower()}")]
    paged = (Form("openvino-ir", "openvino"), "openvino")
    if source.task == "chat":
        match source.engine, wanted, quantisation:
            case "llama.cpp", "openvino", "":
                return [paged]
            case "transformers", "gguf" | "openvino", "" | "F16" | "Q8_0":
                kind = quantisation or "Q8_0"
                first = (Form("gguf", "llama.cpp", kind), kind.lower())
                return [first] if wanted == "gguf" else [first, paged]
    raise Unsupported(
        f"{source.name} cannot be made into {wanted} {quantisation}".rstrip(), code="unsupported_conversion",
        hint="GGUF chat models become openvino, safetensors gguf or openvino (F16 or Q8_0), encoders onnx (INT8 or F32)",
    )  # fmt: skip


def _told(form: Form) -> str:
    return {"gguf": f"GGUF ({form.quantisation})", "onnx": f"ONNX ({form.quantisation})"}.get(
        form.format, "OpenVINO's format"
    )


def _ref(model: Model) -> ResourceRef:
    return ResourceRef("model", model.name)


def _version(model: Model) -> ModelRef:
    return ModelRef(model.name, model.sha256)
