"""Types of values in an ONNX file: tensors, and what may be built of them."""

from __future__ import annotations

from typing import Final

from pai.adapters.models.formats import onnx_schema as schema
from pai.adapters.models.formats.headers import Value
from pai.adapters.models.formats.refusals import bad, unsafe
from pai.adapters.models.formats.wire import Fields, Wire

_DEEPEST: Final = 16
_MOST_DIMENSIONS: Final = 32

Shape = tuple[int | str, ...]
_ANY: Final[Shape] = ()


class Types:
    """Reads values and their types."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def value(self, end: int) -> Value:
        """Return the value described up to ``end``. Raises Invalid with the reason."""
        own, kind, shape = "", "", _ANY
        for name, _, stop in self._wire.fields(schema.VALUE_INFO, end):
            if name == "name":
                own = self._wire.text(stop, "the name of a value")
            elif name == "type":
                kind, shape = self.type(stop, 0)
        return Value(own, kind, shape)

    def type(self, end: int, depth: int) -> tuple[str, Shape]:
        """Return name and dimensions of a type. Raises Invalid with the reason."""
        if depth > _DEEPEST:
            raise bad(f"types are nested deeper than {_DEEPEST}")
        kind, shape = "", _ANY
        for name, _, stop in self._wire.fields(schema.TYPE, end):
            match name:
                case "tensor_type" | "sparse_tensor_type":
                    kind, shape = self._tensor_type(stop)
                case "sequence_type" | "optional_type":
                    kind, shape = self._inner_type(schema.SEQUENCE_TYPE, stop, depth), _ANY
                case "map_type":
                    kind, shape = self._inner_type(schema.MAP_TYPE, stop, depth), _ANY
                case "opaque_type":
                    raise unsafe("the graph uses a type that is not built in")
        return kind, shape

    def _inner_type(self, known: Fields, end: int, depth: int) -> str:
        for name, _, stop in self._wire.fields(known, end):
            if name != "key_type":
                self.type(stop, depth + 1)
        return "SEQUENCE" if known is schema.SEQUENCE_TYPE else "MAP"

    def _tensor_type(self, end: int) -> tuple[str, Shape]:
        kind = ""
        shape: list[int | str] = []
        for name, value, stop in self._wire.fields(schema.TENSOR_TYPE, end):
            if name == "elem_type":
                kind = schema.TYPES.get(value, ("", 0))[0]
            else:
                for _, _, inner in self._wire.fields(schema.SHAPE, stop):
                    shape.append(self._dimension(inner))
                    if len(shape) > _MOST_DIMENSIONS:
                        raise bad(f"a value has more than {_MOST_DIMENSIONS} dimensions")
        return kind, tuple(shape)

    def _dimension(self, end: int) -> int | str:
        found: int | str = ""
        for name, value, stop in self._wire.fields(schema.DIMENSION, end):
            if name == "dim_value":
                found = value if value < 1 << 63 else value - (1 << 64)
            elif name == "dim_param":
                found = self._wire.text(stop, "the name of a dimension")
        return found
