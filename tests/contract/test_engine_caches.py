"""Prompt caches of every engine: one user's own, the same answers, and nothing left of them; in real worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import engine_models
from pai.core.models.values import Model
from pai.core.ports.engine import ChatMessage, ChatRequest
from running_engines import TINY, process_of, registry_for, running, whole

CACHING = [
    *TINY,
    pytest.param(engine_models.llama, id="llama", marks=pytest.mark.model),
]


@pytest.mark.parametrize("make", CACHING)
async def test_no_prompt_cache_crosses_users(make: Callable[[Path], Model], tmp_path: Path) -> None:
    shared = ChatMessage("system", "The secret of this house is that the key lies below the third stone. " * 4)

    async with running(make, tmp_path) as engine:

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


@pytest.mark.parametrize("make", TINY)
async def test_a_cached_beginning_changes_no_answer(make: Callable[[Path], Model], tmp_path: Path) -> None:
    story = ChatMessage("user", "one two three and the one and the two. " * 12)
    async with running(make, tmp_path) as engine:
        request = ChatRequest((story,), max_tokens=12, temperature=0.0, cache_key="alice")
        cold, last = await whole(engine, request)
        warm, again = await whole(engine, request)
        assert last.usage is not None
        assert again.usage is not None
        assert again.usage.cached_tokens > 0 == last.usage.cached_tokens
        assert (warm, again.usage.prompt_tokens) == (cold, last.usage.prompt_tokens)


@pytest.mark.parametrize("make", TINY)
@pytest.mark.parametrize("size", [1, pytest.param(10, marks=pytest.mark.slow)], ids=["short", "long"])
async def test_what_was_typed_is_not_in_the_workers_memory_afterwards(
    make: Callable[[Path], Model], size: int, tmp_path: Path
) -> None:
    secret = "the-zebra-sleeps-in-room-ninetyfour-"
    async with registry_for(make(tmp_path / "models"), tmp_path) as (registry, launcher):
        engine = await registry.get("default")
        folder = launcher.workers[0].socket_path.parent
        answer = engine.chat(ChatRequest((ChatMessage("user", secret * size),), max_tokens=60, cache_key="alice"))
        await anext(aiter(answer))
        worker = int(process_of(folder).name)
        os.kill(worker, signal.SIGSTOP)  # tiny models have said all before a large process is searched
        assert _in_memory(folder, secret) > 0  # the search finds it while it is there
        os.kill(worker, signal.SIGCONT)
        async for _ in answer:
            pass
        await registry.forget("alice")
        other = ChatRequest((ChatMessage("user", "hello there"),), max_tokens=3, cache_key="bob")
        engine = await registry.get("default")  # of another process, where the first could not forget
        await whole(engine, other)
        assert _in_memory(launcher.workers[0].socket_path.parent, secret) == 0


def _in_memory(folder: Path, text: str) -> int:
    """Count a text in the writable memory of the worker that runs in ``folder``."""
    process = process_of(folder)
    found = 0
    with (process / "mem").open("rb", 0) as memory:
        for line in (process / "maps").read_text().splitlines():
            place, rights = line.split()[:2]
            if "w" not in rights:
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            with contextlib.suppress(OSError):
                memory.seek(start)
                found += memory.read(end - start).count(text.encode())
    return found
