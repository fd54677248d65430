"""OpenVINO's IR: an XML file of layers, and a .bin file with the bytes of their constants.

The XML is fed in pieces to a parser that refuses DTD and entities, and no tree is built. Elements are those of a fixed
table; layers are of the sets of operators that are built in. Source: the IR format, versions 10 and 11.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree.ElementTree import ParseError  # defusedxml parses

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from pai.adapters.models.formats.headers import OpenvinoHeader, Tensor
from pai.adapters.models.formats.reader import MAX_TENSORS, WINDOW, Reader
from pai.adapters.models.formats.refusals import bad, truncated, unsafe

_LONGEST_TOKEN: Final = 1 << 20
_LARGEST: Final = 128 << 20
_DEEPEST: Final = 64
_DEEPEST_BODY: Final = 8
_MOST_ELEMENTS: Final = 4_000_000
_MOST_LAYERS: Final = 100_000
_MOST_ATTRIBUTES: Final = 256
_LONGEST_NAME: Final = 4096
_MOST_DIMENSIONS: Final = 32
_LONGEST_DIMENSION: Final = 40
_FREE: Final = frozenset({"rt_info", "meta_data", "quantization_parameters", "statistics"})
"""What tells of the making of the model, in elements of any name; no loader acts on them."""
_INNER: Final = frozenset({"body", "then_body", "else_body"})
_MAPS: Final = frozenset({"port_map", "then_port_map", "else_port_map", "back_edges"})
_GRAPH: Final = frozenset({"layers", "edges", *_FREE})
_CHILDREN: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset({"net"}), "net": _GRAPH, "layers": frozenset({"layer"}), "edges": frozenset({"edge"}),
    "layer": frozenset({"data", "input", "output", *_INNER, *_MAPS, *_FREE}), "port": frozenset({"dim", *_FREE}),
    "input": frozenset({"port"}), "output": frozenset({"port"}), "data": frozenset(), "dim": frozenset(), "edge": frozenset(),
    **dict.fromkeys(_INNER, _GRAPH), **dict.fromkeys(_MAPS, frozenset({"input", "output", "edge"})),
}  # fmt: skip
_WHOLE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_DIMENSION: Final = re.compile(r"-?[0-9]{1,18}(\.\.[0-9]{0,18})?|\?", re.ASCII)
_SHAPE: Final = re.compile(r"([0-9]{1,18}(\s*,\s*[0-9]{1,18})*)?", re.ASCII)
_TYPE: Final = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_OPSET: Final = re.compile(r"opset[0-9]{1,2}", re.ASCII)
BITS: Final = {
    "boolean": 8, "u1": 1, "u2": 2, "i4": 4, "u4": 4, "nf4": 4, "f4e2m1": 4, "i8": 8, "u8": 8, "f8e4m3": 8, "f8e5m2": 8,
    "f8e8m0": 8, "i16": 16, "u16": 16, "f16": 16, "bf16": 16, "i32": 32, "u32": 32, "f32": 32, "i64": 64, "u64": 64, "f64": 64,
}  # fmt: skip
"""Element types: name -> bits."""


def read(fd: int, weights: int) -> OpenvinoHeader:
    """Return the header of an IR; ``weights`` are the bytes of its .bin file. Raises Invalid with the reason."""
    reader = Reader(fd)
    if reader.size > _LARGEST:
        raise bad(f"the XML of the model is larger than {_LARGEST >> 20} MB")
    layers = _Layers(weights)
    parser = DefusedXMLParser(target=layers, forbid_dtd=True)
    try:
        while reader.left:
            parser.feed(reader.take(min(WINDOW, reader.left)))
            if reader.position - parser.parser.CurrentByteIndex > _LONGEST_TOKEN + WINDOW:
                raise bad("an element of the XML is longer than any model needs")
        parser.close()
    except DefusedXmlException:
        raise unsafe("the XML defines a document type or entities") from None
    except ParseError as error:
        if reader.left or error.code not in _ENDS:
            raise bad("this is no well-formed XML") from None
        raise truncated("the XML ends before its last element is closed") from None
    except (ValueError, LookupError, UnicodeError):
        raise bad("the XML is in an encoding that is not supported") from None
    return layers.header()


_ENDS: Final = (3, 5, 6, 20)
"""Expat's numbers for: no element, unclosed token, partial character, unclosed CDATA section."""


