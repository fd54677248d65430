"""The files of a model before an engine gets them: opened without following links, hashed, their header read behind walls."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol

from pai.core.models.values import SOURCES, Model
from pai.foundation.errors import Corrupt, Invalid, Unavailable, Unsupported

_TAKES: Final = {
    "llama.cpp": ("model.gguf",),
    "openvino": ("openvino_model.bin", "openvino_model.xml", "tokenizer.json", "chat.json"),
    "onnxruntime": ("model.onnx", "tokenizer.json"),
    "transformers": ("model.safetensors", "config.json", "tokenizer.json", "chat.json"),
    "encoder": ("model.safetensors", "config.json", "tokenizer.json", "pooling.json"),
    "cross-encoder": ("model.safetensors", "config.json", "tokenizer.json", "classifier.json"),
    "onnxruntime-ocr": ("detection.onnx", "recognition.onnx"),
    "ctranslate2": ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"),
    "echo": (),
}
"""Files that an engine's worker takes, by name and in this order."""
PROJECTOR: Final = "mmproj.gguf"
"""What makes pictures into tokens, beside a chat model of llama.cpp that can see; its worker takes it last."""
_HEADERS: Final = {
    "llama.cpp": ("gguf", ("model.gguf",)),
    "openvino": ("openvino", ("openvino_model.xml", "openvino_model.bin")),
    "onnxruntime": ("onnx", ("model.onnx", "tokenizer.json")),
    "transformers": ("safetensors", ("model.safetensors", "config.json")),
    "encoder": ("safetensors", ("model.safetensors", "config.json")),
    "cross-encoder": ("safetensors", ("model.safetensors", "config.json")),
    "onnxruntime-ocr": ("onnx", ("detection.onnx", "recognition.onnx")),
    "ctranslate2": ("ctranslate2", ("model.bin",)),
}
"""What each engine's own loader parses: the format, and the files of it, the one with the header first."""


_EXTRAS: Final = {
    "transformers": ("transformers", ("torch", "transformers")),
    "ctranslate2": ("speech", ("ctranslate2",)),
}
"""Engines that are not in the default install: the extra that brings each, and the packages that it needs."""


def sees(model: Model) -> bool:
    """Whether a model came with what it sees by."""
    return model.engine == "llama.cpp" and any(file.path == PROJECTOR for file in model.files)


def files_of(engine: str) -> tuple[str, ...]:
    """Return the names of the files that an engine's worker takes, the weights first."""
    return _TAKES[engine]


def header_of(engine: str) -> tuple[str, tuple[str, ...]]:
    """Return the format of an engine's models, and the files of it that are read before they are loaded."""
    return _HEADERS[engine]


def check_installed(model: Model) -> None:
    """Raise Unsupported when the engine of a model is an extra that is not installed; nothing is imported for that."""
    if model.engine in SOURCES:
        raise Unsupported(
            f"{model.name} is kept as safetensors, which its task is not run from", code="not_converted",
            hint=f"pai models convert {model.name}",
        )  # fmt: skip
    extra, packages = _EXTRAS.get(model.engine, ("", ()))
    if all(importlib.util.find_spec(name) for name in packages):
        return
    raise Unsupported(
        f"{model.name} runs on {model.engine}, which is not installed",
        code="extra_missing",
        hint=f"install it, such as by `make {extra}` or `pip install 'personal-ai[{extra}]'`, and start PAI again",
    )


class HeaderCheck(Protocol):
    """Validates the header of a model file behind walls."""

    def prepare(self) -> None: ...
    async def check(self, format: str, files: Mapping[str, int]) -> Mapping[str, Any]: ...  # noqa: A002
    async def close(self) -> None: ...


class Examiner:
    """Looks at a model before it is loaded: its signature, the hashes of its files, and its header."""

    def __init__(self, verify: Callable[[Model], None], check: HeaderCheck) -> None:
        self._verify = verify
        self._check = check
        self._read: dict[tuple[str, ...], Mapping[str, Any]] = {}  # headers found good before, by hashes

    async def examine(self, model: Model, fds: Sequence[int]) -> Mapping[str, Any] | None:
        """Return the header of a model whose files are these; None where the engine reads none. Raises Corrupt, Unavailable.

        Headers are read once per process for the same bytes; the process that reads them starts while this one hashes.
        """
        if model.engine not in _TAKES:
            raise Unavailable(f"there is no engine {model.engine!r} here", code="no_such_engine")
        self._verify(model)
        key = tuple(file.sha256 for file in model.files)
        due = model.engine in _HEADERS and key not in self._read
        if due:
            self._check.prepare()
        for fd, file in zip(fds, model.files, strict=True):
            if await asyncio.to_thread(sha256_of_fd, fd) != file.sha256:
                await self._check.close()
                raise Corrupt(
                    f"{file.path} of {model.name} is not the file that was signed",
                    code="model_changed",
                    hint="import the model again with `pai init`",
                )
        if due:
            kind, names = _HEADERS[model.engine]
            names = (*names, *_also(model))
            try:
                self._read[key] = await self._check.check(
                    kind, dict(zip(names, _named(model, fds, names), strict=True))
                )
            except Invalid as error:
                raise Corrupt(
                    f"{model.name} is not loaded: {error.message}", code=error.code, hint=error.hint
                ) from None
        return self._read.get(key)

    async def close(self) -> None:
        """End the process that waits to read a header, if one does."""
        await self._check.close()


@contextmanager
def opened(folder: Path, model: Model) -> Iterator[list[int]]:
    """Open all files of a model, in the order of its manifest, and close them at the end."""
    fds: list[int] = []
    try:
        # ``append`` in a loop: what was opened before a failure is closed below.
        for file in model.files:
            fds.append(open_file(folder, model.name, file.path))  # noqa: PERF401
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def ordered(model: Model, fds: Sequence[int]) -> list[int]:
    """Return the descriptors that the worker takes, in its order. Raises Corrupt when the model lacks one."""
    return _named(model, fds, (*_TAKES[model.engine], *_also(model)))


def _also(model: Model) -> tuple[str, ...]:
    return (PROJECTOR,) if sees(model) else ()


def _named(model: Model, fds: Sequence[int], names: Sequence[str]) -> list[int]:
    by_name = {PurePosixPath(file.path).name: fd for fd, file in zip(fds, model.files, strict=True)}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise Corrupt(f"{model.name} has no {missing[0]}", code="model_changed", hint="import the model again")
    return [by_name[name] for name in names]


def open_file(folder: Path, name: str, path: str) -> int:
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


def sha256_of_fd(fd: int) -> str:
    """Return the SHA-256 of an open file, hex; its own offset moves to the end."""
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
