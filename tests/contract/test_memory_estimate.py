"""The estimate of a model's memory against what its real worker has resident."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path

import msgspec
import pytest

import engine_models
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.models.formats import validate
from pai.adapters.system.hardware import machine
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.advice import memory_of, shape_of
from pai.core.models.values import Model
from pai.core.ports.engine import ChatMessage, ChatRequest

pytestmark = [pytest.mark.model, pytest.mark.slow]


def resident(folder: Path) -> int:
    """Return the resident bytes of the worker that runs in ``folder``."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # a process that ended meanwhile
            if entry.name.isdigit() and f"--run={folder}" in (entry / "cmdline").read_text():
                lines = (entry / "status").read_text().splitlines()
                return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
    raise AssertionError("no such worker")


@pytest.mark.parametrize(
    ("size", "context", "parallel"),
    [
        ("0.5b", 2048, 1),
        ("0.5b", 8192, 1),
        ("0.5b", 32_768, 1),
        ("0.5b", 8192, 8),
        ("1.5b", 2048, 1),
        ("1.5b", 8192, 1),
        ("1.5b", 32_768, 1),
    ],
)
async def test_the_estimate_is_right_within_a_tenth(
    size: str, context: int, parallel: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_models, "CHAT_MODEL", f"qwen2.5-coder-{size}-instruct")
    folder = tmp_path / "models"
    model = dataclasses.replace(engine_models.llama(folder), context_length=32_768)
    fd = os.open(folder / model.name / "model.gguf", os.O_RDONLY)
    shape = shape_of(msgspec.to_builtins(validate("gguf", {"model.gguf": fd})))
    os.close(fd)
    expected = memory_of(shape, machine(tmp_path).instructions, context, parallel)
    launcher = LocalLauncher(tmp_path / "w", child_environment())

    async def find(_: str) -> Model:
        return model

    options = {"context_length": context, "parallel": parallel, "threads": 2}
    registry = EngineRegistry(launcher, folder, find, lambda _: None, ModelCheck(launcher), lambda *_: 1, options)
    try:
        engine = await registry.get("default")
        # A prompt longer than a batch, so that its buffers have been used.
        request = ChatRequest((ChatMessage("user", "A fox ran over the hill. " * 45),), max_tokens=4, temperature=0.0)
        async for _ in engine.chat(request):
            pass
        found = resident(launcher.workers[-1].socket_path.parent)
    finally:
        await registry.close()
        launcher.close()
    error = expected.total / found - 1
    print(
        f"{size} {context} x{parallel}: {expected.total / 2**20:.0f} MB estimated, {found / 2**20:.0f} MB resident, {error:+.1%}"
    )
    assert abs(error) <= 0.10
