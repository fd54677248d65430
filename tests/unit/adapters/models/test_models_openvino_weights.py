"""Matrices of unsigned bytes in groups of 16 become signed bytes in groups of 32, and mean the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13

from pai.adapters.models.openvino_weights import signed_bytes

ROWS, GROUPS = 5, 4


def network(size: int, values: np.ndarray[Any, Any], zeros: np.ndarray[Any, Any], scales: np.ndarray[Any, Any]) -> Any:
    given = opset13.parameter([-1, GROUPS * size], np.float32)
    half = opset13.convert(opset13.constant(values), np.float16)
    shifted = opset13.subtract(half, opset13.convert(opset13.constant(zeros), np.float16))
    scaled = opset13.multiply(shifted, opset13.constant(scales))
    flat = opset13.reshape(scaled, opset13.constant(np.asarray([ROWS, -1], dtype=np.int64)), special_zero=False)
    product = opset13.matmul(given, opset13.convert(flat, np.float32), transpose_a=False, transpose_b=True)
    return openvino.Model([product], [given])


def made(size: int) -> tuple[Any, np.ndarray[Any, Any]]:
    random = np.random.default_rng(1)
    values = random.integers(0, 64, (ROWS, GROUPS, size), dtype=np.uint8)
    zeros = random.integers(20, 40, (ROWS, GROUPS, 1), dtype=np.uint8)
    values[0, :2] = zeros[0, :2]  # a whole group of zeros
    scales = random.uniform(1e-4, 1e-2, (ROWS, GROUPS, 1)).astype(np.float16)
    exact = (values.astype(np.float32) - zeros) * scales
    return network(size, values, zeros, scales), exact.reshape(ROWS, -1)


def outcome(model: Any, given: np.ndarray[Any, Any]) -> Any:
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(given)[0]


def test_the_matrix_is_the_same_to_half_a_step() -> None:
    model, exact = made(16)
    assert signed_bytes(model) == 1
    found = outcome(model, np.eye(exact.shape[1], dtype=np.float32)).T
    steps = np.abs(exact.reshape(ROWS, -1, 32)).max(axis=-1, keepdims=True) / 127
    # Half a step, and what float16 rounds of a scale.
    allowed = (steps * 0.52 + 1e-6).repeat(32, axis=-1).reshape(ROWS, -1)
    assert (np.abs(found - exact) <= allowed).all()
    assert not found[0, :32].any()
    assert "i8" in {
        node.get_element_type().to_string() for node in model.get_ops() if node.get_type_name() == "Constant"
    }


@pytest.mark.parametrize("size", [32, 24])
def test_other_groups_are_left_alone(size: int) -> None:
    model, _ = made(size)
    before = [node.get_friendly_name() for node in model.get_ordered_ops()]
    assert signed_bytes(model) == 0
    assert [node.get_friendly_name() for node in model.get_ordered_ops()] == before
