"""Safetensors of the Llama and Qwen families into one GGUF file, in 16 bits or as Q8_0. Runs in the converting worker only.

Sources: ``docs/gguf.md`` of the ggml project for the file, its quantisation of blocks of 32 numbers for Q8_0, and the names of layers
that llama.cpp gives. Rotary positions of Llama are laid out in pairs there, so rows of its queries and keys change places.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pai.adapters.models.formats import language_config, safetensors
from pai.adapters.models.formats.headers import Tensor
from pai.adapters.models.gguf_tokens import written_vocabulary
from pai.adapters.models.gguf_writer import F16, F32, Q8_0, GgufWriter
from pai.foundation.errors import Unsupported

FILE: Final = "model.gguf"
_ARCHITECTURES: Final = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""Families that are converted, and what llama.cpp calls them."""
_WHOLE: Final = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_LAYER: Final = re.compile(r"model\.layers\.(\d{1,3})\.([a-z_.]+)\.(weight|bias)")
_PARTS: Final = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
_BLOCK: Final = 32


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the file says of a model's sizes."""

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    context: int
    base: float
    epsilon: float


def convert_safetensors(weights: int, config: int, tokenizer: bytes, chat: bytes, folder: Path, file_type: int) -> None:
    """Write ``FILE`` into ``folder``; ``file_type`` is 1 (F16) or 7 (Q8_0), as GGUF numbers them.

    Raises Unsupported for another family, a tokeniser or a scaling of positions that is not known here.
    """
    told, settled = language_config.read(config), json.loads(chat)
    family = str(told["model_type"])
    if family not in _ARCHITECTURES:
        raise _unsupported(f"models of the family {family} are not converted")
    sizes = _sizes(told)
    architecture = _ARCHITECTURES[family]
    writer = GgufWriter()
    writer.text("general.architecture", architecture)
    writer.number("general.file_type", file_type)
    for key, value in (
        ("block_count", sizes.layers), ("context_length", sizes.context), ("embedding_length", sizes.width),
        ("feed_forward_length", sizes.inner), ("attention.head_count", sizes.heads), ("attention.head_count_kv", sizes.kv_heads),
        ("attention.key_length", sizes.head), ("attention.value_length", sizes.head), ("rope.dimension_count", sizes.head),
        ("vocab_size", int(told["vocab_size"])),
    ):  # fmt: skip
        writer.number(f"{architecture}.{key}", value)
    writer.real(f"{architecture}.rope.freq_base", sizes.base)
    writer.real(f"{architecture}.attention.layer_norm_rms_epsilon", sizes.epsilon)
    written_vocabulary(writer, json.loads(tokenizer), settled, int(told["vocab_size"]))
    header = safetensors.read(weights)
    mapped = mmap.mmap(weights, 0, prot=mmap.PROT_READ)
    tied = bool(told.get("tie_word_embeddings"))
    named = {tensor.name: tensor for tensor in header.tensors if not (tied and tensor.name == "lm_head.weight")}
    plans = [(_name(name), tensor, _kind(tensor, file_type)) for name, tensor in named.items()]
    for name, tensor, kind in plans:
        writer.tensor(name, tensor.shape, kind)
    with (folder / FILE).open("wb") as file:
        file.write(writer.head())
        for name, tensor, kind in plans:
            values = _values(mapped, tensor)
            if architecture == "llama" and (".attn_q." in name or ".attn_k." in name):
                values = _paired(values, sizes.heads if ".attn_q." in name else sizes.kv_heads)
            for piece in _written(values, kind):
                file.write(piece)
            file.write(b"\0" * (-file.tell() % _BLOCK))
        file.flush()
        os.fsync(file.fileno())


def _sizes(told: Mapping[str, Any]) -> Sizes:
    rope = told.get("rope_parameters") or told.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default")) if isinstance(rope, dict) else "?"
    if kind != "default":
        raise _unsupported(f"positions scaled as {str(kind)[:40]!r} are not converted")
    window = told.get("sliding_window") if told.get("use_sliding_window", True) else None
    if window and int(window) < int(told["max_position_embeddings"]):
        raise _unsupported("models that see only a window of their context are not converted")
    heads = int(told["num_attention_heads"])
    return Sizes(
        layers=int(told["num_hidden_layers"]),
        width=int(told["hidden_size"]),
        inner=int(told["intermediate_size"]),
        heads=heads,
        kv_heads=int(told.get("num_key_value_heads") or heads),
        head=int(told.get("head_dim") or told["hidden_size"] // heads),
        context=int(told["max_position_embeddings"]),
        base=float(rope.get("rope_theta") or told.get("rope_theta") or 10_000.0),
        epsilon=float(told.get("rms_norm_eps", 1e-6)),
    )


def _name(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    found = _LAYER.fullmatch(name)
    if found is None or found[2] not in _PARTS:
        raise _unsupported(f"the weights {name[:80]!r} have no place in this architecture")
    return f"blk.{found[1]}.{_PARTS[found[2]]}.{found[3]}"


def _kind(tensor: Tensor, file_type: int) -> int:
    if len(tensor.shape) < 2:
        return F32
    return Q8_0 if file_type == 7 and tensor.shape[-1] % _BLOCK == 0 else F16


def _values(mapped: mmap.mmap, tensor: Tensor) -> NDArray[Any]:
    if tensor.type not in {"F32", "F16", "BF16"}:
        raise _unsupported(f"weights of type {tensor.type} are not converted")
    kind = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[tensor.type]
    found = np.frombuffer(mapped, np.uint8, tensor.size, tensor.offset).view(kind).reshape(tensor.shape)
    return (found.astype("<u4") << 16).view("<f4") if tensor.type == "BF16" else found


def _paired(values: NDArray[Any], heads: int) -> NDArray[Any]:
    """Return rows in the order of rotary pairs: the first half of a head's rows between those of the second."""
    rows = values.shape[0]
    return values.reshape(heads, 2, rows // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def _written(values: NDArray[Any], kind: int) -> Iterator[bytes]:
    """Yield the bytes of an array, some megabytes at a time."""
    if kind == F32:
        yield values.astype("<f4").tobytes()
        return
    step = max(1, (1 << 20) // max(1, values.shape[-1]))
    for start in range(0, values.shape[0], step):
        rows = values[start : start + step]
        yield rows.astype("<f2").tobytes() if kind == F16 else quantised(rows.astype("<f4"))


def quantised(values: NDArray[np.float32]) -> bytes:
    """Return Q8_0: for each 32 numbers a 16-bit scale and 32 bytes."""
    blocks = values.reshape(-1, _BLOCK)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(scale > 0, np.float32(1) / scale, np.float32(0)).astype(np.float32)
    exact = blocks * inverse
    made = np.empty((len(blocks), 2 + _BLOCK), np.uint8)
    made[:, :2] = scale.astype("<f2").view(np.uint8)
    made[:, 2:] = np.trunc(exact + np.copysign(np.float32(0.5), exact)).astype(np.int8).view(np.uint8)
    return made.tobytes()


def _unsupported(message: str) -> Unsupported:
    return Unsupported(message, code="unsupported_conversion", hint="it goes on running on PyTorch")
