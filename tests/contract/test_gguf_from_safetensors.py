"""Safetensors made into GGUF say on llama.cpp what they said on PyTorch; the conversion runs in its own worker."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import engine_models
from pai.adapters.engines.conversion import WorkerConverter
from pai.adapters.engines.model_files import Examiner
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.adapters.workers.paged.vocabulary import Vocabulary
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Form, Model
from pai.core.ports.engine import ChatRequest
from pai.foundation.errors import Unsupported
from tiny_families import generated

pytestmark = pytest.mark.extra
OPTIONS = {"context_length": 512, "parallel": 1, "threads": 2}


@pytest.mark.parametrize("family", ["llama", "qwen", "qwen3", "llama-bf16", "llama-tied"])
async def test_a_converted_model_says_the_same(family: str, tmp_path: Path) -> None:
    source = engine_models.tiny_torch(family)(tmp_path / "models")
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    converter = WorkerConverter(
        launcher, tmp_path / "models", Examiner(lambda _: None, ModelCheck(launcher)), lambda: 1 << 40
    )
    made: dict[str, Model] = {}

    async def find(name: str) -> Model | None:
        return made.get(name)

    registry = EngineRegistry(
        launcher, tmp_path / "models", find, lambda _: None, ModelCheck(launcher), lambda *_: 1, OPTIONS
    )
    try:
        for kind in ("F16", "Q8_0"):
            files = await converter.convert(source, kind, Form("gguf", "llama.cpp", kind))
            assert [file.path for file in files] == ["model.gguf"]
            made[kind] = dataclasses.replace(source, name=kind, engine="llama.cpp", format="gguf", files=files)
        assert made["Q8_0"].size < made["F16"].size < source.size or family == "llama-bf16"
        vocabulary = Vocabulary((tmp_path / "brought" / "tokenizer.json").read_bytes())
        prompt = vocabulary.encode("one two three and the")
        # llama.cpp tells tokens once their characters are whole: parts of such stay out of this.
        parts = [token for token, data in enumerate(vocabulary.tokens) if not data.isascii()]
        wanted = [vocabulary.tokens[token] for token in generated(tmp_path / "brought", prompt, 6, parts)]
        for kind in made:
            engine = await registry.get(kind)
            bias = dict.fromkeys(parts, -100.0)
            request = ChatRequest(prompt=tuple(prompt), max_tokens=6, temperature=0.0, top_logprobs=0, logit_bias=bias)
            said = [one.raw async for delta in engine.chat(request) for one in delta.logprobs]
            # Weights of noise lie close together: rounding them to bytes turns words of it, so that no more is asked there.
            assert said == wanted if kind == "F16" else len(said) >= 1
            assert await engine.count_tokens("one two three") == len(vocabulary.encode("one two three"))
    finally:
        await registry.close()
        launcher.close()


@pytest.mark.parametrize("family", ["mistral", "bloom"])
async def test_what_llama_cpp_would_compute_differently_is_refused(family: str, tmp_path: Path) -> None:
    source = engine_models.tiny_torch(family)(tmp_path / "models")
    launcher = LocalLauncher(tmp_path / "w", child_environment())
    converter = WorkerConverter(
        launcher, tmp_path / "models", Examiner(lambda _: None, ModelCheck(launcher)), lambda: 1 << 40
    )
    try:
        with pytest.raises(Unsupported):
            await converter.convert(source, "made", Form("gguf", "llama.cpp", "F16"))
        assert not (tmp_path / "models" / "made").exists()
    finally:
        launcher.close()
