"""A tiny cross-encoder as ONNX, without weights of anybody: random directions for words, and a score of how many both sides share.

As a program it writes the files: ``python tests/tiny_reranker.py FOLDER``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

WORDS = (
    "[UNK]", "[CLS]", "[SEP]", "when", "does", "the", "ferry", "leave", "leaves", "at", "noon", "roses", "are", "red", "a", "cat", "sat",
)  # fmt: skip
CONTEXT = 24
WIDTH = 64


def tiny_reranker(folder: Path, *, outputs: int = 1, width: int | None = None, seed: int = 5) -> None:
    """Write ``model.onnx``, ``tokenizer.json`` and ``tokenizer_config.json``. ``outputs``: 1 logit, or 2 of which the second is "relevant"."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": CONTEXT}))
    table = np.random.default_rng(seed).standard_normal((len(WORDS), WIDTH)).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    table[:3] = 0  # what every pair holds tells nothing
    weights = np.full((1, outputs), 4.0, np.float32)
    weights[0, 0] *= 1 if outputs == 1 else -1
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Mul", ["attention_mask", "token_type_ids"], ["second"]),
        helper.make_node("Sub", ["attention_mask", "second"], ["first"]),
    ]
    for side in ("first", "second"):
        nodes += [
            helper.make_node("Cast", [side], [f"{side}_f"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"{side}_f", "one"], [f"{side}_m"]),
            helper.make_node("Mul", ["words", f"{side}_m"], [f"{side}_w"]),
            helper.make_node("ReduceSum", [f"{side}_w", "one_axis"], [f"{side}_sum"], keepdims=0),
        ]
    nodes += [
        helper.make_node("Mul", ["first_sum", "second_sum"], ["shared"]),
        helper.make_node("ReduceSum", ["shared", "one_axis"], ["score"], keepdims=1),
        helper.make_node("Sub", ["score", "middle"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["logits"]),
    ]
    names = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        nodes, "tiny-reranker",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in names],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", width or outputs])],
        [
            numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2], np.int64), "one"),
            numpy_helper.from_array(np.array([1], np.int64), "one_axis"), numpy_helper.from_array(np.array([1.0], np.float32), "middle"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    save(made, str(folder / "model.onnx"))


if __name__ == "__main__":
    tiny_reranker(Path(sys.argv[1]))
