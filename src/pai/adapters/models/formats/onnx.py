"""ONNX: the graph is walked field by field; weights are measured and passed over, and nothing is built from the file.

Source: ``onnx.proto`` of the project. Refused are operators that are not built in (unless the file defines them itself),
ways to other files, training, sparse weights, and whatever protobuf would take but no exporter writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pai.adapters.models.formats import onnx_schema as schema
from pai.adapters.models.formats.headers import OnnxHeader, Tensor, Value
from pai.adapters.models.formats.onnx_tensor import Tensors
from pai.adapters.models.formats.onnx_types import Types
from pai.adapters.models.formats.reader import MAX_TENSORS, Reader
from pai.adapters.models.formats.refusals import bad, unsafe
from pai.adapters.models.formats.wire import Wire

_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_FORBIDDEN: Final = frozenset({("com.microsoft", "EPContext")})
"""Built-in operators that open what the file names: EPContext loads a compiled blob from a path."""
_IR_VERSIONS: Final = range(3, 15)
_MOST_NODES: Final = 200_000
_MOST_NAMES: Final = 250_000
_MOST_FUNCTIONS: Final = 5_000
_MOST_DOMAINS: Final = 256
_MOST_VALUES: Final = 16_384
_DEEPEST: Final = 16

Operator = tuple[str, str]


@dataclass(slots=True)
class _Function:
    """A function of the file: what it is called, and which operators of other domains it uses."""

    key: Operator
    calls: set[Operator] = field(default_factory=set)


def read(fd: int, files: Mapping[str, int]) -> OnnxHeader:
    """Return the header of an ONNX file. ``files`` are the sizes of the model's other files. Raises Invalid with the reason."""
    return _Walk(Wire(Reader(fd)), files).model()


