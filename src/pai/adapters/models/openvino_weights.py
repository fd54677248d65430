"""Weights in groups that the processor multiplies at once.

A GGUF file's 6-bit weights (Q6_K) come out of the converter as bytes in groups of 16 with a zero point each. The CPU plug-in
quantises what it multiplies them with in groups of 32: half as many weights at once, and a subtraction for each. Signed bytes in groups
of 32 hold the same numbers to within half a step of 1/127 of the largest in a group, take a tenth less room, and a step of the
model took 0.7 of the time for one answer and 0.6 for eight (docs/decisions/0012).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

GROUP: Final = 32
_LARGEST: Final = 127
_SMALLEST: Final = 1e-7
"""About the smallest float16: a group of zeros divides by something."""
_ROWS: Final = 1024
"""Rows at once: all of a large matrix as float32 would take as much memory as the model."""


def signed_bytes(model: Any) -> int:
    """Rewrite all matrices of unsigned bytes in groups of 16 of an OpenVINO model; return how many there were."""
    import numpy as np
    from openvino import opset13

    count = 0
    for product, values, zeros, scales in _grouped(model):
        packed, factors = _regrouped(values.get_data(), zeros.get_data(), scales.get_data())
        whole = opset13.multiply(opset13.convert(opset13.constant(packed), np.float16), opset13.constant(factors))
        shape = opset13.constant(np.asarray([packed.shape[0], -1], dtype=np.int64))
        matrix = opset13.convert(opset13.reshape(whole, shape, special_zero=False), np.float32)
        product.input(1).replace_source_output(matrix.output(0))
        count += 1
    model.validate_nodes_and_infer_types()
    return count


def _grouped(model: Any) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Yield each product with such a matrix, and the constants of its values, zero points and scales [rows, groups, 16 or 1]."""
    for product in model.get_ops():
        if product.get_type_name() != "MatMul":
            continue
        scaled = _behind(product.input_value(1).get_node(), "Convert", "Reshape")
        if scaled.get_type_name() != "Multiply":
            continue
        shifted, scales = (_behind(scaled.input_value(n).get_node(), "Convert") for n in (0, 1))
        if shifted.get_type_name() != "Subtract":
            continue
        values, zeros = (_behind(shifted.input_value(n).get_node(), "Convert") for n in (0, 1))
        constants = (values, zeros, scales)
        if any(one.get_type_name() != "Constant" for one in constants) or values.get_element_type().to_string() != "u8":
            continue
        _rows, groups, size = list(values.get_output_shape(0))
        if size * 2 == GROUP and groups % 2 == 0 and zeros.get_element_type().to_string() == "u8":
            yield product, *constants


def _behind(node: Any, *kinds: str) -> Any:
    while node.get_type_name() in kinds:
        node = node.input_value(0).get_node()
    return node


def _regrouped(
    values: NDArray[np.uint8], zeros: NDArray[np.uint8], scales: NDArray[np.float16]
) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Return the same matrix as signed bytes [rows, groups, 32] and their scales [rows, groups, 1]."""
    import numpy as np

    rows, groups = values.shape[0], values.shape[1] // 2
    packed = np.empty((rows, groups, GROUP), dtype=np.int8)
    factors = np.empty((rows, groups, 1), dtype=np.float16)
    for at in range(0, rows, _ROWS):
        piece = slice(at, at + _ROWS)
        exact = values[piece].astype(np.float32)
        exact -= zeros[piece]
        exact *= scales[piece]
        exact = exact.reshape(-1, groups, GROUP)
        largest = np.abs(exact).max(axis=-1, keepdims=True)
        factors[piece] = np.maximum(largest / _LARGEST, _SMALLEST)
        # Divided by the scale as it is kept, so that its own rounding is made up for.
        exact /= factors[piece]
        packed[piece] = np.clip(np.rint(exact), -_LARGEST, _LARGEST)
    return packed, factors
