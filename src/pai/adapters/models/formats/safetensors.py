"""Safetensors: eight bytes of header length, a JSON header, then plain buffers. Nothing in them can run.

Source: the format's own description; where it leaves a choice (repeated names, gaps, a header of 100 MB) this reader
takes the strict one.
"""

from __future__ import annotations

import json
import math
from struct import Struct
from typing import Any, Final

from pai.adapters.models.formats.headers import SafetensorsHeader, Tensor
from pai.adapters.models.formats.reader import MAX_TENSORS, Reader, decoded
from pai.adapters.models.formats.refusals import bad, truncated

LONGEST_HEADER: Final = 4 << 20
"""Bytes; the format allows 100 MB, of which no model known needs one hundredth."""

_U64: Final = Struct("<Q")
_LONGEST_NAME: Final = 1024
_MOST_DIMENSIONS: Final = 16
_MOST_VALUES: Final = 400_000
_MOST_TEXTS: Final = 1000
_METADATA: Final = "__metadata__"
BITS: Final = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip
"""Element types: name -> bits."""


def read(fd: int) -> SafetensorsHeader:
    """Return the header of a safetensors file. Raises Invalid with the reason."""
    reader = Reader(fd)
    if reader.size < 8:
        raise truncated("the file is too short for a safetensors header")
    length = reader.number(_U64)
    if not 2 <= length <= LONGEST_HEADER:
        raise bad(f"the header of this safetensors file is empty or longer than {LONGEST_HEADER >> 20} MB")
    if length > reader.left:
        raise truncated("the file ends inside its header")
    entries = _parsed(reader.take(length))
    metadata = _texts(entries.pop(_METADATA, {}))
    if len(entries) > MAX_TENSORS:
        raise bad(f"the file has more than {MAX_TENSORS} tensors")
    data = reader.position
    tensors = [_tensor(number, name, entry, data) for number, (name, entry) in enumerate(entries.items())]
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.size))
    end = data
    for tensor in tensors:
        if tensor.offset != end:
            raise bad("the tensors overlap or leave a gap between them")
        end += tensor.size
    if end > reader.size:
        raise truncated("a tensor lies outside the file")
    if end < reader.size:
        raise bad("the file goes on behind its last tensor")
    return SafetensorsHeader(
        format="safetensors", tensors=tuple(tensors), weight_bytes=end - data, metadata=metadata, data=data
    )


def _parsed(text: bytes) -> dict[str, Any]:
    """Return the outermost JSON object. What could cost more memory than it has bytes is counted before it is parsed."""
    if text[:1] != b"{":
        raise bad("the header does not begin as a JSON object")
    if text.count(b",") + text.count(b"[") + text.count(b"{") > _MOST_VALUES:
        raise bad("the header holds more values than any model needs")
    try:
        found = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_float)
    except RecursionError:
        raise bad("the header is nested too deep") from None
    except ValueError:
        raise bad("the header is not JSON") from None
    if not isinstance(found, dict):
        raise bad("the header is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad("a name is in the header twice")
    return found


def _no_constant(_text: str) -> None:
    raise bad("the header holds a number that is none")


def _no_float(_text: str) -> None:
    raise bad("the header holds a number that is not whole")


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or len(found) > _MOST_TEXTS:
        raise bad("the metadata is no object, or has too many entries")
    if not all(isinstance(value, str) for value in found.values()):
        raise bad("the metadata holds something other than texts")
    return found


def _tensor(number: int, name: str, entry: object, data: int) -> Tensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise bad(f"the entry of tensor {number} is malformed")
    encoded = name.encode("utf-8", "surrogatepass")
    if not 1 <= len(encoded) <= _LONGEST_NAME:
        raise bad(f"the name of tensor {number} is empty or longer than {_LONGEST_NAME} bytes")
    decoded(encoded, f"the name of tensor {number}")
    shape, offsets = _wholes(number, entry["shape"]), _wholes(number, entry["data_offsets"])
    bits = BITS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if bits is None:
        raise bad(f"tensor {number} is of a type that is not known")
    total = math.prod(shape) * bits
    if len(offsets) != 2 or total % 8 or total >> 65 or offsets[1] - offsets[0] != total // 8:
        raise bad(f"tensor {number} has another size than its type and dimensions say")
    return Tensor(name, shape, entry["dtype"], data + offsets[0], total // 8)


def _wholes(number: int, found: object) -> tuple[int, ...]:
    if not isinstance(found, list) or len(found) > _MOST_DIMENSIONS:
        raise bad(f"the entry of tensor {number} is malformed")
    if not all(type(value) is int and 0 <= value < 1 << 63 for value in found):
        raise bad(f"the entry of tensor {number} is malformed")
    return tuple(found)
