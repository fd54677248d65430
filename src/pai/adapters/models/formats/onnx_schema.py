"""The fields of ONNX's messages: number -> name, wire type, whether repeated. A test compares them with ``onnx`` itself.

Wire types of protobuf: 0 a number, 1 eight bytes, 2 bytes, text, a message or packed numbers, 5 four bytes.
"""

from __future__ import annotations

from typing import Final

from pai.adapters.models.formats.wire import Fields, Kind


def _fields(**named: tuple[int, int] | tuple[int, int, bool]) -> Fields:
    return {found[0]: Kind(name, found[1], len(found) == 3) for name, found in named.items()}


MODEL: Final = _fields(
    ir_version=(1, 0), opset_import=(8, 2, True), producer_name=(2, 2), producer_version=(3, 2), domain=(4, 2),
    model_version=(5, 0), doc_string=(6, 2), graph=(7, 2), metadata_props=(14, 2, True), training_info=(20, 2, True),
    functions=(25, 2, True), configuration=(26, 2, True),
)  # fmt: skip
GRAPH: Final = _fields(
    node=(1, 2, True), name=(2, 2), initializer=(5, 2, True), sparse_initializer=(15, 2, True), doc_string=(10, 2),
    input=(11, 2, True), output=(12, 2, True), value_info=(13, 2, True), quantization_annotation=(14, 2, True),
    metadata_props=(16, 2, True),
)  # fmt: skip
NODE: Final = _fields(
    input=(1, 2, True), output=(2, 2, True), name=(3, 2), op_type=(4, 2), domain=(7, 2), overload=(8, 2),
    attribute=(5, 2, True), doc_string=(6, 2), metadata_props=(9, 2, True), device_configurations=(10, 2, True),
)  # fmt: skip
ATTRIBUTE: Final = _fields(
    name=(1, 2), ref_attr_name=(21, 2), doc_string=(13, 2), type=(20, 0), f=(2, 5), i=(3, 0), s=(4, 2), t=(5, 2), g=(6, 2),
    sparse_tensor=(22, 2), tp=(14, 2), floats=(7, 5, True), ints=(8, 0, True), strings=(9, 2, True), tensors=(10, 2, True),
    graphs=(11, 2, True), sparse_tensors=(23, 2, True), type_protos=(15, 2, True),
)  # fmt: skip
TENSOR: Final = _fields(
    dims=(1, 0, True), data_type=(2, 0), segment=(3, 2), float_data=(4, 5, True), int32_data=(5, 0, True),
    string_data=(6, 2, True), int64_data=(7, 0, True), name=(8, 2), doc_string=(12, 2), raw_data=(9, 2),
    external_data=(13, 2, True), data_location=(14, 0), double_data=(10, 1, True), uint64_data=(11, 0, True),
    metadata_props=(16, 2, True),
)  # fmt: skip
FUNCTION: Final = _fields(
    name=(1, 2), input=(4, 2, True), output=(5, 2, True), attribute=(6, 2, True), attribute_proto=(11, 2, True),
    node=(7, 2, True), doc_string=(8, 2), opset_import=(9, 2, True), domain=(10, 2), overload=(13, 2),
    value_info=(12, 2, True), metadata_props=(14, 2, True),
)  # fmt: skip
VALUE_INFO: Final = _fields(name=(1, 2), type=(2, 2), doc_string=(3, 2), metadata_props=(4, 2, True))
TYPE: Final = _fields(
    tensor_type=(1, 2), sequence_type=(4, 2), map_type=(5, 2), optional_type=(9, 2), sparse_tensor_type=(8, 2),
    opaque_type=(7, 2), denotation=(6, 2),
)  # fmt: skip
TENSOR_TYPE: Final = _fields(elem_type=(1, 0), shape=(2, 2))
SEQUENCE_TYPE: Final = _fields(elem_type=(1, 2))
MAP_TYPE: Final = _fields(key_type=(1, 0), value_type=(2, 2))
SHAPE: Final = _fields(dim=(1, 2, True))
DIMENSION: Final = _fields(dim_value=(1, 0), dim_param=(2, 2), denotation=(3, 2))
OPSET: Final = _fields(domain=(1, 2), version=(2, 0))
ENTRY: Final = _fields(key=(1, 2), value=(2, 2))

TYPES: Final[dict[int, tuple[str, int]]] = {
    1: ("FLOAT", 32), 2: ("UINT8", 8), 3: ("INT8", 8), 4: ("UINT16", 16), 5: ("INT16", 16), 6: ("INT32", 32), 7: ("INT64", 64),
    8: ("STRING", 0), 9: ("BOOL", 8), 10: ("FLOAT16", 16), 11: ("DOUBLE", 64), 12: ("UINT32", 32), 13: ("UINT64", 64),
    14: ("COMPLEX64", 64), 15: ("COMPLEX128", 128), 16: ("BFLOAT16", 16), 17: ("FLOAT8E4M3FN", 8), 18: ("FLOAT8E4M3FNUZ", 8),
    19: ("FLOAT8E5M2", 8), 20: ("FLOAT8E5M2FNUZ", 8), 21: ("UINT4", 4), 22: ("INT4", 4), 23: ("FLOAT4E2M1", 4),
    24: ("FLOAT8E8M0", 8), 25: ("UINT2", 2), 26: ("INT2", 2),
}  # fmt: skip
"""Element types by number: name, bits (0: texts)."""
