"""What goes into a GGUF file: blocks of bytes with a scale, rows in rotary pairs, and heads that our own reader takes."""

from __future__ import annotations

import struct

import numpy as np

from model_files import opened
from pai.adapters.models.formats import validate
from pai.adapters.models.gguf_conversion import _paired, quantised
from pai.adapters.models.gguf_writer import F32, Q8_0, GgufWriter


def test_a_block_is_a_scale_and_32_bytes() -> None:
    values = np.zeros((1, 64), np.float32)
    values[0, :3] = 127.0, -127.0, 63.6
    made = quantised(values)
    assert len(made) == 68
    assert made[:2] == struct.pack("<e", 1.0)
    assert struct.unpack("<3b", made[2:5]) == (127, -127, 64)
    assert made[34:] == bytes(34)  # nothing but zeros has the scale zero


def test_rounding_is_never_off_by_more_than_half_a_step() -> None:
    values = np.random.default_rng(1).standard_normal((8, 96)).astype(np.float32)
    made = np.frombuffer(quantised(values), np.uint8).reshape(-1, 34)
    scale = made[:, :2].copy().view("<f2").astype(np.float32)
    back = made[:, 2:].view(np.int8) * scale
    assert np.abs(back - values.reshape(-1, 32)).max() <= 0.51 * scale.max() + 127 * scale.max() / 2048


def test_rows_of_a_head_stand_in_pairs() -> None:
    rows = np.arange(8).reshape(8, 1)
    assert _paired(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_our_own_reader_takes_what_is_written() -> None:
    writer = GgufWriter()
    writer.text("general.architecture", "llama")
    writer.texts("tokenizer.ggml.tokens", ["a", "\u0120b"])
    writer.tensor("a.weight", (2, 64), Q8_0)
    writer.tensor("b.weight", (3,), F32)
    data = quantised(np.ones((2, 64), np.float32))
    data += bytes(-len(data) % 32) + np.ones(3, "<f4").tobytes()
    with opened(model__gguf=writer.head() + data + bytes(-len(data) % 32)) as fds:
        header = validate("gguf", fds)
    assert [(tensor.name, tensor.type) for tensor in header.tensors] == [("a.weight", "Q8_0"), ("b.weight", "F32")]
