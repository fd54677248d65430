"""Models by name to running engines: verified, loaded on demand, started anew when their worker died."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from pai.adapters.engines.llama_cpp import LlamaEngine
from pai.adapters.engines.socket_engine import SocketEngine
from pai.core.models.values import Model, shared_context
from pai.core.ports.engine import Capabilities, Capability
from pai.foundation.errors import Corrupt, Invalid, NotFound, Unavailable, Unsupported
from pai.foundation.refs import ModelRef

_POLL_SECONDS: Final = 0.02
_END_SECONDS: Final = 1.0
_STABLE_SECONDS: Final = 60.0
_LONGEST_PAUSE: Final = 30.0
_EMBEDDING_THREADS: Final = 2
_KINDS: Final = {"llama.cpp": "llama", "onnxruntime": "onnx-embedding", "echo": "echo"}
_FORMATS: Final = {"llama.cpp": "gguf", "onnxruntime": "onnx"}  # what each engine's own loader reads


class Worker(Protocol):
    """A running worker."""

    @property
    def id(self) -> str: ...
    @property
    def socket_path(self) -> Path: ...
    @property
    def died(self) -> asyncio.Event: ...


class WorkerLauncher(Protocol):
    """Starts workers of a fixed table of kinds."""

    async def start(self, kind: str, fds: Sequence[int] = (), options: Mapping[str, int] | None = None) -> Worker: ...
    async def stop(self, worker_id: str) -> None: ...


class HeaderCheck(Protocol):
    """Validates the header of a model file behind walls."""

    def prepare(self) -> None: ...
    async def check(self, format: str, files: Mapping[str, int]) -> object: ...  # noqa: A002
    async def close(self) -> None: ...


@dataclass(slots=True)
class _Place:
    """One model's place: its engine when loaded, and how often in a row its worker failed."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    engine: SocketEngine | None = None
    worker: Worker | None = None
    files: tuple[str, ...] = ()
    started: float = 0.0
    failures: int = 0
    not_before: float = 0.0


class EngineRegistry:
    """Implements ``core.ports.engine.Engines``.

    ``find`` looks a model up by name or alias. ``verify`` raises unless the model's manifest is signed by this
    installation. ``check`` reads headers before an engine's own loader does. ``options``: ``context_length``,
    ``parallel``, ``threads``. ``load_seconds`` bounds one load.
    """

    def __init__(
        self,
        launcher: WorkerLauncher,
        folder: Path,
        find: Callable[[str], Awaitable[Model | None]],
        verify: Callable[[Model], None],
        check: HeaderCheck,
        options: Mapping[str, int],
        *,
        load_seconds: float = 180.0,
    ) -> None:
        self._launcher = launcher
        self._folder = folder
        self._find = find
        self._verify = verify
        self._check = check
        self._checked: set[tuple[str, tuple[str, ...]]] = set()  # format and hashes of headers found good before
        self._options = dict(options)
        self._load_seconds = load_seconds
        self._places: dict[str, _Place] = {}

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> SocketEngine:
        """Return the engine of a model or alias. Raises NotFound, Unsupported, Corrupt (hash or signature) or Unavailable."""
        engine = await self._running(name)
        missing = sorted(capability.value for capability in needs - engine.capabilities.supports)
        if missing:
            raise Unsupported(
                f"{engine.model.name} cannot do: {', '.join(missing)}",
                code="missing_capability",
                hint="see `pai models list` for what each model can do",
            )
        return engine

    async def _running(self, name: str) -> SocketEngine:
        model = await self._find(name)
        if model is None or not model.active:
            raise NotFound(
                f"the model {name[:100]!r} is not here", code="model_not_found", hint="see `pai models list`"
            )
        place = self._places.setdefault(model.name, _Place())
        async with place.lock:
            hashes = tuple(file.sha256 for file in model.files)
            if place.engine is not None and place.worker is not None:
                if place.files == hashes and await _alive(place.engine, place.worker):
                    return place.engine
                await self._unload(place)
            return await self._reload(model, place, hashes)

    async def forget(self, cache_key: str) -> None:
        """Drop what engines cached of this user's prompts."""
        for place in self._places.values():
            if place.engine is not None and place.worker is not None and not place.worker.died.is_set():
                await place.engine.forget(cache_key)

    async def close(self) -> None:
        """Stop all workers of this registry."""
        for place in self._places.values():
            async with place.lock:
                await self._unload(place)
        await self._check.close()

    async def _unload(self, place: _Place) -> None:
        worker, place.engine, place.worker = place.worker, None, None
        if worker is None:
            return
        if not worker.died.is_set():
            await self._launcher.stop(worker.id)
        elif _now() - place.started < _STABLE_SECONDS:
            _put_off(place)
        else:
            place.failures = 0

    async def _reload(self, model: Model, place: _Place, hashes: tuple[str, ...]) -> SocketEngine:
        wait = place.not_before - _now()
        if wait > 0:
            raise Unavailable(
                f"the worker of {model.name} keeps stopping; it is started again in {math.ceil(wait)} s",
                code="worker_died",
                hint="the machine may be short of memory: see `pai doctor`",
            )
        try:
            place.worker, place.engine = await self._load(model)
        except Unavailable:
            _put_off(place)
            raise
        place.files, place.started = hashes, _now()
        return place.engine

    async def _load(self, model: Model) -> tuple[Worker, SocketEngine]:
        kind = _KINDS.get(model.engine)
        if kind is None:
            raise Unavailable(f"there is no engine {model.engine!r} here", code="no_such_engine")
        self._verify(model)
        fds: list[int] = []
        try:
            # ``append`` in a loop: what was opened before a failure is closed below.
            for file in model.files:
                fds.append(_open(self._folder, model.name, file.path))  # noqa: PERF401
            await self._examine(model, fds)
            # The worker gets the very descriptors examined, not names that could come to mean other files.
            worker = await self._launcher.start(kind, _ordered(model, fds), self._options_of(kind, model))
        finally:
            for fd in fds:
                os.close(fd)
        engine = self._engine(kind, worker, model)
        try:
            await self._await_ready(engine, worker)
        except BaseException:
            await self._launcher.stop(worker.id)
            raise
        return worker, engine

    async def _examine(self, model: Model, fds: Sequence[int]) -> None:
        """Compare the hashes, then have the header read behind walls; once per process for the same bytes.

        Raises Corrupt. The process that reads starts while this one hashes.
        """
        made_for = _FORMATS.get(model.engine)
        key = (made_for or "", tuple(file.sha256 for file in model.files))
        due = made_for is not None and key not in self._checked
        if due:
            self._check.prepare()
        for fd, file in zip(fds, model.files, strict=True):
            if await asyncio.to_thread(_sha256, fd) != file.sha256:
                await self._check.close()
                raise Corrupt(
                    f"{file.path} of {model.name} is not the file that was signed",
                    code="model_changed",
                    hint="import the model again with `pai init`",
                )
        if not due:
            return
        try:
            await self._check.check(key[0], {file.path: fd for file, fd in zip(model.files, fds, strict=True)})
        except Invalid as error:
            raise Corrupt(f"{model.name} is not loaded: {error.message}", code=error.code, hint=error.hint) from None
        self._checked.add(key)

    async def _await_ready(self, engine: SocketEngine, worker: Worker) -> None:
        name, end = engine.model.name, _now() + self._load_seconds
        while not await engine.healthy():
            if worker.died.is_set():
                raise Unavailable(
                    f"the worker of {name} stopped while it loaded",
                    code="worker_died",
                    hint="the file may not suit the engine, or the machine may be short of memory",
                )
            if _now() > end:
                raise Unavailable(f"{name} did not load within {self._load_seconds:.0f} s", code="load_timeout")
            await asyncio.sleep(_POLL_SECONDS)

    def _options_of(self, kind: str, model: Model) -> dict[str, int]:
        context = min(self._options.get("context_length", model.context_length), model.context_length)
        match kind:
            case "llama":
                threads = self._options.get("threads", 0)
                parallel = self._options.get("parallel", 8)
                pool = shared_context(context, parallel)
                return {"context_length": context, "pool": pool, "parallel": parallel, "threads": threads}
            case "onnx-embedding":
                return {"max_tokens": model.context_length, "threads": _EMBEDDING_THREADS}
            case _:
                return {"context_length": context}

    def _engine(self, kind: str, worker: Worker, model: Model) -> SocketEngine:
        options = self._options_of(kind, model)
        context = options.get("context_length", model.context_length)
        reference = ModelRef(model.name, model.sha256)
        capabilities = _capabilities(model, context)
        if kind == "llama":
            parallel, pool = options["parallel"], options["pool"]
            return LlamaEngine(worker.socket_path, reference, capabilities, parallel=parallel, pool=pool)
        return SocketEngine(worker.socket_path, reference, capabilities)


