"""Files of a model that an operator laid ready: headers read behind walls, hashed, moved to where models lie."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pai.adapters.engines.model_files import PROJECTOR, HeaderCheck, files_of, header_of, open_file, sha256_of_fd
from pai.core.models.values import Model, ModelFile, Taken
from pai.foundation.errors import Corrupt, Invalid

STAGED: Final = "model-"
"""How names of staging folders begin, in the home's folder for what is under way."""
_KNOWN_BY: Final = {
    "model.onnx": ("onnxruntime", "rerank"), "model.gguf": ("llama.cpp", "chat"), "pooling.json": ("encoder", "embedding"),
    "classifier.json": ("cross-encoder", "rerank"),
}  # fmt: skip
"""What lies in a folder, and the engine and task that it is for."""
_USUAL: Final = ("transformers", "chat")


class FolderIntake:
    """Implements ``core.models.ports.Intake``. ``staging`` is the home's own folder, on the same disk as ``models``."""

    def __init__(self, staging: Path, models: Path, check: HeaderCheck) -> None:
        self._staging = staging
        self._models = models
        self._check = check

    async def take(self, staged: str, name: str) -> Taken:
        """Check, hash and move. Raises Invalid, Corrupt or Unavailable; nothing is kept then."""
        if not staged.startswith(STAGED):
            raise Invalid("no model lies ready there", code="no_model_here", hint="use `pai models import FOLDER`")
        there = {path.name for path in (self._staging / staged).iterdir()}
        engine, task = next((known for name, known in _KNOWN_BY.items() if name in there), _USUAL)
        beside = tuple(sorted({PROJECTOR} & there))
        wanted = (*files_of(engine), *beside)
        format_, read = header_of(engine)
        read = (*read, *beside)
        with ExitStack() as stack:
            fds = {}
            for path in wanted:
                fds[path] = open_file(self._staging, staged, path)
                stack.callback(os.close, fds[path])
            await self._check.check(format_, {path: fds[path] for path in read})
            files = [
                ModelFile(path, await asyncio.to_thread(sha256_of_fd, fd), os.fstat(fd).st_size)
                for path, fd in fds.items()
            ]
            await asyncio.to_thread(self._move, staged, name)
        return Taken(tuple(files), format_, engine, task)

    async def take_known(self, staged: str, model: Model) -> None:
        """Take the files of a model whose hashes are known. Raises Corrupt for other files, Invalid or Unavailable; nothing is kept
        then."""
        if not staged.startswith(STAGED):
            raise Invalid("no model lies ready there", code="no_model_here", hint="use `pai models add NAME`")
        format_, read = header_of(model.engine)
        with ExitStack() as stack:
            fds = {}
            for file in model.files:
                fds[file.path] = open_file(self._staging, staged, file.path)
                stack.callback(os.close, fds[file.path])
                if await asyncio.to_thread(sha256_of_fd, fds[file.path]) != file.sha256:
                    raise Corrupt(
                        f"{file.path} is not the file of the catalogue", code="model_changed", hint="fetch it again"
                    )  # fmt: skip
            await self._check.check(format_, {path: fds[path] for path in read})
            await asyncio.to_thread(self._move, staged, model.name)

    def _move(self, staged: str, name: str) -> None:
        # No registered model has the name: what lies there is left from an import that was cut off.
        shutil.rmtree(self._models / name, ignore_errors=True)
        (self._staging / staged).rename(self._models / name)
