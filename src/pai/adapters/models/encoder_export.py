"""Makes the ONNX form of an encoder from its safetensors: BERT (Devlin et al. 2018), then one vector of unit length for each text, or
the logits of a pair.

Weights of matrix products become int8 per channel, activations are quantised while running (ONNX Runtime dynamic
quantisation). The same input gives the same bytes with the same versions of ``onnx`` and ``onnxruntime``. Importing
ONNX Runtime may
set up its event tracing: the caller's environment has to carry the telemetry switches, as every process of PAI does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pai.adapters.models.formats.encoder_config import EncoderConfig
from pai.adapters.models.safetensors_file import read_tensors
from pai.foundation.errors import Corrupt

MINILM: Final = EncoderConfig(layers=6, heads=12, width=384, inner=1536, words=30_522, positions=512, epsilon=1e-12)
"""The numbers of all-MiniLM-L6-v2."""
OPSET = 20
_IR_VERSION = 9
_MASKED = -10_000.0
_PREFIX = "bert."


class Head(StrEnum):
    """What is made of the hidden states: their mean over the tokens or the first one, as a vector of unit length, or the logits of a
    classifier over the first one (its weights are ``bert.pooler`` and ``classifier``)."""

    MEAN = "mean"
    FIRST = "cls"
    CLASSIFIER = "classifier"


def export_minilm(safetensors_path: Path, out: Path) -> None:
    """Write all-MiniLM-L6-v2 to ``out`` as `export_encoder` does, with weights of eight bits."""
    export_encoder(read_tensors(safetensors_path), MINILM, Head.MEAN, out, name="all-MiniLM-L6-v2")


def export_encoder(
    weights: Mapping[str, NDArray[Any]],
    config: EncoderConfig,
    head: Head,
    out: Path,
    *,
    name: str,
    full: Path | None = None,
) -> None:
    """Write a model with weights of eight bits to ``out``, and that with all bits to ``full``; a name appears only when its file is whole.

    Inputs of the graph: ``input_ids``, ``attention_mask`` and, for a classifier, ``token_type_ids`` (int64, [texts, tokens]); output
    ``embedding`` (float32, [texts, width]) or ``logits`` (float32, [pairs, labels]). Raises Corrupt when the weights are not those of
    this architecture.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = _Graph(weights, config, head).build(name)
    onnx.checker.check_model(model)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        whole, small = Path(folder) / "full.onnx", Path(folder) / "small.onnx"
        onnx.save(model, str(whole))
        quantize_dynamic(
            str(whole), str(small), weight_type=QuantType.QInt8, per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )  # fmt: skip
        small.replace(out)
        if full is not None:
            whole.replace(full)


