"""What every engine keeps, whichever runs behind the port; in real worker processes."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import engine_models
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.workers.launcher import LocalLauncher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.bootstrap.telemetry import child_environment
from pai.core.models.values import Model
from pai.core.ports.engine import Capability, ChatDelta, ChatMessage, ChatRequest, Engine
from pai.foundation.errors import Invalid, Unavailable

OPTIONS = {"context_length": 512, "parallel": 2, "threads": 2}
CHAT = [
    pytest.param(engine_models.echo, id="echo"),
    pytest.param(engine_models.llama, id="llama", marks=pytest.mark.model),
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

    registry = EngineRegistry(launcher, folder / "models", find, lambda _: None, ModelCheck(launcher), OPTIONS)
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


@pytest.mark.parametrize("make", CHAT)
async def test_chat(make: Callable[[Path], Model], tmp_path: Path) -> None:
    async with running(make, tmp_path) as engine:
        assert Capability.CHAT in engine.capabilities.supports
        text, last = await whole(engine, asking("Say hello to the world"))
        assert text.strip()
        assert last.finish_reason in {"stop", "length"}
        assert last.usage is not None
        assert last.usage.prompt_tokens >= 5
        assert 1 <= last.usage.completion_tokens <= 16
        assert await whole(engine, asking("Say hello to the world")) == (
            text,
            last,
        )  # deterministic, and nothing cached

        _, cut = await whole(engine, asking("Count from one to twenty in words", max_tokens=3))
        assert cut.finish_reason == "length"
        assert cut.usage is not None
        assert cut.usage.completion_tokens == 3

        first = text.split()[0]
        stopped, last = await whole(engine, asking("Say hello to the world", stop=(first,)))
        assert first not in stopped
        assert last.finish_reason == "stop"

        schema = {"type": "object", "properties": {"city": {"enum": ["Paris"]}}, "required": ["city"]}
        text, _ = await whole(engine, asking("The capital of France, as JSON", json_schema=schema, max_tokens=40))
        assert json.loads(text)["city"] == "Paris"
        assert await engine.count_tokens("one two three") == 3


@pytest.mark.parametrize("make", CHAT)
async def test_a_prompt_that_does_not_fit_is_refused_before_any_delta(
    make: Callable[[Path], Model], tmp_path: Path
) -> None:
    async with running(make, tmp_path) as engine:
        with pytest.raises(Invalid) as caught:
            await anext(aiter(engine.chat(asking("word " * 1000))))
        assert caught.value.code == "context_length_exceeded"
        assert (await whole(engine, asking("Say hello")))[0]


@pytest.mark.parametrize("make", CHAT)
async def test_answers_at_the_same_time_stay_apart(make: Callable[[Path], Model], tmp_path: Path) -> None:
    async with running(make, tmp_path) as engine:
        alone = [(await whole(engine, asking(f"Repeat the word number{n}", max_tokens=6)))[0] for n in range(4)]
        requests = [whole(engine, asking(f"Repeat the word number{n}", max_tokens=6)) for n in range(4)]
        together = [text for text, _ in await asyncio.gather(*requests)]
    assert len(together) == len(alone) == 4
    assert all(text.strip() for text in together)


@pytest.mark.parametrize("make", CHAT)
async def test_a_worker_killed_in_an_answer_is_told_and_started_anew(
    make: Callable[[Path], Model], tmp_path: Path
) -> None:
    async with registry_for(make(tmp_path / "models"), tmp_path) as (registry, launcher):
        engine = await registry.get("default")
        # The echo engine answers at once: its words are longer than what the sockets' buffers hold.
        story = " ".join(["x" * 10_000] * 100) if make is engine_models.echo else "Tell a long story about a fox."
        answer = engine.chat(asking(story, max_tokens=150))
        assert isinstance(await anext(aiter(answer)), ChatDelta)
        (worker,) = launcher.workers
        await launcher.stop(worker.id)
        with pytest.raises(Unavailable) as caught:
            async for _ in answer:
                pass
        assert caught.value.code == "worker_died"
        again = await registry.get("default")
        assert (await whole(again, asking("Say hello")))[0]
        assert launcher.workers[0].id != worker.id


@pytest.mark.parametrize("make", EMBEDDING)
async def test_embeddings(make: Callable[[Path], Model], tmp_path: Path) -> None:
    async with running(make, tmp_path) as engine:
        assert Capability.EMBED in engine.capabilities.supports
        texts = ["a cat sat", "a dog ran", "one two three four one two three four", "a cat sat"]
        found = await engine.embed(texts)
        assert found.dimensions == engine.capabilities.dimensions
        assert len(found.vectors) == 4
        assert found.prompt_tokens >= 13
        vectors = [struct.unpack(f"<{found.dimensions}f", vector) for vector in found.vectors]
        for vector in vectors:
            assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-4)
        assert vectors[0] == pytest.approx(vectors[3], abs=2e-3)
        alone = struct.unpack(f"<{found.dimensions}f", (await engine.embed(["a dog ran"])).vectors[0])
        # Padding beside longer texts changes nothing but rounding (int8 scales are set per batch).
        assert sum(a * b for a, b in zip(alone, vectors[1], strict=True)) > 0.98
        assert (await engine.embed([])).vectors == ()
        assert len((await engine.embed(["word " * 5000])).vectors) == 1  # cut to the model's length


@pytest.mark.model
async def test_no_prompt_cache_crosses_users(tmp_path: Path) -> None:
    shared = ChatMessage("system", "The secret of this house is that the key lies below the third stone. " * 6)

    async with running(engine_models.llama, tmp_path) as engine:

        async def cached(user: str) -> int:
            request = ChatRequest((shared, ChatMessage("user", "hi")), max_tokens=1, temperature=0.0, cache_key=user)
            _, last = await whole(engine, request)
            assert last.usage is not None
            return last.usage.cached_tokens

        assert await cached("alice") == 0
        assert await cached("alice") > 50  # her own
        assert await cached("bob") == 0
        assert await cached("carol") == 0  # takes a slot that another filled
        assert await cached("carol") > 50
        await engine.forget("carol")  # type: ignore[attr-defined]  # of this engine, not of the port
        assert await cached("carol") == 0
        assert await cached("") == 0
        assert await cached("") == 0


@pytest.mark.model
async def test_a_cancelled_answer_really_stops(tmp_path: Path) -> None:
    async with registry_for(engine_models.llama(tmp_path / "models"), tmp_path) as (registry, launcher):
        engine = await registry.get("default")
        async with aclosing(engine.chat(asking("Write a very long story about a fox.", max_tokens=400))) as answer:  # type: ignore[type-var]
            await anext(aiter(answer))
        await asyncio.sleep(1.5)  # llama.cpp looks once a second whether its client is there
        folder = launcher.workers[0].socket_path.parent
        before = _cpu_ticks(folder)
        await asyncio.sleep(1.0)
        assert _cpu_ticks(folder) - before <= 5  # of about 200


def _cpu_ticks(folder: Path) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"--run={folder}" in (entry / "cmdline").read_text():
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                    return int(fields[11]) + int(fields[12])
            except OSError:
                continue
    raise AssertionError("no such worker")
