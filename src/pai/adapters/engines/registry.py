"""Models by name to running engines: verified, loaded on demand, started anew when their worker died."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from pai.adapters.engines.model_files import Examiner, HeaderCheck, check_installed, opened, ordered, sees
from pai.adapters.engines.socket_engine import SocketEngine
from pai.adapters.engines.text_engine import LlamaEngine, TextEngine
from pai.core.models.values import Model, shared_context
from pai.core.operations.ports import Resident
from pai.core.ports.engine import Capabilities, Capability
from pai.core.ports.metrics import DEATHS, EVICTIONS, LOADS, SILENT, Meter
from pai.foundation.errors import NotFound, Unavailable, Unsupported
from pai.foundation.refs import ModelRef

_POLL_SECONDS: Final = 0.02
_END_SECONDS: Final = 1.0
_GIVEN_SECONDS: Final = 1.0
_ROOM_SECONDS: Final = 60.0
_STABLE_SECONDS: Final = 60.0
_LONGEST_PAUSE: Final = 30.0
_EMBEDDING_THREADS: Final = 2
_PARALLEL: Final = 8
_KINDS: Final = {
    "llama.cpp": "llama", "openvino": "openvino", "transformers": "transformers", "onnxruntime": "onnx-embedding", "echo": "echo",
}  # fmt: skip
_TASKS: Final = frozenset({"chat", "embedding", "rerank"})
"""Models for other tasks see or hear: each of their inputs has a process of its own, none stays loaded."""
_TEXT_ENGINES: Final[Mapping[str, type[TextEngine]]] = {
    "llama": LlamaEngine, "llama-vision": LlamaEngine, "openvino": TextEngine, "transformers": TextEngine,
}  # fmt: skip


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


Estimate = Callable[[Model, Mapping[str, Any] | None, int, int], int]
"""Bytes that a loaded model takes: from the model, its header if it has one that is read, context length and answers at once."""


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
    used: float = 0.0
    memory: int = 0
    tainted: bool = False

    @property
    def loaded(self) -> bool:
        """Whether a worker holds the model."""
        return self.worker is not None

    @property
    def idle(self) -> bool:
        """Whether it is loaded, and nobody uses it or has just been given it to use."""
        engine = self.engine
        return engine is not None and not (engine.busy or self.lock.locked() or _now() - self.used < _GIVEN_SECONDS)


class EngineRegistry:
    """Implements ``core.ports.engine.Engines``.

    ``find`` looks a model up by name or alias. ``verify`` raises unless the model's manifest is signed by this
    installation, ``check`` reads headers before an engine's own loader does. ``options``: ``context_length``, ``parallel``,
    ``threads``. ``load_seconds`` bounds one load, ``memory`` the bytes that all loaded models may take together, each as
    ``estimate`` says: what has not been used for longest makes room, never one that answers.
    """

    def __init__(
        self,
        launcher: WorkerLauncher,
        folder: Path,
        find: Callable[[str], Awaitable[Model | None]],
        verify: Callable[[Model], None],
        check: HeaderCheck,
        estimate: Estimate,
        options: Mapping[str, int],
        *,
        load_seconds: float = 180.0,
        memory: int | None = None,
        meter: Meter = SILENT,
    ) -> None:
        self._launcher = launcher
        self._folder = folder
        self._find = find
        self._examiner = Examiner(verify, check)
        self._estimate = estimate
        self._options = dict(options)
        self._load_seconds = load_seconds
        self._memory = memory
        self._meter = meter
        self._room = asyncio.Lock()  # one at a time makes room and loads: two would both see the same room
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

    async def _active(self, name: str) -> Model:
        model = await self._find(name)
        if model is None or not model.active:
            raise NotFound(
                f"the model {name[:100]!r} is not here", code="model_not_found", hint="see `pai models list`"
            )
        if model.task not in _TASKS:
            raise Unsupported(
                f"{model.name} is for {model.task}", code="missing_capability",
                hint="see `pai models list` for what each model can do",
            )  # fmt: skip
        return model

    async def _running(self, name: str) -> SocketEngine:
        model = await self._active(name)
        place = self._places.setdefault(model.name, _Place())
        async with place.lock:
            hashes = tuple(file.sha256 for file in model.files)
            if place.engine is not None and place.worker is not None:
                fresh = place.files == hashes and not (place.tainted and not place.engine.busy)
                if fresh and await _alive(place.engine, place.worker):
                    place.used = _now()
                    return place.engine
                await self._unload(place)
            return await self._reload(model, place, hashes)

    async def capabilities(self, name: str) -> Capabilities:
        """Return what the engine of a model or alias can do with it. Raises NotFound."""
        model = await self._active(name)
        return _capabilities(model, self._context(model))

    def loaded(self) -> tuple[ModelRef, ...]:
        """Return the models whose workers run."""
        held = [place for place in self._places.values() if place.worker is not None and not place.worker.died.is_set()]
        return tuple(place.engine.model for place in held if place.engine is not None)

    async def forget(self, cache_key: str) -> None:
        """Drop what engines cached of this user's prompts. A worker that cannot forget whole ends as soon as it is idle."""
        for place in self._places.values():
            if place.engine is None or place.worker is None or place.worker.died.is_set():
                continue
            await place.engine.forget(cache_key)
            if isinstance(place.engine, TextEngine) and cache_key in place.engine.served:
                place.tainted = not place.engine.forgets_whole
        await self.unload_idle(math.inf)

    async def close(self) -> None:
        """Stop all workers of this registry."""
        for place in self._places.values():
            async with place.lock:
                await self._unload(place)
        await self._examiner.close()

    async def _unload(self, place: _Place) -> None:
        engine, worker = place.engine, place.worker
        place.engine, place.worker, place.tainted = None, None, False
        if worker is None:
            return
        if engine is not None and worker.died.is_set():
            self._meter.count(DEATHS, engine.model.name)
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
        check_installed(model)
        async with self._room:
            with opened(self._folder, model) as fds:
                header = await self._examiner.examine(model, fds)
                place.memory = await self._make_room(model, header)
                try:
                    place.worker, place.engine = await self._load(model, fds, header or {})
                except Unavailable:
                    _put_off(place)
                    raise
        place.engine.meter = self._meter
        self._meter.count(LOADS, model.name)
        place.files, place.started, place.used = hashes, _now(), _now()
        return place.engine

    async def _make_room(self, model: Model, header: Mapping[str, Any] | None) -> int:
        """Unload what has not been used for longest until the model fits; return the bytes it takes. Raises Unavailable."""
        needed = self._estimate(model, header, self._context(model), self._options.get("parallel", _PARALLEL))
        patience = _now() + _ROOM_SECONDS
        while self._memory is not None:
            loaded = [place for place in self._places.values() if place.loaded]
            if sum(place.memory for place in loaded) + needed <= self._memory:
                break
            idle = [place for place in loaded if place.idle]
            if not idle and loaded and needed <= self._memory and _now() < patience:
                await asyncio.sleep(_POLL_SECONDS * 10)
                continue
            if not idle:
                beside = " beside what is answering now" if loaded else ""
                raise Unavailable(
                    f"{model.name} needs about {needed >> 20} MB, which do not fit{beside} (all models: {self._memory >> 20} MB)",
                    code="no_memory",
                    hint="wait and try again, take a smaller model or fewer bits, or raise models.memory_mb",
                )
            longest = min(idle, key=lambda place: place.used)
            if longest.engine is not None:
                self._meter.count(EVICTIONS, longest.engine.model.name)
            await self._unload(longest)
        return needed

    async def unload_idle(self, seconds: float) -> None:
        """Unload models that nobody has used for so long, and those that hold what is to be forgotten."""
        for place in list(self._places.values()):
            if place.idle and (place.tainted or _now() - place.used >= seconds):
                async with place.lock:
                    await self._unload(place)

    def resident(self) -> list[dict[str, object]]:
        """Return what is loaded: ``model``, ``memory`` (bytes, about), ``busy`` (requests), ``idle_seconds``."""
        return [
            {
                "model": place.engine.model.name,
                "memory": place.memory,
                "busy": place.engine.busy,
                "idle_seconds": round(_now() - place.used, 1),
            }
            for place in self._places.values()
            if place.engine is not None
        ]

    def residents(self) -> list[Resident]:
        """Return what is loaded, for metrics."""
        return [
            Resident(engine.model.name, place.worker.id, place.memory, engine.busy - engine.waiting, engine.waiting)
            for place in self._places.values()
            if (engine := place.engine) is not None and place.worker is not None
        ]

    async def _load(self, model: Model, fds: Sequence[int], header: Mapping[str, Any]) -> tuple[Worker, SocketEngine]:
        kind = _kind_of(model)
        # The worker gets the very descriptors examined, not names that could come to mean other files.
        worker = await self._launcher.start(kind, ordered(model, fds), self._options_of(kind, model))
        engine = self._engine(kind, worker, model)
        try:
            await self._await_ready(engine, worker)
            await engine.learn_marks(header)
        except BaseException:
            await self._launcher.stop(worker.id)
            raise
        return worker, engine

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

    def _context(self, model: Model) -> int:
        """Return how many tokens one request may have. Embedding models read what they were made for."""
        most = model.context_length
        return most if model.engine == "onnxruntime" else min(self._options.get("context_length", most), most)

    def _options_of(self, kind: str, model: Model) -> dict[str, int]:
        context = self._context(model)
        match kind:
            case "llama" | "llama-vision" | "openvino" | "transformers":
                threads = self._options.get("threads", 0)
                parallel = self._options.get("parallel", _PARALLEL)
                pool = shared_context(context, parallel)
                return {"context_length": context, "pool": pool, "parallel": parallel, "threads": threads}
            case "onnx-embedding" | "onnx-reranking":
                return {"max_tokens": model.context_length, "threads": _EMBEDDING_THREADS}
            case _:
                return {"context_length": context}

    def _engine(self, kind: str, worker: Worker, model: Model) -> SocketEngine:
        options = self._options_of(kind, model)
        reference = ModelRef(model.name, model.sha256)
        capabilities = _capabilities(model, self._context(model))
        if kind in _TEXT_ENGINES:
            make, parallel, pool = _TEXT_ENGINES[kind], options["parallel"], options["pool"]
            return make(worker.socket_path, reference, capabilities, parallel=parallel, pool=pool)
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


def _kind_of(model: Model) -> str:
    """Return the kind of worker that runs a model."""
    kind = _KINDS[model.engine]
    if kind == "onnx-embedding" and model.task == "rerank":
        return "onnx-reranking"
    return "llama-vision" if sees(model) else kind


def _capabilities(model: Model, context: int) -> Capabilities:
    chat = {
        Capability.CHAT, Capability.COMPLETE, Capability.TOKENISE, Capability.TOOLS, Capability.JSON_SCHEMA, Capability.LOGPROBS,
    }  # fmt: skip
    if model.engine != "echo":
        chat.add(Capability.LOGIT_BIAS)
    if sees(model):
        chat.add(Capability.IMAGE_INPUT)
    embedding = {Capability.EMBED, Capability.TOKENISE}
    by_task = {"chat": chat, "embedding": embedding, "rerank": {Capability.RERANK}}
    supports = chat | embedding if model.engine == "echo" else by_task[model.task]
    return Capabilities(frozenset(supports), context, model.dimensions)
