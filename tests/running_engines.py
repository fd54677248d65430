"""Engines in real worker processes, for tests of what they keep."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import engine_models
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Model
from pai.core.ports.engine import ChatDelta, ChatMessage, ChatRequest, Engine
from tiny_families import FAMILIES

OPTIONS = {"context_length": 512, "parallel": 2, "threads": 2}
CHAT = [
    pytest.param(engine_models.echo, id="echo"),
    pytest.param(engine_models.tiny_llama, id="tiny-llama"),
    pytest.param(engine_models.tiny_openvino, id="tiny-openvino"),
    *(pytest.param(engine_models.tiny_torch(one), id=f"torch-{one}", marks=pytest.mark.extra) for one in FAMILIES),
    pytest.param(engine_models.llama, id="llama", marks=pytest.mark.model),
]
TINY = [
    pytest.param(engine_models.tiny_llama, id="tiny-llama"),
    pytest.param(engine_models.tiny_openvino, id="tiny-openvino"),
    # One family with positions in its keys, and one that adds them to its scores.
    *(
        pytest.param(engine_models.tiny_torch(one), id=f"torch-{one}", marks=pytest.mark.extra)
        for one in ("llama", "bloom")
    ),
]
EMBEDDING = [
    pytest.param(engine_models.echo, id="echo"),
    pytest.param(engine_models.tiny_onnx, id="tiny-onnx"),
    pytest.param(engine_models.minilm, id="minilm", marks=pytest.mark.model),
]


@asynccontextmanager
async def registry_for(model: Model, folder: Path) -> AsyncIterator[tuple[EngineRegistry, LocalLauncher]]:
    launcher = LocalLauncher(folder / "w", child_environment())

    async def find(name: str) -> Model | None:
        return model if name in {model.name, *model.aliases} else None

    registry = EngineRegistry(
        launcher, folder / "models", find, lambda _: None, ModelCheck(launcher), lambda *_: 1, OPTIONS
    )
    try:
        yield registry, launcher
    finally:
        await registry.close()
        launcher.close()


@asynccontextmanager
async def running(make: Callable[[Path], Model], folder: Path) -> AsyncIterator[Engine]:
    async with registry_for(make(folder / "models"), folder) as (registry, _):
        yield await registry.get("default")


def asking(text: str, **options: Any) -> ChatRequest:
    return ChatRequest((ChatMessage("user", text),), **{"temperature": 0.0, "max_tokens": 16, **options})


async def whole(engine: Engine, request: ChatRequest) -> tuple[str, ChatDelta]:
    deltas = [delta async for delta in engine.chat(request)]
    assert all(delta.finish_reason is None and delta.usage is None for delta in deltas[:-1])
    return "".join(delta.text for delta in deltas), deltas[-1]


def process_of(folder: Path) -> Path:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if f"--run={folder}" in (entry / "cmdline").read_text():
                    return entry
    raise AssertionError("no such worker")
