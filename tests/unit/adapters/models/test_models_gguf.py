"""GGUF headers: what is read of them, and what real files say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import engine_models
from model_files import GGUF_CODES, PAIRS, gguf_file, gguf_size, opened
from pai.adapters.models.formats import gguf
from pai.adapters.models.formats.headers import GgufHeader
from pai.adapters.models.formats.reader import WINDOW
from pai.foundation.errors import Invalid


def read(data: bytes) -> GgufHeader:
    with opened(m=data) as fds:
        return gguf.read(fds["m"])


def test_everything_an_estimate_needs_is_read() -> None:
    header = read(gguf_file())
    assert (header.version, header.architecture, header.name, header.file_type) == (3, "llama", "Tiny", 1)
    assert (header.context_length, header.blocks, header.embedding_length, header.feed_forward_length) == (
        128,
        2,
        64,
        128,
    )
    assert (header.heads, header.kv_heads, header.key_length, header.value_length) == ((4, 4), (2, 2), 16, 16)
    assert (header.vocabulary, header.tokenizer, header.chat_template) == (3, "gpt2", "{{ messages }}")
    assert header.rope_base == 10_000
    assert [(t.name, t.shape, t.type, t.size) for t in header.tensors] == [
        ("token_embd.weight", (64, 3), "F32", 768),
        ("blk.0.attn_q.weight", (64, 64), "Q8_0", 4352),
        ("blk.1.attn_q.weight", (64, 64), "F16", 8192),
    ]
    assert header.weight_bytes == 768 + 4352 + 8192
    assert all(tensor.offset % 32 == 0 for tensor in header.tensors)


@pytest.mark.parametrize("kind", GGUF_CODES)
def test_every_type_has_its_size(kind: str) -> None:
    header = read(gguf_file(tensors=[("t", (512, 3), kind), ("u", (512,), "F32")]))
    assert header.tensors[0].size == gguf_size((512, 3), kind)
    assert header.tensors[1].offset - header.tensors[0].offset == -(-header.tensors[0].size // 32) * 32


@pytest.mark.parametrize(
    "pair", [("k", "[bool]", [0, 1]), ("k", "f64", float("nan")), ("k", "[s]", ["x" * 60_000] * 9), ("k", "i64", -1)]
)
def test_metadata_of_every_kind_is_passed_over(pair: Any) -> None:
    assert read(gguf_file([pair, *PAIRS])).chat_template == "{{ messages }}"


def test_lists_across_many_windows_are_walked() -> None:
    tokens = [f"token-{n:06}" for n in range(WINDOW // 8)]
    pairs = [pair for pair in PAIRS if not pair[0].startswith("tokenizer.ggml.t")]
    header = read(gguf_file([*pairs, ("tokenizer.ggml.tokens", "[s]", tokens), ("after", "u8", 1)]))
    assert header.vocabulary == len(tokens)


def test_heads_may_differ_by_block_and_widths_be_said() -> None:
    pairs = [pair for pair in PAIRS if "head_count" not in pair[0]]
    more = [
        ("llama.attention.head_count", "[u32]", [4, 8]),
        ("llama.attention.head_count_kv", "[i32]", [0, 2]),
        ("llama.attention.key_length", "u32", 24),
        ("llama.attention.sliding_window", "u32", 4096),
    ]
    header = read(gguf_file([*pairs, *more]))
    assert (header.heads, header.kv_heads, header.key_length, header.value_length) == ((4, 8), (0, 2), 24, 16)
    assert header.sliding_window == 4096


def test_another_alignment_is_kept_to() -> None:
    header = read(gguf_file([*PAIRS, ("general.alignment", "u32", 128)], alignment=128))
    assert all(tensor.offset % 128 == 0 for tensor in header.tensors)
    with pytest.raises(Invalid):
        read(gguf_file([*PAIRS, ("general.alignment", "u32", 128)], alignment=32))


def test_a_file_without_tensors_or_tokeniser_is_a_header_all_the_same() -> None:
    header = read(gguf_file(PAIRS[:1], tensors=[]))
    assert (header.tensors, header.vocabulary, header.blocks, header.weight_bytes) == ((), 0, 0, 0)


@pytest.mark.parametrize("size", [0, 3, 4, 23, 24, 100, 700])
def test_wherever_a_file_is_cut_it_is_said(size: int) -> None:
    with pytest.raises(Invalid) as caught:
        read(gguf_file()[:size])
    assert caught.value.code == "truncated_model_file"


@pytest.mark.model
@pytest.mark.parametrize(("name", "weights", "width"), [("0.5b", 485_452_288, 896), ("1.5b", 1_111_370_240, 1536)])
def test_real_weights_are_accepted(name: str, weights: int, width: int) -> None:
    source = Path(os.environ.get("PAI_TEST_MODELS") or Path(engine_models.__file__).parents[1] / ".cache" / "models")
    path = source / f"qwen2.5-coder-{name}-instruct" / "model.gguf"
    if not path.exists():
        pytest.skip(f"real weights are not here: {path}")
    with path.open("rb") as file:
        header = gguf.read(file.fileno())
    assert (header.architecture, header.context_length, header.vocabulary) == ("qwen2", 32_768, 151_936)
    assert (header.weight_bytes, header.embedding_length, header.pretokenizer) == (weights, width, "qwen2")
    assert "<|im_start|>" in header.chat_template


def test_the_tokens_that_only_templates_may_write_are_told() -> None:
    assert read(gguf_file()).marks == ("<end>",)
    size = WINDOW // 4
    tokens = [f"token-{n:06}" for n in range(size)]
    kinds = [1] * size
    for number, kind in ((0, 3), (1, 2), (size // 2, 3), (size // 2 + 1, 4), (size - 1, 3)):
        kinds[number] = kind
    pairs = [pair for pair in PAIRS if not pair[0].startswith("tokenizer.ggml.to")]
    # In either order: the list of kinds may come first.
    lists: list[Any] = [("tokenizer.ggml.tokens", "[s]", tokens), ("tokenizer.ggml.token_type", "[i32]", kinds)]
    for order in (lists, lists[::-1]):
        wanted = tuple(tokens[n] for n in (0, 1, size // 2, size - 1))
        assert read(gguf_file([*order, *pairs])).marks == wanted
    with pytest.raises(Invalid, match="only templates may write"):
        read(gguf_file([lists[0], ("tokenizer.ggml.token_type", "[i32]", [3] * size), *pairs]))
    assert read(gguf_file([lists[0], *pairs])).marks == ()
