"""Models by name to running engines: verified, loaded on demand, started anew when their worker died."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pai.adapters.engines.socket_engine import SocketEngine
from pai.adapters.workers.launcher import Launcher, RunningWorker
from pai.core.models.values import Model
from pai.core.ports.engine import Capabilities, Capability
from pai.foundation.errors import Corrupt, NotFound, Unavailable
from pai.foundation.refs import ModelRef

LOAD_SECONDS = 120.0
_KINDS = {"llama.cpp": "llama", "onnxruntime": "onnx-embedding", "echo": "echo"}


class EngineRegistry:
    """Implements ``core.ports.engine.Engines``. ``verify`` raises Corrupt unless the model's signature is this installation's."""

    def __init__(
        self, launcher: Launcher, folder: Path, find: Callable[[str], Awaitable[Model | None]], verify: Callable[[Model], None],
        options: dict[str, Any],
    ) -> None:  # fmt: skip
        self._launcher = launcher
        self._folder = folder
        self._find = find
        self._verify = verify
        self._options = options
        self._engines: dict[str, SocketEngine] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, name: str) -> SocketEngine:
        """Return the engine of a model or alias. Raises NotFound, Corrupt (hash or signature) or Unavailable."""
        model = await self._find(name)
        if model is None or not model.active:
            raise NotFound(
                f"the model {name[:100]!r} is not here", code="model_not_found", hint="see `pai models list`"
            )
        async with self._locks.setdefault(model.name, asyncio.Lock()):
            engine = self._engines.get(model.name)
            if engine is None or engine.worker.died.is_set():
                engine = self._engines[model.name] = await self._load(model)
        return engine

    async def _load(self, model: Model) -> SocketEngine:
        fds: list[int] = []
        try:
            self._verify(model)
            for file in model.files:
                fds.append(_open(self._folder / model.name / file.path))  # noqa: PERF401  closed below if a later one fails
            for fd, file in zip(fds, model.files, strict=True):
                if await asyncio.to_thread(_hash, fd) != file.sha256:
                    raise Corrupt(
                        f"{file.path} of {model.name} is not the file that was signed", code="model_changed",
                        hint="remove and import the model again",
                    )  # fmt: skip
            worker = await self._launcher.start(_KINDS[model.engine], tuple(fds), self._options)
        finally:
            for fd in fds:
                os.close(fd)
        engine = SocketEngine(worker, ModelRef(model.name, model.sha256), _capabilities(model))
        await self._wait(engine, worker)
        return engine

    async def _wait(self, engine: SocketEngine, worker: RunningWorker) -> None:
        end = asyncio.get_running_loop().time() + LOAD_SECONDS
        while asyncio.get_running_loop().time() < end:
            if worker.died.is_set():
                raise Unavailable(
                    f"the worker of {engine.model.name} stopped while loading (exit {worker.exit_code})", code="worker_died",
                    hint="the model may need more memory than is free",
                )  # fmt: skip
            if await engine.healthy():
                return
            await asyncio.sleep(0.03)
        self._launcher.stop(worker)
        raise Unavailable(f"{engine.model.name} did not load within {LOAD_SECONDS:.0f} s", code="load_timeout")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise Unavailable(
            f"the model file {path.name} cannot be opened: {error.strerror}", code="model_missing",
            hint="import the model again with `pai init`",
        ) from error  # fmt: skip


def _hash(fd: int) -> str:
    digest = hashlib.sha256()
    offset = 0
    while piece := os.pread(fd, 1 << 22, offset):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()


def _capabilities(model: Model) -> Capabilities:
    chat = {Capability.CHAT, Capability.TOKENISE} | ({Capability.JSON_SCHEMA} if model.engine == "llama.cpp" else set())
    supports = {"chat": chat, "embedding": {Capability.EMBED, Capability.TOKENISE}}
    found = chat | supports["embedding"] if model.engine == "echo" else supports[model.task]
    return Capabilities(frozenset(found), model.context_length, model.dimensions)
