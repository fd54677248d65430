"""Encoders as safetensors, made into ONNX in a worker of its own, give the vectors and scores that the paper's formulas give."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

import engine_models
from pai.adapters.engines.conversion import WorkerConverter
from pai.adapters.engines.model_files import Examiner, files_of
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.models.encoder_folder import prepare_encoder
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Form, Model
from pai.foundation.errors import Unsupported
from tiny_encoder import CONFIG, hidden, logits_of, mean_of, tiny_encoder

SENTENCE, IDS = "the ferry leaves at noon", [2, 6, 7, 9, 10, 11, 3]
ASKED = "when does the ferry leave"
PAIR, KINDS = [2, 4, 5, 6, 7, 8, 3, 6, 7, 9, 10, 11, 3], [0] * 7 + [1] * 6


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[WorkerConverter, EngineRegistry, dict[str, Model]]]:
    launcher = LocalLauncher(folder / "w", child_environment())
    made: dict[str, Model] = {}

    async def find(name: str) -> Model | None:
        return made.get(name)

    check = ModelCheck(launcher)
    registry = EngineRegistry(launcher, folder / "models", find, lambda _: None, check, lambda *_: 1, {"threads": 2})
    try:
        yield (
            WorkerConverter(launcher, folder / "models", Examiner(lambda _: None, check), lambda: 1 << 40),
            registry,
            made,
        )
    finally:
        await registry.close()
        launcher.close()


def brought(folder: Path, task: str, engine: str) -> Model:
    prepare_encoder(task, folder / "brought", folder / "models" / "tiny")
    return engine_models.model_of(folder / "models", "tiny", task, engine, files_of(engine), CONFIG.positions, None)


async def test_an_embedding_model(tmp_path: Path) -> None:
    weights = tiny_encoder(tmp_path / "brought")
    source = brought(tmp_path, "embedding", "encoder")
    ids = np.array([IDS])
    wanted = mean_of(hidden(weights, ids, np.ones_like(ids), np.zeros_like(ids)), np.ones_like(ids))[0]
    async with house(tmp_path) as (converter, registry, made):
        made["tiny"] = source
        with pytest.raises(Unsupported) as caught:
            await registry.get("tiny")
        assert (caught.value.code, caught.value.hint) == ("not_converted", "pai models convert tiny")
        for kind, least in (("F32", 0.99999), ("INT8", 0.99)):
            new = await converter.convert(source, kind, Form("onnx", "onnxruntime", kind))
            assert [file.path for file in new.files] == ["model.onnx", "tokenizer.json"]
            assert new.dimensions == CONFIG.width
            assert ("to the full weights over" in new.note) == (kind == "INT8")
            made[kind] = dataclasses.replace(
                source, name=kind, engine="onnxruntime", format="onnx", files=new.files, dimensions=32
            )
            engine = await registry.get(kind)
            vector = (await engine.embed([SENTENCE])).vectors[0]
            assert float(np.dot(struct.unpack("<32f", vector), wanted)) > least


async def test_a_reranker(tmp_path: Path) -> None:
    weights = tiny_encoder(tmp_path / "brought", labels=1)
    source = brought(tmp_path, "rerank", "cross-encoder")
    pair = np.array([PAIR])
    logit = logits_of(weights, hidden(weights, pair, np.ones_like(pair), np.array([KINDS])))[0, 0]
    async with house(tmp_path) as (converter, registry, made):
        new = await converter.convert(source, "made", Form("onnx", "onnxruntime", "F32"))
        assert new.dimensions is None
        made["made"] = dataclasses.replace(source, name="made", engine="onnxruntime", format="onnx", files=new.files)
        engine = await registry.get("made")
        found = await engine.rank(ASKED, [SENTENCE, "roses are red"])
        assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)


async def test_weights_of_another_model_end_in_a_sentence_and_leave_nothing(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "brought")
    config = tmp_path / "brought" / "config.json"
    config.write_text(config.read_text().replace('"intermediate_size": 64', '"intermediate_size": 128'))
    source = brought(tmp_path, "embedding", "encoder")
    async with house(tmp_path) as (converter, _, _):
        with pytest.raises(Unsupported, match="shape that the configuration says"):
            await converter.convert(source, "made", Form("onnx", "onnxruntime", "INT8"))
    assert not (tmp_path / "models" / "made").exists()
