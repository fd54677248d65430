"""Small valid model files of every format, written here byte by byte so that tests can also write them wrong."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from struct import pack
from typing import Any

from pai.adapters.models.formats import ctranslate2, gguf

GGUF_CODES = {name: number for number, (name, _, _) in gguf.TYPES.items()}
KV_FORMS = {
    "u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"), "i32": (5, "i"), "f32": (6, "f"),
    "bool": (7, "B"), "u64": (10, "Q"), "i64": (11, "q"), "f64": (12, "d"),
}  # fmt: skip
CT2_CODES = {name: (number, width) for number, (name, width) in enumerate(ctranslate2.TYPES)}

Pair = tuple[str | bytes, str, Any]
TensorInfo = tuple[str | bytes, Sequence[int], str | int]


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return pack("<Q", len(data)) + data


def value_of(kind: str, value: Any) -> bytes:
    """Return type and value of a GGUF pair; a list of texts is ``[s]``, of others ``[u32]`` and so on."""
    if kind == "s":
        return pack("<I", 8) + text(value)
    if kind == "[s]":
        return pack("<IIQ", 9, 8, len(value)) + b"".join(text(one) for one in value)
    if kind.startswith("["):
        code, form = KV_FORMS[kind[1:-1]]
        return pack("<IIQ", 9, code, len(value)) + pack(f"<{len(value)}{form}", *value)
    if kind == "raw":
        return bytes(value)
    code, form = KV_FORMS[kind]
    return pack("<I", code) + pack("<" + form, value)


PAIRS: tuple[Pair, ...] = (
    ("general.architecture", "s", "llama"),
    ("general.name", "s", "Tiny"),
    ("llama.context_length", "u32", 128),
    ("llama.block_count", "u32", 2),
    ("llama.embedding_length", "u32", 64),
    ("llama.feed_forward_length", "u32", 128),
    ("llama.attention.head_count", "u32", 4),
    ("llama.attention.head_count_kv", "u32", 2),
    ("llama.rope.freq_base", "f32", 10000.0),
    ("general.file_type", "u32", 1),
    ("tokenizer.ggml.model", "s", "gpt2"),
    ("tokenizer.ggml.tokens", "[s]", ["a", "b", "<end>"]),
    ("tokenizer.ggml.token_type", "[i32]", [1, 1, 3]),
    ("tokenizer.ggml.eos_token_id", "u32", 2),
    ("tokenizer.chat_template", "s", "{{ messages }}"),
)
TENSORS: tuple[TensorInfo, ...] = (
    ("token_embd.weight", (64, 3), "F32"),
    ("blk.0.attn_q.weight", (64, 64), "Q8_0"),
    ("blk.1.attn_q.weight", (64, 64), "F16"),
)


def gguf_size(shape: Sequence[int], kind: str | int) -> int:
    if isinstance(kind, int):
        return 0
    _, block, block_bytes = gguf.TYPES[GGUF_CODES[kind]]
    return math.prod(shape) // block * block_bytes


def gguf_file(
    pairs: Sequence[Pair] = PAIRS, tensors: Sequence[TensorInfo] = TENSORS, *, version: int = 3, n_tensors: int | None = None,
    n_kv: int | None = None, alignment: int = 32, offsets: Mapping[int, int] | None = None, data: bytes | None = None,
    n_dims: int | None = None,
) -> bytes:  # fmt: skip
    """Return a GGUF file. ``offsets`` replaces those of single tensors, ``data`` the bytes of all."""
    n_kv, n_tensors = len(pairs) if n_kv is None else n_kv, len(tensors) if n_tensors is None else n_tensors
    out = bytearray(b"GGUF" + pack("<IQQ", version, n_tensors, n_kv))
    for key, kind, value in pairs:
        out += text(key) + value_of(kind, value)
    offset = 0
    for number, (name, shape, kind) in enumerate(tensors):
        code = kind if isinstance(kind, int) else GGUF_CODES[kind]
        out += text(name) + pack("<I", len(shape) if n_dims is None else n_dims) + pack(f"<{len(shape)}Q", *shape)
        out += pack("<IQ", code, (offsets or {}).get(number, offset) % (1 << 64))
        offset += -(-gguf_size(shape, kind) // alignment) * alignment
    out += bytes(-len(out) % alignment)
    return bytes(out) + (bytes(min(offset, 1 << 22)) if data is None else data)


def safetensors_file(header: Mapping[str, Any] | str | bytes, data: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a safetensors file with this header, given as an object or as its text."""
    raw = json.dumps(header).encode() if isinstance(header, Mapping) else header
    raw = raw.encode() if isinstance(raw, str) else raw
    return pack("<Q", len(raw) if length is None else length) + raw + data


