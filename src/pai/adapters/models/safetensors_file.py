"""Reads safetensors files: eight bytes of header length, a JSON header, then plain buffers. Nothing in them can run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pai.foundation.errors import Corrupt

MAX_HEADER = 100_000_000  # the bound of the format's own description
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return all tensors, mapped read-only. Raises Corrupt when the header or an offset is not as the format says."""
    if path.stat().st_size < 8:
        raise Corrupt(f"{path.name} is not a safetensors file: it is too short")
    data = np.memmap(path, dtype=np.uint8, mode="r")
    length = int.from_bytes(data[:8].tobytes(), "little")
    if not 2 <= length <= min(MAX_HEADER, data.size - 8):
        raise Corrupt(f"{path.name} is not a safetensors file: its header length is impossible")
    try:
        header = json.loads(data[8 : 8 + length].tobytes())
    except ValueError:
        raise Corrupt(f"{path.name} is not a safetensors file: its header is not JSON") from None
    if not isinstance(header, dict):
        raise Corrupt(f"{path.name} is not a safetensors file: its header is not an object")
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return {str(name): _tensor(path.name, name, entry, body) for name, entry in header.items()}


def _tensor(file: str, name: str, entry: object, body: NDArray[np.uint8]) -> NDArray[Any]:
    try:
        kind = np.dtype(_TYPES[entry["dtype"]])  # type: ignore[index]
        shape = [int(size) for size in entry["shape"]]  # type: ignore[index]
        start, end = (int(offset) for offset in entry["data_offsets"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        raise Corrupt(f"{file}: the entry of tensor {name!r} is malformed") from None
    expected = math.prod(shape) * kind.itemsize
    if any(size < 0 for size in shape) or not 0 <= start <= end <= body.size or end - start != expected:
        raise Corrupt(f"{file}: tensor {name!r} lies outside the file or has another size than its shape")
    return body[start:end].view(kind).reshape(shape)