class _Walk:
    def __init__(self, wire: Wire, files: Mapping[str, int]) -> None:
        self._wire = wire
        self._tensors = Tensors(wire, files)
        self._types = Types(wire)
        self._weights: list[Tensor] = []
        self._bytes = 0
        self._nodes = 0
        self._names = 0
        self._operators: set[Operator] = set()

    def model(self) -> OnnxHeader:
        ir_version, graphs, opsets = 0, 0, dict[str, int]()
        inputs: list[Value] = []
        outputs: list[Value] = []
        functions: list[_Function] = []
        calls: set[Operator] = set()
        for name, value, stop in self._wire.fields(schema.MODEL, self._wire.reader.size):
            match name:
                case "ir_version":
                    ir_version = value
                case "opset_import":
                    self._opset(opsets, stop)
                case "graph":
                    graphs += 1
                    calls |= self._graph(stop, 0, inputs, outputs)
                case "training_info":
                    raise unsafe("the file holds training graphs; PAI runs none from a file")
                case "functions":
                    functions.append(self._function(stop))
                    if len(functions) > _MOST_FUNCTIONS:
                        raise bad("the file has more functions than any model needs")
        if ir_version not in _IR_VERSIONS or not graphs or not opsets:
            raise bad("this is no ONNX model, or of a version that is not supported")
        self._settle(functions, calls)
        return OnnxHeader(
            format="onnx", tensors=tuple(self._weights), weight_bytes=self._bytes, ir_version=ir_version, opsets=opsets,
            inputs=tuple(inputs), outputs=tuple(outputs), nodes=self._nodes, functions=len(functions),
            operators=tuple(sorted(f"{domain}.{name}" if domain else name for domain, name in self._operators)),
            external=tuple(self._tensors.external),
        )  # fmt: skip

    @staticmethod
    def _settle(functions: list[_Function], used: set[Operator]) -> None:
        """Every operator that is not built in is a function of the file, and none leads back to itself."""
        calls = {function.key: function.calls for function in functions}
        if len(calls) != len(functions):
            raise bad("a function is defined twice")
        if any(domain in _DOMAINS for domain, _ in calls):
            raise unsafe("a function of the file takes the name of a built-in operator")
        if not calls.keys() >= used | {call for found in calls.values() for call in found}:
            raise unsafe("the graph uses operators that are not built in; PAI loads no libraries of operators")
        waiting = dict(calls)
        while waiting:
            done = [key for key, found in waiting.items() if not found & waiting.keys()]
            if not done:
                raise bad("functions of the file lead back to themselves")
            for key in done:
                del waiting[key]

    def _opset(self, opsets: dict[str, int], end: int) -> None:
        domain, version = "", 0
        for name, value, stop in self._wire.fields(schema.OPSET, end):
            if name == "domain":
                domain = self._wire.text(stop, "the name of a domain")
            else:
                version = value
        if domain in opsets or not 1 <= version <= 1 << 16 or len(opsets) >= _MOST_DOMAINS:
            raise bad("a set of operators is named twice, or has an impossible version")
        opsets[domain] = version

    def _graph(self, end: int, depth: int, inputs: list[Value], outputs: list[Value]) -> set[Operator]:
        """Read a graph; add to its inputs and outputs; return the operators it uses that are not built in."""
        if depth > _DEEPEST:
            raise bad(f"graphs are nested deeper than {_DEEPEST}")
        ends = {"input": inputs, "output": outputs}
        made: set[str] = set()
        weights: set[str] = set()
        calls: set[Operator] = set()
        for name, _, stop in self._wire.fields(schema.GRAPH, end):
            match name:
                case "node":
                    calls |= self._node(stop, depth, made)
                case "initializer":
                    self._weight(stop, weights)
                case "sparse_initializer":
                    raise unsafe("the file holds sparse weights, which PAI does not load")
                case "input" | "output" | "value_info":
                    value = self._types.value(stop)
                    if name in ends:
                        ends[name].append(value)
                    if len(inputs) + len(outputs) > _MOST_VALUES:
                        raise bad("a graph has more inputs or outputs than any model needs")
        if made & weights or made & {value.name for value in inputs}:
            raise bad("a name is given to two values of a graph")
        return calls

    def _weight(self, end: int, names: set[str]) -> None:
        found = self._tensors.read(end)
        if not found.name or found.name in names:
            raise bad("a weight has no name, or the name of another")
        names.add(found.name)
        self._weights.append(found)
        self._bytes += found.size
        if len(self._weights) > MAX_TENSORS:
            raise bad(f"the file has more than {MAX_TENSORS} tensors")

    def _node(self, end: int, depth: int, made: set[str]) -> set[Operator]:
        """Read a node; return the operators it uses that are not built in, those of its inner graphs too."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise bad("the graph has more nodes than any model needs")
        domain = operator = ""
        attributes: set[str] = set()
        calls: set[Operator] = set()
        for name, _, stop in self._wire.fields(schema.NODE, end):
            match name:
                case "op_type":
                    operator = self._wire.text(stop, "the name of an operator")
                case "domain":
                    domain = self._wire.text(stop, "the name of a domain")
                case "output":
                    self._output(stop, made)
                case "attribute":
                    calls |= self._attribute(stop, depth, attributes)
        if not operator:
            raise bad("a node of the graph has no operator")
        if (domain, operator) in _FORBIDDEN:
            raise unsafe("the graph uses an operator that loads another file")
        self._operators.add((domain, operator))
        if domain not in _DOMAINS:
            calls.add((domain, operator))
        return calls

    def _output(self, stop: int, made: set[str]) -> None:
        name = self._wire.text(stop, "the name of a value")
        if name and name in made:
            raise bad("a name is given to two values of a graph")
        made.add(name)
        self._names += 1
        if self._names > _MOST_NAMES:
            raise bad("the graph has more values than any model needs")

    def _attribute(self, end: int, depth: int, names: set[str]) -> set[Operator]:
        own = ""
        calls: set[Operator] = set()
        for name, _, stop in self._wire.fields(schema.ATTRIBUTE, end):
            match name:
                case "name":
                    own = self._wire.text(stop, "the name of an attribute")
                case "t" | "tensors":
                    self._bytes += self._tensors.read(stop).size
                case "g" | "graphs":
                    calls |= self._graph(stop, depth + 1, [], [])
                case "sparse_tensor" | "sparse_tensors":
                    raise unsafe("the file holds sparse weights, which PAI does not load")
                case "tp" | "type_protos":
                    self._types.type(stop, 0)
        if not own or own in names:
            raise bad("an attribute has no name, or the name of another")
        names.add(own)
        return calls

    def _function(self, end: int) -> _Function:
        domain = name_ = overload = ""
        made: set[str] = set()
        names: set[str] = set()
        calls: set[Operator] = set()
        for name, _, stop in self._wire.fields(schema.FUNCTION, end):
            match name:
                case "name":
                    name_ = self._wire.text(stop, "the name of a function")
                case "domain":
                    domain = self._wire.text(stop, "the name of a domain")
                case "overload":
                    overload = self._wire.text(stop, "the overload of a function")
                case "node":
                    calls |= self._node(stop, 0, made)
                case "attribute_proto":
                    calls |= self._attribute(stop, 0, names)
                case "value_info":
                    self._types.value(stop)
        if not name_ or overload:
            raise bad("a function has no name, or several forms")
        return _Function((domain, name_), calls)