def entry(dtype: str, shape: Sequence[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


SAFETENSORS = {
    "__metadata__": {"format": "pt"},
    "a": entry("F32", (2, 3), 0, 24),
    "b": entry("BF16", (4,), 24, 32),
    "none": entry("U8", (0, 7), 32, 32),
}


def ct2_text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return pack("<H", len(data) + 1) + data + b"\0"


Variable = tuple[str | bytes, Sequence[int], str | int, int | None]
VARIABLES: tuple[Variable, ...] = (
    ("decoder/layer_0/weight", (4, 8), "int8", None),
    ("decoder/layer_0/weight_scale", (4,), "float32", None),
    ("encoder/scalar", (), "float16", None),
)


def ct2_file(
    variables: Sequence[Variable] = VARIABLES, aliases: Sequence[tuple[str | bytes, str | bytes]] = (("same", "encoder/scalar"),), *,
    version: int = 6, name: str | bytes = "WhisperSpec", n_variables: int | None = None, n_aliases: int | None = None,
) -> bytes:  # fmt: skip
    """Return a CTranslate2 ``model.bin``; a variable is name, shape, type, and the size it claims (None: the right one)."""
    out = bytearray(pack("<I", version) + ct2_text(name) + pack("<I", 3))
    out += pack("<I", len(variables) if n_variables is None else n_variables)
    for variable, shape, kind, claimed in variables:
        code, width = (kind, 4) if isinstance(kind, int) else CT2_CODES[kind]
        size = math.prod(shape) * width
        out += ct2_text(variable) + pack(f"<B{len(shape)}I", len(shape), *shape)
        out += pack("<BI", code, size if claimed is None else claimed) + bytes(min(size, 1 << 16))
    out += pack("<I", len(aliases) if n_aliases is None else n_aliases)
    for alias, target in aliases:
        out += ct2_text(alias) + ct2_text(target)
    return bytes(out)


CONST = '<layer id="{id}" name="c{id}" type="Const" version="opset1"><data element_type="{type}" shape="{shape}" offset="{offset}" size="{size}"/><output><port id="0" precision="FP32"><dim>2</dim></port></output></layer>'
PARAMETER = '<layer id="0" name="x" type="Parameter" version="opset1"><data shape="?,3" element_type="f32"/><output><port id="0" precision="FP32" names="x"><dim>-1</dim><dim>3</dim></port></output></layer>'


def constant(id: int = 1, type: str = "f32", shape: str = "2,3", offset: int | str = 0, size: int | str = 24) -> str:
    return CONST.format(id=id, type=type, shape=shape, offset=offset, size=size)


def ir_file(
    layers: str = PARAMETER + constant(), edges: str = '<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>', *,
    version: str = "11", before: str = "<?xml version=\"1.0\"?>\n", more: str = "",
) -> bytes:  # fmt: skip
    """Return the XML of an OpenVINO IR."""
    return (
        f'{before}<net name="m" version="{version}"><layers>{layers}</layers><edges>{edges}</edges>{more}'
        '<rt_info><anything value="1"><deeper/></anything></rt_info></net>'
    ).encode()


@contextmanager
def opened(**files: bytes) -> Iterator[dict[str, int]]:
    """Hold files in memory; yield their descriptors by name (``__`` stands for a dot)."""
    fds: dict[str, int] = {}
    try:
        for name, data in files.items():
            fd = fds[name.replace("__", ".")] = os.memfd_create("model")
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        yield fds
    finally:
        for fd in fds.values():
            os.close(fd)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def part(number: int, value: bytes | str | int) -> bytes:
    """Return one protobuf field: a number, or bytes after their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_tensor(
    name: str = "w", dims: Sequence[int] = (2, 3), type: int = 1, raw: bytes | None = bytes(24), more: bytes = b""
) -> bytes:
    out = b"".join(part(1, dim) for dim in dims) + part(2, type) + part(8, name)
    return out + (part(9, raw) if raw is not None else b"") + more


def external(**entries: str) -> bytes:
    """Return the fields of a tensor whose weights lie elsewhere."""
    return part(14, 1) + b"".join(part(13, part(1, key) + part(2, value)) for key, value in entries.items())


def onnx_value(name: str, elem: int = 1, dims: Sequence[int | str] = ("n", 3)) -> bytes:
    shape = b"".join(part(1, part(1, dim) if isinstance(dim, int) else part(2, dim)) for dim in dims)
    return part(1, name) + part(2, part(1, part(1, elem) + part(2, shape)))


def onnx_node(op: str = "MatMul", domain: str = "", outputs: Sequence[str] = ("y",), more: bytes = b"") -> bytes:
    out = part(1, "x") + part(1, "w") + b"".join(part(2, name) for name in outputs) + part(4, op)
    return out + (part(7, domain) if domain else b"") + more


def onnx_graph(*nodes: bytes, weights: Sequence[bytes] | None = None, more: bytes = b"") -> bytes:
    weights = [onnx_tensor()] if weights is None else weights
    out = b"".join(part(1, node) for node in nodes or (onnx_node(),)) + part(2, "g")
    out += b"".join(part(5, weight) for weight in weights)
    return out + part(11, onnx_value("x")) + part(12, onnx_value("y")) + more


def onnx_file(
    graph: bytes | None = None, *, ir: int = 9, opsets: Sequence[tuple[str, int]] = (("", 17),), more: bytes = b""
) -> bytes:
    out = part(1, ir) + part(7, onnx_graph() if graph is None else graph)
    return (
        out
        + b"".join(part(8, (part(1, domain) if domain else b"") + part(2, version)) for domain, version in opsets)
        + more
    )


def onnx_function(name: str, *nodes: bytes, domain: str = "own") -> bytes:
    return part(25, part(1, name) + part(10, domain) + b"".join(part(7, node) for node in nodes))


VALID: dict[str, dict[str, bytes]] = {
    "gguf": {"model__gguf": gguf_file()},
    "safetensors": {"model__safetensors": safetensors_file(SAFETENSORS, bytes(32))},
    "onnx": {"model__onnx": onnx_file()},
    "openvino": {"openvino_model__xml": ir_file(), "openvino_model__bin": bytes(24)},
    "ctranslate2": {"model__bin": ct2_file()},
}
"""One small file of each format that is accepted."""
