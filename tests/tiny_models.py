"""A tiny language model of the Qwen2 family with random weights, as a GGUF file: engines can be tried on it without weights of anybody.

It knows 256 bytes, a few words and three marks of turns; what it says is noise, always the same one.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, INNER = 2, 128, 4, 2, 32, 256
CONTEXT = 2048
TEMPLATE = (
    "{%- if tools %}<|im_start|>system\nTools:{% for tool in tools %} {{ tool | tojson }}{% endfor %}<|im_end|>\n{% endif %}"
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{%- for call in message.tool_calls or [] %}{{ call.function.name }}({{ call.function.arguments | tojson }}){% endfor %}"
    "<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "[INST]")
WORDS = ("one", "two", "three", "the", "and")
_UINT32, _INT32, _FLOAT, _TEXT, _LIST = 4, 5, 6, 8, 9
_F32, _F16 = 0, 1


def letters() -> list[str]:
    """The letters that byte-level tokenisers write bytes as."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    table = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return [table[byte] for byte in range(256)]


def vocabulary() -> tuple[list[str], list[str]]:
    """Return tokens and merges."""
    tokens, merges = letters(), []
    for word in WORDS:
        for start in ("", "\u0120"):
            made = (start or word[0]) if start else word[0]
            for letter in word[0 if start else 1 :]:
                if made + letter not in tokens:
                    tokens.append(made + letter)
                    merges.append(f"{made} {letter}")
                made += letter
    return [*tokens, *MARKS], merges


def tiny_gguf(path: Path, seed: int = 3) -> None:
    """Write the model to ``path``."""
    tokens, merges = vocabulary()
    first_mark = len(tokens) - len(MARKS)
    tokens += [f"<|unused{n}|>" for n in range(-len(tokens) % 64)]
    kinds = [1] * first_mark + [3] * (len(tokens) - first_mark)
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * 0.08).astype(np.float16)

    tensors: dict[str, np.ndarray] = {
        "token_embd.weight": (random.standard_normal((len(tokens), WIDTH)) * 0.5).astype(np.float16),
        "output.weight": (random.standard_normal((len(tokens), WIDTH)) * 0.5).astype(np.float16),
        "output_norm.weight": np.ones(WIDTH, np.float32),
    }
    tensors["output.weight"][first_mark:] = (
        -0.5 * tensors["output.weight"][:1]
    )  # marks of turns are not what noise says
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("attn_q", HEADS * HEAD, WIDTH), ("attn_k", KV_HEADS * HEAD, WIDTH), ("attn_v", KV_HEADS * HEAD, WIDTH),
            ("attn_output", WIDTH, HEADS * HEAD), ("ffn_gate", INNER, WIDTH), ("ffn_up", INNER, WIDTH), ("ffn_down", WIDTH, INNER),
        ):  # fmt: skip
            tensors[f"blk.{layer}.{name}.weight"] = matrix(rows, columns)
            if name in {"attn_q", "attn_k", "attn_v"}:
                tensors[f"blk.{layer}.{name}.bias"] = np.zeros(rows, np.float32)
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = np.ones(WIDTH, np.float32)
    told: dict[str, tuple[int, Any]] = {
        "general.architecture": (_TEXT, "qwen2"), "general.name": (_TEXT, "tiny"), "general.file_type": (_UINT32, 1),
        "qwen2.block_count": (_UINT32, LAYERS), "qwen2.context_length": (_UINT32, CONTEXT),
        "qwen2.embedding_length": (_UINT32, WIDTH), "qwen2.feed_forward_length": (_UINT32, INNER),
        "qwen2.attention.head_count": (_UINT32, HEADS), "qwen2.attention.head_count_kv": (_UINT32, KV_HEADS),
        "qwen2.attention.key_length": (_UINT32, HEAD), "qwen2.attention.value_length": (_UINT32, HEAD),
        "qwen2.rope.freq_base": (_FLOAT, 10000.0), "qwen2.attention.layer_norm_rms_epsilon": (_FLOAT, 1e-6),
        "tokenizer.ggml.model": (_TEXT, "gpt2"), "tokenizer.ggml.pre": (_TEXT, "qwen2"),
        "tokenizer.ggml.tokens": (_LIST, (_TEXT, tokens)), "tokenizer.ggml.token_type": (_LIST, (_INT32, kinds)),
        "tokenizer.ggml.merges": (_LIST, (_TEXT, merges)),
        "tokenizer.ggml.eos_token_id": (_UINT32, first_mark + 2), "tokenizer.ggml.padding_token_id": (_UINT32, first_mark),
        "tokenizer.ggml.bos_token_id": (_UINT32, first_mark), "tokenizer.ggml.add_bos_token": (7, False),
        "tokenizer.chat_template": (_TEXT, TEMPLATE),
    }  # fmt: skip
    infos, data = b"", b""
    for name, values in tensors.items():
        kind = _F32 if values.dtype == np.float32 else _F16
        dimensions = b"".join(struct.pack("<Q", size) for size in reversed(values.shape))
        infos += _text(name) + struct.pack("<I", values.ndim) + dimensions + struct.pack("<IQ", kind, len(data))
        data += values.tobytes()
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(told))
    head += b"".join(_text(key) + struct.pack("<I", kind) + _value(kind, value) for key, (kind, value) in told.items())
    head += infos
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(kind: int, value: Any) -> bytes:
    if kind == _TEXT:
        return _text(value)
    if kind == _LIST:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, item) for item in items)
    return struct.pack({_UINT32: "<I", _INT32: "<i", _FLOAT: "<f", 7: "<?"}[kind], value)
