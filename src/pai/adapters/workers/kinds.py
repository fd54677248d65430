"""The fixed table of worker kinds: nothing else can be started over the launcher socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pai.foundation.errors import Invalid

SOCKET_NAME: Final = "e.sock"
"""Name of an engine's socket in its run folder (short: a Unix socket's path has 107 bytes)."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a whole-number option, both included, and its value when not given."""

    low: int
    high: int
    default: int


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """``descriptors`` says how many come with the start; ``nice`` is added to the supervisor's niceness, so that
    generation goes before embedding and parsing."""

    descriptors: int
    nice: int
    options: Mapping[str, Range]


_TEXT: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "context_length": Range(256, 1 << 20, 8192),
        "pool": Range(256, 1 << 22, 16384),
        "parallel": Range(1, 64, 8),
        "threads": Range(0, 256, 0),
    }
)
"""Options of every engine that writes text."""

_READING: Final[Mapping[str, Range]] = MappingProxyType(
    {"max_tokens": Range(8, 8192, 256), "threads": Range(0, 256, 2)}
)
"""Options of every engine that only reads text."""

_SENSE: Final[Mapping[str, Range]] = MappingProxyType(
    {"cpu_seconds": Range(1, 86_400, 360), "threads": Range(0, 256, 2)}
)
"""Options of everything that sees or hears."""

KINDS: Final[Mapping[str, WorkerKind]] = MappingProxyType(
    {
        "llama": WorkerKind(
            descriptors=1,
            nice=0,
            options=_TEXT,
        ),
        "llama-vision": WorkerKind(descriptors=2, nice=0, options=_TEXT),
        "onnx-embedding": WorkerKind(descriptors=2, nice=5, options=_READING),
        "onnx-reranking": WorkerKind(descriptors=2, nice=5, options=_READING),
        "openvino": WorkerKind(
            descriptors=4,
            nice=0,
            options=_TEXT,
        ),
        "transformers": WorkerKind(
            descriptors=4,
            nice=0,
            options=_TEXT,
        ),
        "converter": WorkerKind(descriptors=1, nice=10, options={"threads": Range(0, 256, 0)}),
        "gguf-converter": WorkerKind(descriptors=4, nice=10, options={"file_type": Range(1, 7, 7)}),
        "onnx-converter": WorkerKind(descriptors=4, nice=10, options={"rounded": Range(0, 1, 1)}),
        "echo": WorkerKind(descriptors=0, nice=0, options={"context_length": Range(16, 1 << 20, 8192)}),
        "parser": WorkerKind(
            descriptors=1,
            nice=5,
            options={"cpu_seconds": Range(1, 86_400, 240), "memory_mb": Range(256, 65_536, 2048)},
        ),
        "picture": WorkerKind(descriptors=1, nice=5, options={}),
        "ocr": WorkerKind(descriptors=1, nice=5, options=_SENSE),
        "whisper": WorkerKind(descriptors=1, nice=5, options=_SENSE),
        "model-check": WorkerKind(descriptors=1, nice=0, options={}),
    }
)


def checked_options(kind: str, given: Mapping[str, Any]) -> dict[str, int]:
    """Return all options of ``kind``, defaults filled in. Raises Invalid for an unknown kind, name, type or value."""
    if kind not in KINDS:
        raise Invalid(f"there is no worker of kind {kind!r}", code="unknown_worker_kind")
    ranges = KINDS[kind].options
    for name, value in given.items():
        if name not in ranges or type(value) is not int or not ranges[name].low <= value <= ranges[name].high:
            raise Invalid(f"option {name!r} of a {kind} worker is unknown or out of range", code="bad_worker_option")
    return {name: given.get(name, found.default) for name, found in ranges.items()}
