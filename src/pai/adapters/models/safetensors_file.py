"""Tensors of a safetensors file as arrays; the header is read by ``formats.safetensors``, the file stays mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pai.adapters.models.formats import safetensors
from pai.foundation.errors import Corrupt, Invalid

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
    """Return all tensors of a file, as `tensors_of` does."""
    with path.open("rb") as file:
        return tensors_of(file)


def tensors_of(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return all tensors, mapped read-only. Raises Corrupt when the header or an offset is not as the format says."""
    try:
        header = safetensors.read(file.fileno())
    except Invalid as error:
        raise Corrupt(f"the weights: {error.message}", code=error.code, hint=error.hint) from None
    if not all(tensor.type in _TYPES for tensor in header.tensors):
        raise Corrupt(
            "the weights hold numbers of a type that is not used here", code="bad_model_file", hint="F32 and F16 are"
        )
    data = np.memmap(file, dtype=np.uint8, mode="r")
    return {
        tensor.name: data[tensor.offset : tensor.offset + tensor.size].view(_TYPES[tensor.type]).reshape(tensor.shape)
        for tensor in header.tensors
    }
