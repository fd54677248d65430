"""Why a model runs on the engine it runs on, in words for its owner, from what was measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pai.core.models.values import Measurement, Model

_KNOWN: Final[Mapping[str, str]] = {
    "llama.cpp": "llama.cpp runs GGUF files as they are, on every processor, and loads in a few seconds.",
    "openvino": "OpenVINO reads prompts faster and serves several users faster where the processor multiplies 8-bit numbers "
    "natively; it takes more memory and longer to load.",
    "onnxruntime": "ONNX Runtime is the engine for embeddings here.",
    "echo": "The echo engine repeats what it is told; it is for trying things out.",
}


def explained(model: Model, found: Mapping[str, Measurement], models: Sequence[Model]) -> str:
    """Return the reason. ``found`` are measurements on this machine by name, ``models`` all that are installed."""
    told = [_KNOWN.get(model.engine, f"{model.engine} is the only engine here for its format.")]
    others = [other for other in models if other.name != model.name and _same_source(model, other)]
    here = found.get(model.name)
    if here is None and model.task == "chat":
        told.append(f"Not measured here yet: pai models advise --measure --model {model.name}")
    for other in others:
        there = found.get(other.name)
        if here is None or there is None:
            told.append(f"The same model on {other.engine} is {other.name}; measure both to compare them here.")
            continue
        quicker = "less" if here.question_seconds <= there.question_seconds else "more"
        told.append(
            f"Measured here, a question to documents takes about {here.question_seconds:.1f} s, {quicker} than the "
            f"{there.question_seconds:.1f} s of {other.name} on {other.engine}; a single answer is written at {here.answer_rate:.0f} "
            f"tokens/s against {there.answer_rate:.0f}."
        )
    if others:
        told.append(f"To change it: pai models activate {others[0].name}")
    return " ".join(told)


def _same_source(one: Model, other: Model) -> bool:
    """Whether one was made here from the other: its record names the other's hash."""
    return bool(one.sha256 and other.sha256) and (
        one.sha256 in other.record.origin or other.sha256 in one.record.origin
    )
