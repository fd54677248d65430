"""The same model on both engines, one after the other in each round: prompt, answer, several users, a prompt asked again, loading.

    python benchmarks/engines_speed.py [--rounds 5]

Real workers behind their walls, without the gateway: what the choice of an engine is worth. The peer is llama.cpp's wheel. The
converted form is made first where it is not there (``.cache/models``).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chat_speed import WORDS
from figures import keep, middle, ratios

from pai.adapters.engines.conversion import WorkerConverter
from pai.adapters.engines.model_files import Examiner
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.system.processors import available_memory
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Form, Model, ModelFile, ModelRecord
from pai.core.ports.engine import ChatMessage, ChatRequest, Engine

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "models"
SOURCE = "qwen2.5-coder-1.5b-instruct"
RECORD = ModelRecord("benchmark", "benchmark", "benchmark", "benchmark")


def model(name: str, engine: str, files: tuple[ModelFile, ...]) -> Model:
    return Model(name, "chat", engine, engine, files, 8192, None, RECORD, b"", datetime.now(UTC))


def listed(folder: Path) -> tuple[ModelFile, ...]:
    import hashlib

    names = ("openvino_model.bin", "openvino_model.xml", "tokenizer.json", "chat.json", "model.gguf")
    found = [folder / name for name in names if (folder / name).exists()]
    return tuple(
        ModelFile(path.name, hashlib.file_digest(path.open("rb"), "sha256").hexdigest(), path.stat().st_size)
        for path in found
    )


def text(chance: random.Random, words: int) -> str:
    return "Remember: " + " ".join(chance.choice(WORDS) for _ in range(words)) + ". Tell a long story of it."


async def said(engine: Engine, prompt: str, tokens: int, user: str = "") -> dict[str, float]:
    began, first, usage = time.monotonic(), 0.0, None
    request = ChatRequest((ChatMessage("user", prompt),), max_tokens=tokens, temperature=0.0, cache_key=user)
    async for delta in engine.chat(request):
        if delta.text and not first:
            first = time.monotonic() - began
        usage = delta.usage or usage
    assert usage is not None
    seconds = time.monotonic() - began
    rate = (usage.completion_tokens - 1) / max(seconds - first, 1e-6)
    return {
        "first": first,
        "seconds": seconds,
        "tokens": usage.completion_tokens,
        "prompt": usage.prompt_tokens,
        "rate": rate,
    }


async def together(engine: Engine, chance: random.Random, users: int, tokens: int) -> float:
    prompts = [f"Tell a long story with these words: {' '.join(chance.sample(WORDS, 10))}." for _ in range(users)]
    began = time.monotonic()
    told = await asyncio.gather(*(said(engine, prompt, tokens) for prompt in prompts))
    return sum(one["tokens"] for one in told) / (time.monotonic() - began)


async def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    launcher = LocalLauncher(folder / "w", child_environment())
    async with AsyncExitStack() as stack:
        stack.callback(launcher.close)
        source = model(SOURCE, "llama.cpp", listed(CACHE / SOURCE))
        target = f"{SOURCE}-openvino"
        if not (CACHE / target / "chat.json").exists():
            (folder / SOURCE).mkdir()
            os.link(CACHE / SOURCE / "model.gguf", folder / SOURCE / "model.gguf")
            examiner = Examiner(lambda _: None, ModelCheck(launcher))
            converter = WorkerConverter(launcher, folder, examiner, available_memory)
            await converter.convert(source, target, Form("openvino-ir", "openvino"))
            (folder / target).rename(CACHE / target)
        models = {m.name: m for m in (source, model(target, "openvino", listed(CACHE / target)))}

        async def find(name: str) -> Model | None:
            return models.get(name)

        options = {"context_length": 8192, "parallel": 8, "threads": 0}
        engines, loading = {}, {}
        for name in models:
            registry = EngineRegistry(
                launcher, CACHE, find, lambda _: None, ModelCheck(launcher), lambda *_: 1, options
            )
            began = time.monotonic()
            engines[name] = await registry.get(name)
            loading[name] = time.monotonic() - began
        return {"load_seconds": loading, **await rounds(arguments, engines)}


async def rounds(arguments: argparse.Namespace, engines: dict[str, Engine]) -> dict[str, Any]:
    found: dict[str, dict[str, list[float]]] = {name: {} for name in engines}
    for number in range(arguments.rounds + 1):
        for name in sorted(engines, reverse=bool(number % 2)):
            chance, engine = random.Random(number), engines[name]
            long, user = text(chance, 1100), f"user{number}"
            cold, warm = await said(engine, long, 2, user), await said(engine, long, 2, user)
            figures = {
                "prompt_tokens": cold["prompt"], "first_token_cold": cold["first"], "first_token_cached": warm["first"],
                "prompt_rate": cold["prompt"] / cold["first"],
                "answer_rate": (await said(engine, text(chance, 8), 64))["rate"],
                **{f"together_{users}": await together(engine, chance, users, 48) for users in (1, 4, 8)},
            }  # fmt: skip
            if number:  # the first round warms up
                for key, value in figures.items():
                    found[name].setdefault(key, []).append(value)
    bare, ours = (found[name] for name in engines)
    return {
        "medians": {name: {key: middle(values) for key, values in told.items()} for name, told in found.items()},
        "openvino_to_llama": {key: ratios(ours[key], bare[key]) for key in bare},
        "cached_to_cold": {name: ratios(told["first_token_cached"], told["first_token_cold"]) for name, told in found.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        keep("engines_speed", asyncio.run(measure(arguments, Path(folder))))


if __name__ == "__main__":
    main()
