"""The ONNX export, on small made-up weights against a plain numpy BERT; bounds of the safetensors reader."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pai.adapters.models.minilm_export import HEADS, LAYERS, WIDTH, export_minilm
from pai.adapters.models.safetensors_file import read_tensors
from pai.foundation.errors import Corrupt

VOCABULARY, POSITIONS, INNER = 50, 16, 64


def made_weights() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(7)

    def some(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": some(VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": some(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
    }
    shapes = {
        "attention.self.query": (WIDTH, WIDTH),
        "attention.self.key": (WIDTH, WIDTH),
        "attention.self.value": (WIDTH, WIDTH),
    }
    shapes |= {
        "attention.output.dense": (WIDTH, WIDTH),
        "intermediate.dense": (INNER, WIDTH),
        "output.dense": (WIDTH, INNER),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = some(*shape)
            weights[f"encoder.layer.{layer}.{name}.bias"] = some(shape[0])
        norms += [f"encoder.layer.{layer}.attention.output.LayerNorm", f"encoder.layer.{layer}.output.LayerNorm"]
    for name in norms:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = 1 + some(WIDTH), some(WIDTH)
    return weights


def write_safetensors(path: Path, weights: dict[str, NDArray[Any]]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in weights.items():
        data = value.tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def bert(
    weights: dict[str, NDArray[np.float32]], ids: NDArray[np.int64], mask: NDArray[np.int64]
) -> NDArray[np.float64]:
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    texts, tokens = ids.shape
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:tokens]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(LAYERS):
        p = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{p}attention.self.{n}").reshape(texts, tokens, HEADS, -1).transpose(0, 2, 1, 3)
            for n in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(WIDTH // HEADS) + (1 - mask)[:, None, None, :] * -1e4
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        joined = mixed.transpose(0, 2, 1, 3).reshape(texts, tokens, WIDTH)
        x = norm(linear(joined, f"{p}attention.output.dense") + x, f"{p}attention.output.LayerNorm")
        inner = linear(x, f"{p}intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(linear(inner, f"{p}output.dense") + x, f"{p}output.LayerNorm")
    mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True))


@pytest.mark.slow
def test_the_export_computes_bert_and_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    import onnxruntime

    weights = made_weights()
    write_safetensors(tmp_path / "model.safetensors", weights)
    for name in ("a.onnx", "b.onnx"):
        export_minilm(tmp_path / "model.safetensors", tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.onnx", "b.onnx"))
    assert first == second
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "b.onnx", "model.safetensors"]
    session = onnxruntime.InferenceSession(first, providers=["CPUExecutionProvider"])
    ids = np.array([[2, 7, 9, 11, 3], [2, 30, 3, 0, 0]], dtype=np.int64)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=np.int64)
    found = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * bert(weights, ids, mask)).sum(axis=1).min() > 0.99


def test_missing_weights_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    weights = made_weights()
    del weights["encoder.layer.3.output.dense.bias"]
    write_safetensors(tmp_path / "model.safetensors", weights)
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
