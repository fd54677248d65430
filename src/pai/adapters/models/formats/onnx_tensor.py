"""Tensors of an ONNX file: dimensions, type and bytes have to agree, and weights outside the file lie in files that came with it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pai.adapters.models.formats.headers import Tensor
from pai.adapters.models.formats.onnx_schema import ENTRY, TENSOR, TYPES
from pai.adapters.models.formats.refusals import bad, truncated, unsafe
from pai.adapters.models.formats.wire import Wire

_MOST_DIMENSIONS: Final = 32
_LONGEST_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_DATA: Final = {"float_data": 4, "int32_data": 0, "int64_data": 0, "double_data": 8, "uint64_data": 0, "string_data": 0}
"""Fields of numbers: bytes of each, 0 for a variable length."""
_FIELD_OF: Final = {
    "FLOAT": "float_data", "COMPLEX64": "float_data", "DOUBLE": "double_data", "COMPLEX128": "double_data",
    "INT64": "int64_data", "UINT64": "uint64_data", "UINT32": "uint64_data", "STRING": "string_data",
}  # fmt: skip
"""Where numbers of a type stand when they are not raw; all others in ``int32_data``."""
_EXTERNAL: Final = 1


@dataclass(slots=True)
class _Found:
    """What the fields of one tensor say."""

    name: str = ""
    shape: list[int] = field(default_factory=list)
    type: int = 0
    location: int = 0
    raw: tuple[int, int] | None = None
    counts: dict[str, int] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)


class Tensors:
    """Reads tensors. ``files`` are the sizes of the other files of the model by name; ``external`` those that hold weights."""

    def __init__(self, wire: Wire, files: Mapping[str, int]) -> None:
        self._wire = wire
        self._files = files
        self.external: dict[str, None] = {}

    def read(self, end: int) -> Tensor:
        """Return the tensor up to ``end``. Raises Invalid with the reason."""
        found = self._fields(end)
        kind = TYPES.get(found.type)
        if kind is None:
            raise bad("a tensor is of a type that is not known")
        elements = math.prod(found.shape)
        size = -(-elements * kind[1] // 8)
        if elements >= 1 << 62 or size >= 1 << 62:
            raise bad("the dimensions of a tensor overflow")
        outside = found.location or found.external
        offset = self._outside(found, kind[0], size) if outside else self._inside(found, kind, elements, size)
        return Tensor(found.name, tuple(found.shape), kind[0], offset, size)

    def _fields(self, end: int) -> _Found:
        wire, found = self._wire, _Found()
        for name, value, stop in wire.fields(TENSOR, end):
            match name:
                case "dims":
                    self._dimensions(found, value, stop)
                case "data_type":
                    found.type = value
                case "name":
                    found.name = wire.text(stop, "the name of a tensor")
                case "raw_data":
                    found.raw = (wire.reader.position, stop - wire.reader.position)
                case "external_data":
                    self._entry(found, stop)
                case "data_location":
                    found.location = value
                case "segment":
                    raise bad("a tensor is given in segments, which no loader reads")
                case _ if name in _DATA:
                    more = self._numbers(name, value, stop)
                    found.counts[name] = found.counts.get(name, 0) + more
        return found

    def _numbers(self, name: str, value: int, stop: int) -> int:
        if name == "string_data" or value >= 0:
            return 1
        return self._wire.count(stop, _DATA[name])

    def _dimensions(self, found: _Found, value: int, stop: int) -> None:
        reader = self._wire.reader
        values = [value]
        if value < 0:
            values = []
            while reader.position < stop and len(values) <= _MOST_DIMENSIONS:
                values.append(reader.varint())
            if reader.position > stop:
                raise bad("a list of numbers ends inside one")
        found.shape += values
        if len(found.shape) > _MOST_DIMENSIONS or any(value >= 1 << 62 for value in values):
            raise bad(f"a tensor has more than {_MOST_DIMENSIONS} dimensions, or one below zero or too large")

    def _entry(self, found: _Found, end: int) -> None:
        key = text = ""
        for name, _, stop in self._wire.fields(ENTRY, end):
            if name == "key":
                key = self._wire.text(stop, "a key of a tensor outside the file")
            else:
                text = self._wire.text(stop, "a value of a tensor outside the file")
        if key not in {"location", "offset", "length", "checksum"} or key in found.external:
            raise bad("a tensor outside the file is described by a key that is not known, or twice")
        found.external[key] = text

    def _outside(self, found: _Found, kind: str, size: int) -> int:
        if (
            found.location != _EXTERNAL
            or not found.external
            or found.raw is not None
            or found.counts
            or kind == "STRING"
        ):
            raise bad("a tensor is given both inside and outside the file, or neither")
        name = found.external.get("location", "")
        parts = name.split("/")
        if not name or "\\" in name or ":" in name or any(part in {"", ".", ".."} for part in parts):
            raise unsafe("the weights of a tensor are said to lie in a place that is no file of the model")
        if name not in self._files:
            raise unsafe("the weights of a tensor lie in a file that does not belong to the model, or is missing")
        offset, length = (self._whole(found, key) for key in ("offset", "length"))
        if length not in (0, size):
            raise bad("a tensor outside the file has another size than its type and dimensions say")
        if offset + size > self._files[name]:
            raise truncated("a tensor lies outside the file that holds its weights")
        self.external[name] = None
        return offset

    @staticmethod
    def _whole(found: _Found, key: str) -> int:
        text = found.external.get(key, "0")
        if not _LONGEST_NUMBER.fullmatch(text):
            raise bad("the place of a tensor outside the file is no number")
        return int(text)

    @staticmethod
    def _inside(found: _Found, kind: tuple[str, int], elements: int, size: int) -> int:
        if found.raw is not None:
            if found.counts or kind[0] == "STRING":
                raise bad("a tensor has its numbers twice, or texts where numbers belong")
            if found.raw[1] != size:
                raise bad("a tensor has another size than its type and dimensions say")
            return found.raw[0]
        wanted = -(-elements * kind[1] // 8) if 0 < kind[1] < 8 else elements
        if kind[0].startswith("COMPLEX"):
            wanted *= 2
        where = _FIELD_OF.get(kind[0], "int32_data")
        given = {name: count for name, count in found.counts.items() if count}
        if given != ({where: wanted} if wanted else {}):
            raise bad("a tensor has another number of values than its dimensions say, or in another place")
        return 0