async def _alive(engine: SocketEngine, worker: Worker) -> bool:
    if engine.lost and not worker.died.is_set():
        # A request found it gone: its end is about to be told, unless only that one connection broke.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(worker.died.wait(), _END_SECONDS)
        engine.lost = not await engine.healthy()
    return not (engine.lost or worker.died.is_set())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _put_off(place: _Place) -> None:
    """The first new start is at once, later ones wait 1, 2, 4 ... seconds."""
    place.failures += 1
    place.not_before = _now() + (min(2.0 ** (place.failures - 2), _LONGEST_PAUSE) if place.failures > 1 else 0.0)


def _open(folder: Path, name: str, path: str) -> int:
    """Open a model's file below ``folder``; no part of the way may be a symbolic link."""
    parts = (name, *PurePosixPath(path).parts)
    if any(part in {"", ".", "..", "/"} or "/" in part for part in parts):
        raise Corrupt(f"{path!r} is no name for a model's file", code="model_changed")
    at = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    except OSError as error:
        raise Unavailable(
            f"the model file {path} of {name} cannot be opened: {error.strerror}",
            code="model_missing",
            hint="import the model again with `pai init`",
        ) from error
    finally:
        os.close(at)


def _sha256(fd: int) -> str:
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ordered(model: Model, fds: Sequence[int]) -> list[int]:
    """Return the descriptors a worker takes: the weights, then for embeddings the tokeniser."""
    if model.engine == "echo":
        return []
    if model.engine != "onnxruntime":
        return [fds[0]]
    for fd, file in zip(fds, model.files, strict=True):
        if PurePosixPath(file.path).name == "tokenizer.json":
            return [fds[0], fd]
    raise Corrupt(f"{model.name} has no tokenizer.json", code="model_changed", hint="import the model again")


def _capabilities(model: Model, context: int) -> Capabilities:
    chat = {
        Capability.CHAT, Capability.COMPLETE, Capability.TOKENISE, Capability.TOOLS, Capability.JSON_SCHEMA, Capability.LOGPROBS,
    }  # fmt: skip
    if model.engine != "echo":
        chat.add(Capability.LOGIT_BIAS)
    embedding = {Capability.EMBED, Capability.TOKENISE}
    by_task = {"chat": chat, "embedding": embedding}
    supports = chat | embedding if model.engine == "echo" else by_task[model.task]
    return Capabilities(frozenset(supports), context, model.dimensions)
