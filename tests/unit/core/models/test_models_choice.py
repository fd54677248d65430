"""What `pai models show` says about a model's engine follows from what was measured here, and from nothing else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from pai.core.models.choice import explained
from pai.core.models.values import Measurement, Model, ModelFile, ModelRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = ModelRecord("somewhere", "a licence", "unknown", "unknown")
SOURCE = Model("m", "chat", "llama.cpp", "gguf", (ModelFile("model.gguf", "a" * 64, 9),), 8192, None, RECORD, b"", NOW)
MADE = dataclasses.replace(
    SOURCE, name="m-openvino", engine="openvino", files=(ModelFile("openvino_model.bin", "b" * 64, 9),),
    record=dataclasses.replace(RECORD, origin=f"somewhere. Made into OpenVINO's format here, from {'a' * 64}"),
)  # fmt: skip


def measured(model: Model, prompt: float, answer: float) -> Measurement:
    return Measurement(model.name, model.sha256, "a processor", 300, prompt, answer, 1.0, None, 0, NOW)


def test_both_measured_are_compared() -> None:
    found = {"m": measured(SOURCE, 50.0, 20.0), "m-openvino": measured(MADE, 200.0, 10.0)}
    told = explained(MADE, found, (SOURCE, MADE))
    assert "6.0 s, less than the 10.0 s of m on llama.cpp" in told
    assert "10 tokens/s against 20" in told
    assert "pai models activate m" in told
    assert "10.0 s, more than the 6.0 s of m-openvino" in explained(SOURCE, found, (SOURCE, MADE))


def test_what_was_not_measured_is_not_claimed() -> None:
    told = explained(MADE, {"m": measured(SOURCE, 50.0, 20.0)}, (SOURCE, MADE))
    assert "Not measured here yet" in told
    assert " s, " not in told


def test_a_model_alone_is_compared_with_nothing() -> None:
    other = dataclasses.replace(SOURCE, name="other", files=(ModelFile("model.gguf", "c" * 64, 9),))
    told = explained(SOURCE, {"m": measured(SOURCE, 50.0, 20.0)}, (SOURCE, other))
    assert "other" not in told
    assert "activate" not in told
