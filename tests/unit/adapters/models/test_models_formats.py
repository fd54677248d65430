"""Headers of safetensors, ONNX, OpenVINO IR and CTranslate2: valid files are read, by each format's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.onnx_ml_pb2 import DESCRIPTOR

import engine_models
from model_files import (
    PARAMETER,
    SAFETENSORS,
    constant,
    ct2_file,
    entry,
    external,
    ir_file,
    onnx_file,
    onnx_function,
    onnx_graph,
    onnx_node,
    onnx_tensor,
    opened,
    part,
    safetensors_file,
)
from pai.adapters.models.formats import onnx_schema, validate
from pai.adapters.models.formats.headers import (
    Ctranslate2Header,
    OnnxHeader,
    OpenvinoHeader,
    SafetensorsHeader,
    Tensor,
    Value,
)
from pai.adapters.models.formats.safetensors import BITS


def read(kind: str, **files: bytes) -> Any:
    with opened(**files) as fds:
        return validate(kind, fds)


def test_safetensors() -> None:
    header: SafetensorsHeader = read("safetensors", m=safetensors_file(SAFETENSORS, bytes(32)))
    assert [(t.name, t.shape, t.type, t.offset - header.data, t.size) for t in header.tensors] == [
        ("a", (2, 3), "F32", 0, 24), ("b", (4,), "BF16", 24, 8), ("none", (0, 7), "U8", 32, 0),
    ]  # fmt: skip
    assert (header.metadata, header.weight_bytes) == ({"format": "pt"}, 32)
    padded = safetensors_file(json.dumps(SAFETENSORS) + " " * 13, bytes(32))
    assert read("safetensors", m=padded).tensors[0].size == 24
    assert read("safetensors", m=safetensors_file({})).tensors == ()


@pytest.mark.parametrize("dtype", BITS)
def test_safetensors_of_every_type(dtype: str) -> None:
    header = read("safetensors", m=safetensors_file({"a": entry(dtype, (8,), 0, BITS[dtype])}, bytes(BITS[dtype])))
    assert header.weight_bytes == BITS[dtype]


def test_ctranslate2() -> None:
    header: Ctranslate2Header = read("ctranslate2", model__bin=ct2_file())
    assert (header.version, header.specification, header.revision, header.aliases) == (6, "WhisperSpec", 3, 1)
    assert [(t.shape, t.type, t.size) for t in header.tensors] == [
        ((4, 8), "int8", 32),
        ((4,), "float32", 16),
        ((), "float16", 2),
    ]
    assert header.weight_bytes == 50


def test_openvino() -> None:
    inner = '<layer id="3" name="loop" type="Loop" version="opset5"><data/><input><port id="0"/></input><port_map><input external_port_id="0" internal_layer_id="0"/></port_map>'
    inner += f"<body><layers>{PARAMETER}{constant(1, offset=24, size=8, type='i64', shape='')}</layers><edges/></body></layer>"
    layers = PARAMETER + constant(1) + constant(2) + inner
    header: OpenvinoHeader = read("openvino", m__xml=ir_file(layers), m__bin=bytes(40))
    assert (header.version, header.layers, header.operators) == (11, 6, ("Const", "Loop", "Parameter"))
    assert (
        header.tensors[0] == Tensor("c1", (2, 3), "f32", 0, 24) != header.tensors[1]
    )  # two equal constants share their bytes
    assert header.tensors[2] == Tensor("c1", (), "i64", 24, 8)
    assert header.weight_bytes == 32
    wide = ir_file(
        PARAMETER + constant(1, "u4", "3,3", 0, 5), before='<?xml version="1.0" encoding="UTF-16"?>'
    ).decode()
    assert read("openvino", m__xml=wide.encode("utf-16"), m__bin=bytes(5)).weight_bytes == 5


def test_onnx() -> None:
    header: OnnxHeader = read("onnx", m__onnx=onnx_file())
    assert (header.ir_version, header.opsets, header.operators, header.nodes) == (9, {"": 17}, ("MatMul",), 1)
    assert header.inputs == (Value("x", "FLOAT", ("n", 3)),)
    assert header.tensors[0].shape == (2, 3)
    assert header.weight_bytes == 24


def test_onnx_functions_and_branches_of_its_own() -> None:
    branch = part(5, part(1, "then_branch") + part(6, onnx_graph(onnx_node("f", "own"))))
    functions = onnx_function("f", onnx_node("g", "own")) + onnx_function("g", onnx_node())
    header: OnnxHeader = read("onnx", m__onnx=onnx_file(onnx_graph(onnx_node("If", more=branch)), more=functions))
    assert (header.functions, header.nodes) == (2, 4)
    assert "own.f" in header.operators


def test_onnx_weights_in_files_that_came_along() -> None:
    said = external(location="weights/part.bin", offset="8", length="24")
    data = onnx_file(onnx_graph(weights=[onnx_tensor(raw=None, more=said)]))
    header: OnnxHeader = read("onnx", **{"m__onnx": data, "weights/part__bin": bytes(32)})
    assert (header.external, header.tensors[0].offset, header.weight_bytes) == (("weights/part.bin",), 8, 24)


def types() -> dict[str, int]:
    return {
        name: number
        for name, number in TensorProto.DataType.items()
        if name in {found for found, _ in onnx_schema.TYPES.values()}
    }


@pytest.mark.parametrize(
    ("kind", "raw"), [(kind, raw) for kind in types() for raw in (True, False) if not (raw and kind == "STRING")]
)
@pytest.mark.parametrize("shape", [(3, 5), (), (0,)])
def test_onnx_tensors_of_every_type_as_its_own_library_writes_them(
    kind: str, raw: bool, shape: tuple[int, ...]
) -> None:
    count = int(np.prod(shape))
    if kind == "STRING":
        tensor = helper.make_tensor("w", types()[kind], shape, [b"text"] * count)
    else:
        array = np.ones(shape, dtype=helper.tensor_dtype_to_np_dtype(types()[kind]))
        made = helper.make_tensor("w", types()[kind], shape, array.flatten().tolist())
        tensor = numpy_helper.from_array(array, "w") if raw else made
    header: OnnxHeader = read("onnx", m__onnx=onnx_file(onnx_graph(weights=[tensor.SerializeToString()])))
    bits = dict(onnx_schema.TYPES.values())[kind]
    assert header.tensors[0] == Tensor("w", shape, kind, header.tensors[0].offset, -(-count * bits // 8))


def test_the_types_of_onnx_are_those_of_its_library() -> None:
    known = {number: name for name, number in TensorProto.DataType.items()}
    assert {number: name for number, (name, _) in onnx_schema.TYPES.items()}.items() <= known.items()


@pytest.mark.parametrize(
    ("message", "known"),
    [
        ("ModelProto", onnx_schema.MODEL), ("GraphProto", onnx_schema.GRAPH), ("NodeProto", onnx_schema.NODE),
        ("AttributeProto", onnx_schema.ATTRIBUTE), ("TensorProto", onnx_schema.TENSOR), ("FunctionProto", onnx_schema.FUNCTION),
        ("ValueInfoProto", onnx_schema.VALUE_INFO), ("TypeProto", onnx_schema.TYPE), ("TypeProto.Tensor", onnx_schema.TENSOR_TYPE),
        ("TypeProto.SparseTensor", onnx_schema.TENSOR_TYPE), ("TypeProto.Sequence", onnx_schema.SEQUENCE_TYPE),
        ("TypeProto.Optional", onnx_schema.SEQUENCE_TYPE), ("TypeProto.Map", onnx_schema.MAP_TYPE),
        ("TensorShapeProto", onnx_schema.SHAPE), ("TensorShapeProto.Dimension", onnx_schema.DIMENSION),
        ("OperatorSetIdProto", onnx_schema.OPSET), ("StringStringEntryProto", onnx_schema.ENTRY),
    ],
)  # fmt: skip
def test_the_fields_of_onnx_are_those_of_its_library(message: str, known: Any) -> None:
    outer, _, inner = message.partition(".")
    found = DESCRIPTOR.message_types_by_name[outer]
    found = found.nested_types_by_name[inner] if inner else found
    wires = {1: 1, 2: 5, 3: 0, 4: 0, 5: 0, 9: 2, 11: 2, 12: 2, 14: 0}
    fields = {field.number: (field.name, wires[field.type], field.is_repeated) for field in found.fields}
    assert {number: (kind.name, kind.wire, kind.repeated) for number, kind in known.items()} == fields


def test_onnx_checker_agrees_that_our_file_is_valid() -> None:
    onnx.checker.check_model(onnx.load_from_string(onnx_file()))


@pytest.mark.model
def test_real_onnx_weights_are_accepted(tmp_path: Path) -> None:
    model = engine_models.minilm(tmp_path)
    data = (tmp_path / model.name / "model.onnx").read_bytes()
    header: OnnxHeader = read("onnx", m__onnx=data)
    graph = onnx.load_from_string(data).graph
    assert header.nodes == len(graph.node)
    assert [(t.name, t.shape) for t in header.tensors] == [(t.name, tuple(t.dims)) for t in graph.initializer]
    for tensor, given in zip(header.tensors, graph.initializer, strict=True):
        assert not given.raw_data or data[tensor.offset : tensor.offset + tensor.size] == given.raw_data


def test_tiny_onnx_of_the_tests_is_accepted(tmp_path: Path) -> None:
    engine_models.tiny_onnx(tmp_path)
    assert read("onnx", m__onnx=(tmp_path / "tiny" / "model.onnx").read_bytes()).nodes == 1
