"""A tiny encoder of the family BERT as Sentence Transformers saves one, without weights of anybody, and what it computes, in plain numpy.

As a program it writes the files: ``python tests/tiny_encoder.py FOLDER [--reranker]``.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pai.adapters.models.formats.encoder_config import EncoderConfig

WORDS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "when", "does", "the", "ferry", "leave", "leaves", "at", "noon", "roses", "are", "red", "invoice",
)  # fmt: skip
CONFIG = EncoderConfig(layers=2, heads=4, width=32, inner=64, words=len(WORDS), positions=24, epsilon=1e-12)
Weights = Mapping[str, NDArray[np.float32]]


def made_weights(config: EncoderConfig = CONFIG, labels: int = 0, prefix: str = "") -> dict[str, NDArray[np.float32]]:
    """Return random weights; with ``labels`` those of a classifier too."""
    random = np.random.default_rng(7)

    def some(*shape: int) -> NDArray[np.float32]:
        return (random.standard_normal(shape) * 0.3 / math.sqrt(shape[-1] / 8)).astype(np.float32)

    width, inner = config.width, config.inner
    weights = {
        "embeddings.word_embeddings.weight": some(config.words, width),
        "embeddings.position_embeddings.weight": some(config.positions, width),
        "embeddings.token_type_embeddings.weight": some(2, width),
    }
    shapes = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")} | {
        "attention.output.dense": (width, width), "intermediate.dense": (inner, width), "output.dense": (width, inner),
    }  # fmt: skip
    norms = ["embeddings.LayerNorm"]
    for layer in range(config.layers):
        for name, shape in shapes.items():
            weights[f"encoder.layer.{layer}.{name}.weight"] = some(*shape)
            weights[f"encoder.layer.{layer}.{name}.bias"] = some(shape[0])
        norms += [f"encoder.layer.{layer}.attention.output.LayerNorm", f"encoder.layer.{layer}.output.LayerNorm"]
    for name in norms:
        weights[f"{name}.weight"], weights[f"{name}.bias"] = 1 + some(width), some(width)
    if labels:
        weights["pooler.dense.weight"], weights["pooler.dense.bias"] = some(width, width), some(width)
    found = {prefix + name: value for name, value in weights.items()}
    if labels:
        found["classifier.weight"], found["classifier.bias"] = some(labels, width), some(labels)
    return found


def write_safetensors(path: Path, weights: Mapping[str, NDArray[Any]]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in weights.items():
        data = value.tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def hidden(weights: Weights, ids: Any, mask: Any, kinds: Any, config: EncoderConfig = CONFIG) -> NDArray[np.float64]:
    """Return the hidden states [texts, tokens, width] by the paper's formulas (Devlin et al. 2018)."""
    w = {name.removeprefix("bert."): value.astype(np.float64) for name, value in weights.items()}

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + config.epsilon)
        return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    texts, tokens = ids.shape
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:tokens]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][kinds], "embeddings.LayerNorm")
    for layer in range(config.layers):
        p = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{p}attention.self.{n}").reshape(texts, tokens, config.heads, -1).transpose(0, 2, 1, 3)
            for n in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(config.width // config.heads)
        scores = scores + (1 - mask)[:, None, None, :] * -1e4
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        joined = mixed.transpose(0, 2, 1, 3).reshape(texts, tokens, config.width)
        x = norm(linear(joined, f"{p}attention.output.dense") + x, f"{p}attention.output.LayerNorm")
        inner = linear(x, f"{p}intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(linear(inner, f"{p}output.dense") + x, f"{p}output.LayerNorm")
    return np.asarray(x)


def mean_of(states: Any, mask: Any) -> NDArray[np.float64]:
    """Return unit vectors [texts, width]: the mean over the tokens that are there."""
    return unit((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True))


def unit(vectors: Any) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def logits_of(weights: Weights, states: Any) -> NDArray[np.float64]:
    """Return a classifier's logits [pairs, labels] over the first token."""
    w = {name.removeprefix("bert."): value.astype(np.float64) for name, value in weights.items()}
    pooled = np.tanh(states[:, 0] @ w["pooler.dense.weight"].T + w["pooler.dense.bias"])
    return np.asarray(pooled @ w["classifier.weight"].T + w["classifier.bias"])


def tiny_encoder(folder: Path, *, pooling: str = "pooling_mode_mean_tokens", labels: int = 0) -> Weights:
    """Write the folder, and return its weights; with ``labels`` it is a reranker."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    weights = made_weights(labels=labels, prefix="bert." if labels else "")
    write_safetensors(folder / "model.safetensors", weights)
    config = {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "num_hidden_layers": CONFIG.layers,
        "num_attention_heads": CONFIG.heads, "hidden_size": CONFIG.width, "intermediate_size": CONFIG.inner, "vocab_size": CONFIG.words,
        "max_position_embeddings": CONFIG.positions, "layer_norm_eps": CONFIG.epsilon, "type_vocab_size": 2,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    if not labels:
        kinds = ("Transformer", "Pooling", "Normalize")
        parts = [{"idx": n, "type": f"sentence_transformers.models.{kind}"} for n, kind in enumerate(kinds)]
        (folder / "modules.json").write_text(json.dumps(parts))
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({"word_embedding_dimension": CONFIG.width, pooling: True})
        )
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16, "do_lower_case": False}))
    return weights


if __name__ == "__main__":
    tiny_encoder(Path(sys.argv[1]), labels=int("--reranker" in sys.argv))
