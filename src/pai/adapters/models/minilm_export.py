"""Makes the ONNX form of all-MiniLM-L6-v2 from its safetensors: BERT (Devlin et al. 2018), masked mean and unit
length in the graph.

Weights of matrix products become int8 per channel, activations are quantised while running (ONNX Runtime dynamic
quantisation). The same input gives the same bytes with the same versions of ``onnx`` and ``onnxruntime``. Importing
ONNX Runtime may
set up its event tracing: the caller's environment has to carry the telemetry switches, as every process of PAI does.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pai.adapters.models.safetensors_file import read_tensors
from pai.foundation.errors import Corrupt

LAYERS = 6
HEADS = 12
WIDTH = 384
EPSILON = 1e-12
OPSET = 20
_IR_VERSION = 9
_MASKED = -10_000.0


def export_minilm(safetensors_path: Path, out: Path) -> None:
    """Write the model to ``out``; the name appears only when the file is whole.

    Inputs of the graph: ``input_ids``, ``attention_mask`` (int64, [texts, tokens]); output ``embedding`` (float32,
    [texts, 384]). Raises Corrupt when the weights are not those of this architecture.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    weights = read_tensors(safetensors_path)
    model = _Graph(weights).build()
    onnx.checker.check_model(model)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        full, small = Path(folder) / "full.onnx", Path(folder) / "small.onnx"
        onnx.save(model, str(full))
        quantize_dynamic(
            str(full), str(small), weight_type=QuantType.QInt8, per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )  # fmt: skip
        small.replace(out)


class _Graph:
    """Collects nodes and initialisers in a fixed order, so that the bytes are the same each time."""

    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = []
        self._count = 0

    def build(self) -> Any:
        """Return the whole model."""
        from onnx import TensorProto, helper

        hidden = self._embed()
        bias = self._attention_bias()
        for layer in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden, bias)
        self._pool(hidden)
        shape = ["texts", "tokens"]
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", WIDTH])
        graph = helper.make_graph(self._nodes, "all-MiniLM-L6-v2", inputs, [output], self._initialisers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pai")
        model.ir_version = _IR_VERSION
        return model

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        self._count += 1
        name = output or f"{kind.lower()}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=f"node_{self._count}", **attributes))
        return name

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._initialisers.append(numpy_helper.from_array(value, name))
        return name

    def _weight(self, name: str, *, transposed: bool = False) -> str:
        if name not in self._weights:
            raise Corrupt(f"the weights hold no tensor {name!r}: not an all-MiniLM-L6-v2 model")
        value = np.asarray(self._weights[name], dtype=np.float32)
        return self._constant(name, np.ascontiguousarray(value.T) if transposed else value)

    def _linear(self, prefix: str, x: str) -> str:
        product = self._node("MatMul", x, self._weight(prefix + ".weight", transposed=True))
        return self._node("Add", product, self._weight(prefix + ".bias"))

    def _norm(self, prefix: str, x: str) -> str:
        scale, bias = self._weight(prefix + ".weight"), self._weight(prefix + ".bias")
        return self._node("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPSILON)

    def _embed(self) -> str:
        words = self._node("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids", axis=0)
        self._constant("zero", np.array([0], dtype=np.int64))
        self._constant("one", np.array([1], dtype=np.int64))
        self._constant("two", np.array([2], dtype=np.int64))
        length = self._node("Slice", self._node("Shape", "input_ids"), "one", "two", "zero")
        positions = self._node("Slice", self._weight("embeddings.position_embeddings.weight"), "zero", length, "zero")
        kind = self._node("Gather", self._weight("embeddings.token_type_embeddings.weight"), "zero", axis=0)
        both = self._node("Add", self._node("Add", words, positions), kind)
        return self._norm("embeddings.LayerNorm", both)

    def _attention_bias(self) -> str:
        # 0 where a token stands, a large negative number where padding does; shape [texts, 1, 1, tokens].
        self._constant("unit", np.array(1.0, dtype=np.float32))
        self._constant("masked", np.array(_MASKED, dtype=np.float32))
        self._constant("head_axes", np.array([1, 2], dtype=np.int64))
        mask = self._node("Cast", "attention_mask", output="mask", to=1)
        return self._node("Unsqueeze", self._node("Mul", self._node("Sub", "unit", mask), "masked"), "head_axes")

    def _layer(self, prefix: str, x: str, bias: str) -> str:
        if prefix.endswith(".0."):
            self._constant("split", np.array([0, 0, HEADS, WIDTH // HEADS], dtype=np.int64))
            self._constant("joined", np.array([0, 0, WIDTH], dtype=np.int64))
            self._constant("scale", np.array((WIDTH // HEADS) ** -0.5, dtype=np.float32))

        def heads(name: str, order: list[int]) -> str:
            projected = self._linear(f"{prefix}attention.self.{name}", x)
            return self._node("Transpose", self._node("Reshape", projected, "split"), perm=order)

        query = self._node("Mul", heads("query", [0, 2, 1, 3]), "scale")
        scores = self._node("Add", self._node("MatMul", query, heads("key", [0, 2, 3, 1])), bias)
        mixed = self._node("MatMul", self._node("Softmax", scores, axis=-1), heads("value", [0, 2, 1, 3]))
        joined = self._node("Reshape", self._node("Transpose", mixed, perm=[0, 2, 1, 3]), "joined")
        attended = self._linear(f"{prefix}attention.output.dense", joined)
        x = self._norm(f"{prefix}attention.output.LayerNorm", self._node("Add", attended, x))
        inner = self._node("Gelu", self._linear(f"{prefix}intermediate.dense", x))
        return self._norm(
            f"{prefix}output.LayerNorm", self._node("Add", self._linear(f"{prefix}output.dense", inner), x)
        )

    def _pool(self, hidden: str) -> None:
        self._constant("last_axis", np.array([2], dtype=np.int64))
        self._constant("smallest", np.array(1e-9, dtype=np.float32))
        weighted = self._node("Mul", hidden, self._node("Unsqueeze", "mask", "last_axis"))
        total = self._node("ReduceSum", weighted, "one", keepdims=0)
        count = self._node("Max", self._node("ReduceSum", "mask", "one", keepdims=1), "smallest")
        mean = self._node("Div", total, count)
        length = self._node("Max", self._node("ReduceL2", mean, "one", keepdims=1), "smallest")
        self._node("Div", mean, length, output="embedding")
