"""Writes the head of a GGUF file (version 3): key and value pairs, then a list of tensors. Source: ``docs/gguf.md`` of the ggml project."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

F32, F16, Q8_0 = 0, 1, 8
_BYTES: Final = {F32: (1, 4), F16: (1, 2), Q8_0: (32, 34)}
_UINT32, _INT32, _FLOAT, _TRUTH, _TEXT, _LIST = 4, 5, 6, 7, 8, 9
_ALIGNMENT: Final = 32


class GgufWriter:
    """Collects what the head says. Tensors have to follow it in the order they were named, each padded to 32 bytes."""

    def __init__(self) -> None:
        self._pairs: list[bytes] = []
        self._tensors: list[bytes] = []
        self._size = 0

    def text(self, key: str, value: str) -> None:
        """Add a text."""
        self._pair(key, _TEXT, _text(value))

    def number(self, key: str, value: int) -> None:
        """Add a whole number."""
        self._pair(key, _UINT32, struct.pack("<I", value))

    def real(self, key: str, value: float) -> None:
        """Add a number."""
        self._pair(key, _FLOAT, struct.pack("<f", value))

    def truth(self, key: str, *, value: bool) -> None:
        """Add yes or no."""
        self._pair(key, _TRUTH, struct.pack("<?", value))

    def texts(self, key: str, values: Sequence[str]) -> None:
        """Add a list of texts."""
        self._pair(key, _LIST, struct.pack("<IQ", _TEXT, len(values)) + b"".join(map(_text, values)))

    def numbers(self, key: str, values: Sequence[int]) -> None:
        """Add a list of whole numbers."""
        self._pair(key, _LIST, struct.pack(f"<IQ{len(values)}i", _INT32, len(values), *values))

    def tensor(self, name: str, shape: Sequence[int], kind: int) -> None:
        """Name the next tensor; ``shape`` as in NumPy."""
        per, size = _BYTES[kind]
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        self._tensors.append(_text(name) + dimensions + struct.pack("<IQ", kind, self._size))
        length = math.prod(shape) // per * size
        self._size += length + -length % _ALIGNMENT

    def head(self) -> bytes:
        """Return everything before the first tensor's data."""
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self._tensors), len(self._pairs))
        head += b"".join(self._pairs) + b"".join(self._tensors)
        return head + b"\0" * (-len(head) % _ALIGNMENT)

    def _pair(self, key: str, kind: int, value: bytes) -> None:
        self._pairs.append(_text(key) + struct.pack("<I", kind) + value)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw
