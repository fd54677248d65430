"""Conversion in a worker behind walls: one descriptor in, files in its own folder out, hashed before they get a name."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from pai.adapters.engines.connection import WorkerGoneError, request
from pai.adapters.engines.model_files import Examiner, opened, ordered, sha256_of_fd
from pai.adapters.engines.registry import WorkerLauncher
from pai.core.models.values import Form, Made, Model, ModelFile
from pai.foundation.errors import Corrupt, Unavailable, Unsupported

_DISK_FACTOR: Final = 3  # a copy for the library, what it writes, and some room
_FILE_TYPES: Final = {"F16": 1, "Q8_0": 7}
"""Kinds of quantisation that are written as GGUF, and its numbers for them."""
_MEMORY_FACTOR: Final = 3.5
_LONGEST_NOTE: Final = 400


class WorkerConverter:
    """Implements ``core.models.ports.Converter``. ``folder`` holds a folder per model; ``memory`` returns the bytes that are free."""

    def __init__(self, launcher: WorkerLauncher, folder: Path, examiner: Examiner, memory: Callable[[], int]) -> None:
        self._launcher = launcher
        self._folder = folder
        self._examiner = examiner
        self._memory = memory

    async def convert(self, model: Model, target: str, form: Form) -> Made:
        """Return what was made, whose files lie in the folder named ``target``. Raises Unsupported, Unavailable, Corrupt."""
        kind, options = _worker_of(model, form)
        self._check_room(model)
        with opened(self._folder, model) as fds:
            # The converter's libraries parse the file as an engine's loader does: it is looked at before, as for that.
            await self._examiner.examine(model, fds)
            worker = await self._launcher.start(kind, ordered(model, fds), options)
        try:
            told = await _converted(worker.socket_path)
            names, told_of = [str(name) for name in told["files"]], dict(told.get("told") or {})
            files = await asyncio.to_thread(self._take, worker.socket_path.parent, names, self._folder / target)
            size = told_of.get("dimensions")
            return Made(files, size if type(size) is int else None, str(told_of.get("note", ""))[:_LONGEST_NOTE])
        finally:
            await self._launcher.stop(worker.id)

    def _check_room(self, model: Model) -> None:
        """Refuse what would fill the disk or make the kernel end processes. Raises Unavailable."""
        stat = os.statvfs(self._folder)
        for what, have, need in (
            ("disk", stat.f_bavail * stat.f_frsize, model.size * _DISK_FACTOR),
            ("memory", self._memory(), int(model.size * _MEMORY_FACTOR)),
        ):
            if have < need:
                raise Unavailable(
                    f"converting {model.name} needs about {need >> 20} MB of free {what}; there are {have >> 20}",
                    code="no_room",
                    hint="free some, or keep the model as it is",
                )

    @staticmethod
    def _take(made: Path, names: list[str], target: Path) -> tuple[ModelFile, ...]:
        target.mkdir(mode=0o700, exist_ok=True)
        files = []
        for name in names:
            if Path(name).name != name:
                raise Corrupt("the converter names a file outside its folder", code="engine_failed")
            # Opened without following links, in a folder that the worker has written.
            fd = os.open(made / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with contextlib.closing(os.fdopen(fd, "rb")) as file:
                files.append(ModelFile(name, sha256_of_fd(file.fileno()), os.fstat(file.fileno()).st_size))
            (made / name).replace(target / name)
        return tuple(files)


def _worker_of(model: Model, form: Form) -> tuple[str, dict[str, int]]:
    """Return the kind of worker that makes a model into this form, and its options. Raises Unsupported when none does."""
    match model.engine, form.engine:
        case "llama.cpp", "openvino":
            return "converter", {"threads": 0}
        case "encoder" | "cross-encoder", "onnxruntime":
            return "onnx-converter", {"rounded": int(form.quantisation == "INT8")}
        case "transformers", "llama.cpp" if form.quantisation in _FILE_TYPES:
            return "gguf-converter", {"file_type": _FILE_TYPES[form.quantisation]}
    raise Unsupported(
        f"{model.name} cannot be made into {form.format} {form.quantisation}".rstrip(), code="unsupported_conversion",
        hint="see `pai models convert --help`",
    )  # fmt: skip


async def _converted(socket_path: Path) -> dict[str, Any]:
    try:
        async with request(socket_path, "POST", "/convert", {}) as response:
            told: dict[str, Any] = msgspec.json.decode(await response.whole())
    except WorkerGoneError as error:
        raise Unavailable(
            "the converter stopped", code="worker_died", hint="the machine may be short of memory: see `pai doctor`"
        ) from error
    if response.status != 200:
        problem = told["error"]
        raise Unsupported(
            str(problem["message"])[:300], code="unsupported_conversion", hint="it goes on running as it is"
        )
    return told
