"""The ONNX export of encoders, on small made-up weights against plain numpy; bounds of the safetensors reader."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pai.adapters.models.encoder_export import MINILM, Head, export_encoder, export_minilm
from pai.adapters.models.safetensors_file import read_tensors
from pai.foundation.errors import Corrupt
from tiny_encoder import CONFIG, hidden, logits_of, made_weights, mean_of, unit, write_safetensors

IDS = np.array([[2, 7, 9, 11, 3], [2, 13, 3, 0, 0]], dtype=np.int64)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=np.int64)
KINDS = np.array([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]], dtype=np.int64)


@pytest.mark.parametrize("head", list(Head))
def test_the_graph_computes_what_the_paper_says(head: Head, tmp_path: Path) -> None:
    import onnxruntime

    labels = 2 if head is Head.CLASSIFIER else 0
    weights = made_weights(labels=labels, prefix="bert." if labels else "")
    export_encoder(weights, CONFIG, head, tmp_path / "small.onnx", name="tiny", full=tmp_path / "full.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full.onnx", "small.onnx"]
    feeds = {"input_ids": IDS, "attention_mask": MASK}
    if labels:
        states = hidden(weights, IDS, MASK, KINDS)
        wanted, feeds["token_type_ids"] = logits_of(weights, states), KINDS
    else:
        states = hidden(weights, IDS, MASK, np.zeros_like(KINDS))
        wanted = mean_of(states, MASK) if head is Head.MEAN else unit(states[:, 0])
    for name, far in (("full", 2e-5), ("small", 0.05)):
        session = onnxruntime.InferenceSession(
            (tmp_path / f"{name}.onnx").read_bytes(), providers=["CPUExecutionProvider"]
        )
        found = session.run(None, feeds)[0]
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < far, name


@pytest.mark.slow
def test_minilm_is_written_with_the_same_bytes_twice(tmp_path: Path) -> None:
    small = dataclasses.replace(MINILM, words=50)
    write_safetensors(tmp_path / "model.safetensors", made_weights(small))
    for name in ("a.onnx", "b.onnx"):
        export_encoder(read_tensors(tmp_path / "model.safetensors"), small, Head.MEAN, tmp_path / name, name="x")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


@pytest.mark.parametrize("change", ["gone", "another shape", "too many labels"])
def test_weights_that_are_not_of_the_configuration_are_refused_and_leave_nothing(change: str, tmp_path: Path) -> None:
    weights = made_weights(labels=5 if change == "too many labels" else 0)
    if change == "gone":
        del weights["encoder.layer.1.output.dense.bias"]
    elif change == "another shape":
        weights["encoder.layer.0.intermediate.dense.weight"] = np.zeros((3, CONFIG.width), np.float32)
    head = Head.CLASSIFIER if change == "too many labels" else Head.MEAN
    with pytest.raises(Corrupt):
        export_encoder(weights, CONFIG, head, tmp_path / "out.onnx", name="x")
    assert not list(tmp_path.iterdir())


def test_other_weights_are_not_taken_for_those_of_minilm(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", made_weights())
    with pytest.raises(Corrupt):
        export_minilm(tmp_path / "model.safetensors", tmp_path / "out.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        (1 << 60).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b"nope",
        *(
            len(text).to_bytes(8, "little") + text + b"\x00" * 8
            for text in (
                b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}',
                b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}',
                b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}',
                b'{"a":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}',
                b'{"a":{"dtype":"PICKLE","shape":[2],"data_offsets":[0,8]}}',
                b'{"a":7}',
            )
        ),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(Corrupt):
        read_tensors(path)