class _Graph:
    """Collects nodes and initialisers in a fixed order, so that the bytes are the same each time."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], config: EncoderConfig, head: Head) -> None:
        self._weights = {name.removeprefix(_PREFIX): value for name, value in weights.items()}
        self._config = config
        self._head = head
        self._nodes: list[Any] = []
        self._initialisers: list[Any] = []
        self._count = 0

    def build(self, name: str) -> Any:
        """Return the whole model under this name."""
        from onnx import TensorProto, helper

        hidden = self._embed()
        bias = self._attention_bias()
        for layer in range(self._config.layers):
            hidden = self._layer(f"encoder.layer.{layer}.", hidden, bias)
        output = self._classify(hidden) if self._head is Head.CLASSIFIER else self._pool(hidden)
        shape = ["texts", "tokens"]
        names = ["input_ids", "attention_mask", *(["token_type_ids"] if self._head is Head.CLASSIFIER else [])]
        inputs = [helper.make_tensor_value_info(one, TensorProto.INT64, shape) for one in names]
        graph = helper.make_graph(self._nodes, name, inputs, [output], self._initialisers)
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

    def _weight(self, name: str, *shape: int, transposed: bool = False) -> str:
        """Add a tensor of the weights. A length of 0 may be any. Raises Corrupt when there is none of that shape."""
        found = self._weights.get(name)
        if (
            found is None
            or len(found.shape) != len(shape)
            or any(w not in (0, f) for f, w in zip(found.shape, shape, strict=True))
        ):
            raise Corrupt(
                f"the weights hold no tensor {name!r} of the shape that the configuration says", code="bad_model_file",
                hint="get the model again from its source; its weights and its config.json have to be of one model",
            )  # fmt: skip
        value = np.asarray(found, dtype=np.float32)
        return self._constant(name, np.ascontiguousarray(value.T) if transposed else value)

    def _linear(self, prefix: str, x: str, out: int, into: int) -> str:
        product = self._node("MatMul", x, self._weight(prefix + ".weight", out, into, transposed=True))
        return self._node("Add", product, self._weight(prefix + ".bias", out))

    def _norm(self, prefix: str, x: str) -> str:
        width = self._config.width
        scale, bias = self._weight(prefix + ".weight", width), self._weight(prefix + ".bias", width)
        return self._node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self._config.epsilon)

    def _embed(self) -> str:
        config, prefix = self._config, "embeddings."
        words = self._node(
            "Gather", self._weight(prefix + "word_embeddings.weight", config.words, config.width), "input_ids", axis=0
        )
        self._constant("zero", np.array([0], dtype=np.int64))
        self._constant("one", np.array([1], dtype=np.int64))
        self._constant("two", np.array([2], dtype=np.int64))
        length = self._node("Slice", self._node("Shape", "input_ids"), "one", "two", "zero")
        places = self._weight(prefix + "position_embeddings.weight", config.positions, config.width)
        positions = self._node("Slice", places, "zero", length, "zero")
        side = "token_type_ids" if self._head is Head.CLASSIFIER else "zero"
        kind = self._node(
            "Gather", self._weight(prefix + "token_type_embeddings.weight", 0, config.width), side, axis=0
        )
        both = self._node("Add", self._node("Add", words, positions), kind)
        return self._norm(prefix + "LayerNorm", both)

    def _attention_bias(self) -> str:
        # 0 where a token stands, a large negative number where padding does; shape [texts, 1, 1, tokens].
        self._constant("unit", np.array(1.0, dtype=np.float32))
        self._constant("masked", np.array(_MASKED, dtype=np.float32))
        self._constant("head_axes", np.array([1, 2], dtype=np.int64))
        mask = self._node("Cast", "attention_mask", output="mask", to=1)
        return self._node("Unsqueeze", self._node("Mul", self._node("Sub", "unit", mask), "masked"), "head_axes")

    def _layer(self, prefix: str, x: str, bias: str) -> str:
        width, inner, each = self._config.width, self._config.inner, self._config.width // self._config.heads
        if prefix.endswith(".layer.0."):
            self._constant("split", np.array([0, 0, self._config.heads, each], dtype=np.int64))
            self._constant("joined", np.array([0, 0, width], dtype=np.int64))
            self._constant("scale", np.array(each**-0.5, dtype=np.float32))

        def heads(name: str, order: list[int]) -> str:
            projected = self._linear(f"{prefix}attention.self.{name}", x, width, width)
            return self._node("Transpose", self._node("Reshape", projected, "split"), perm=order)

        query = self._node("Mul", heads("query", [0, 2, 1, 3]), "scale")
        scores = self._node("Add", self._node("MatMul", query, heads("key", [0, 2, 3, 1])), bias)
        mixed = self._node("MatMul", self._node("Softmax", scores, axis=-1), heads("value", [0, 2, 1, 3]))
        joined = self._node("Reshape", self._node("Transpose", mixed, perm=[0, 2, 1, 3]), "joined")
        attended = self._linear(f"{prefix}attention.output.dense", joined, width, width)
        x = self._norm(f"{prefix}attention.output.LayerNorm", self._node("Add", attended, x))
        wide = self._node("Gelu", self._linear(f"{prefix}intermediate.dense", x, inner, width))
        narrow = self._linear(f"{prefix}output.dense", wide, width, inner)
        return self._norm(f"{prefix}output.LayerNorm", self._node("Add", narrow, x))

    def _pool(self, hidden: str) -> Any:
        from onnx import TensorProto, helper

        self._constant("last_axis", np.array([2], dtype=np.int64))
        self._constant("smallest", np.array(1e-9, dtype=np.float32))
        found = self._first(hidden) if self._head is Head.FIRST else self._mean(hidden)
        length = self._node("Max", self._node("ReduceL2", found, "one", keepdims=1), "smallest")
        self._node("Div", found, length, output="embedding")
        return helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["texts", self._config.width])

    def _mean(self, hidden: str) -> str:
        weighted = self._node("Mul", hidden, self._node("Unsqueeze", "mask", "last_axis"))
        total = self._node("ReduceSum", weighted, "one", keepdims=0)
        count = self._node("Max", self._node("ReduceSum", "mask", "one", keepdims=1), "smallest")
        return self._node("Div", total, count)

    def _first(self, hidden: str) -> str:
        # An index without dimensions takes its axis away: [texts, tokens, width] becomes [texts, width].
        return self._node("Gather", hidden, self._constant("first", np.array(0, dtype=np.int64)), axis=1)

    def _classify(self, hidden: str) -> Any:
        from onnx import TensorProto, helper

        width, labels = self._config.width, self._labels()
        pooled = self._node("Tanh", self._linear("pooler.dense", self._first(hidden), width, width))
        product = self._node("MatMul", pooled, self._weight("classifier.weight", labels, width, transposed=True))
        self._node("Add", product, self._weight("classifier.bias", labels), output="logits")
        return helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["texts", labels])

    def _labels(self) -> int:
        found = self._weights.get("classifier.bias")
        if found is None or found.shape not in {(1,), (2,)}:
            raise Corrupt(
                "the weights hold no classifier with one or two logits", code="bad_model_file",
                hint="a reranker has a tensor classifier.bias of that length",
            )  # fmt: skip
        return int(found.shape[0])