class _Layers:
    """Hears elements as they open and close; keeps constants and the numbers of layers."""

    def __init__(self, weights: int) -> None:
        self._weights = weights
        self._path: list[str] = [""]
        self._free = 0
        self._elements = 0
        self._ids: list[set[int]] = []
        self._open: list[tuple[str, str]] = []
        self._dimension = ""
        self._version = 0
        self._layers = 0
        self._operators: set[str] = set()
        self._constants: list[Tensor] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element opens."""
        self._elements += 1
        if self._elements > _MOST_ELEMENTS or len(attributes) > _MOST_ATTRIBUTES or len(self._path) > _DEEPEST:
            raise bad("the XML has more elements or attributes, or is nested deeper, than any model needs")
        if self._free or tag in _FREE:
            self._free += 1
        elif tag not in _CHILDREN.get(self._path[-1], frozenset()):
            raise unsafe("the XML has an element that is not of a plain model; PAI loads no extensions")
        self._path.append(tag)
        if not self._free:
            self._opened(tag, attributes)

    def _opened(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "net" or tag in _INNER:
            self._version = self._version or self._whole(attributes, "version")
            if len(self._ids) > _DEEPEST_BODY:
                raise bad(f"bodies of layers are nested deeper than {_DEEPEST_BODY}")
            self._ids.append(set())
        elif tag == "layer":
            self._open_layer(attributes)
        elif tag == "data" and self._open[-1][0] == "Const":
            self._constant(attributes)
        elif tag == "edge" and self._path[-2] == "edges":
            self._edge(attributes)
        elif tag == "dim":
            self._dimension = ""

    def end(self, tag: str) -> None:
        """An element closes."""
        self._path.pop()
        if self._free:
            self._free -= 1
        elif tag in _INNER or tag == "net":
            self._ids.pop()
        elif tag == "layer":
            self._open.pop()
        elif tag == "dim" and not _DIMENSION.fullmatch(self._dimension.strip()):
            raise bad("a dimension of a port is no number")

    def data(self, text: str) -> None:
        """Text between elements."""
        if self._free:
            return
        if self._path[-1] == "dim":
            self._dimension += text
            if len(self._dimension) > _LONGEST_DIMENSION:
                raise bad("a dimension of a port is no number")
        elif text.strip():
            raise bad("the XML holds text where none belongs")

    def close(self) -> None:
        """The file ends."""

    def header(self) -> OpenvinoHeader:
        """Return what was found. Raises Invalid when constants lie across each other, or the version is another."""
        if self._version not in (10, 11) or not self._layers:
            raise bad("this is no IR of a supported version (10 or 11), or it has no layers")
        before = Tensor("", (), "", 0, 0)
        for tensor in sorted(self._constants, key=lambda tensor: (tensor.offset, tensor.size)):
            same = (tensor.offset, tensor.size) == (before.offset, before.size)  # equal constants are stored once
            if tensor.offset < before.offset + before.size and not same:
                raise bad("constants overlap")
            before = tensor
        found = {(tensor.offset, tensor.size) for tensor in self._constants}
        return OpenvinoHeader(
            format="openvino",
            tensors=tuple(self._constants),
            weight_bytes=sum(size for _, size in found),
            version=self._version,
            operators=tuple(sorted(self._operators)),
            layers=self._layers,
        )

    def _open_layer(self, attributes: dict[str, str]) -> None:
        self._layers += 1
        if self._layers > _MOST_LAYERS:
            raise bad("the model has more layers than any model needs")
        number, kind, opset = self._whole(attributes, "id"), attributes.get("type", ""), attributes.get("version", "")
        if number in self._ids[-1]:
            raise bad("two layers have the same number")
        self._ids[-1].add(number)
        if not _TYPE.fullmatch(kind) or len(attributes.get("name", "")) > _LONGEST_NAME:
            raise bad("a layer has no type, or an impossible type or name")
        if not _OPSET.fullmatch(opset):
            raise unsafe("a layer is of an operator that is not built in; PAI loads no extensions")
        self._operators.add(kind)
        self._open.append((kind, attributes.get("name", "")))

    def _constant(self, attributes: dict[str, str]) -> None:
        if len(self._constants) >= MAX_TENSORS:
            raise bad(f"the model has more than {MAX_TENSORS} constants")
        bits = BITS.get(attributes.get("element_type", ""))
        text = attributes.get("shape", "").strip()
        if bits is None or not _SHAPE.fullmatch(text) or text.count(",") >= _MOST_DIMENSIONS:
            raise bad("a constant is of a type that is not known, or has no shape")
        shape = tuple(int(part) for part in text.split(",")) if text else ()
        offset, size = self._whole(attributes, "offset"), self._whole(attributes, "size")
        if -(-math.prod(shape) * bits // 8) != size:
            raise bad("a constant has another size than its type and shape say")
        if offset + size > self._weights:
            raise truncated("a constant lies outside the file of weights")
        self._constants.append(Tensor(self._open[-1][1], shape, attributes["element_type"], offset, size))

    def _edge(self, attributes: dict[str, str]) -> None:
        ends = [self._whole(attributes, name) for name in ("from-layer", "to-layer", "from-port", "to-port")]
        if not set(ends[:2]) <= self._ids[-1]:
            raise bad("an edge leads to a layer that is not there")

    @staticmethod
    def _whole(attributes: dict[str, Any], name: str) -> int:
        text = attributes.get(name, "")
        if not _WHOLE.fullmatch(text):
            raise bad("an attribute that has to be a number is missing or is none")
        return int(text)
