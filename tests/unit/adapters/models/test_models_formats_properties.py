"""Properties of the readers: whatever a valid file becomes, it is read or refused, soon and cheaply; valid ones are read."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "fuzz"))

import model_formats

from model_files import (
    CT2_CODES,
    GGUF_CODES,
    KV_FORMS,
    PAIRS,
    VALID,
    ct2_file,
    entry,
    gguf_file,
    gguf_size,
    onnx_file,
    opened,
    safetensors_file,
)
from pai.adapters.models.formats import gguf, validate
from pai.adapters.models.formats.safetensors import BITS
from pai.foundation.errors import PaiError

ORDINARY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FILES = {kind: {name.replace("__", "."): data for name, data in files.items()} for kind, files in VALID.items()}
NAMES = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=20)
EDIT = st.tuples(
    st.integers(0, 1 << 16), st.sampled_from(["set", "insert", "delete", "cut"]),
    st.one_of(st.binary(min_size=1, max_size=12), st.sampled_from([n.to_bytes(8, "little") for n in model_formats.INTERESTING])),
)  # fmt: skip


def edited(data: bytes, edits: Sequence[tuple[int, str, bytes]]) -> bytes:
    out = bytearray(data)
    for place, what, piece in edits:
        at = place % (len(out) + 1)
        match what:
            case "set":
                out[at : at + len(piece)] = piece
            case "insert":
                out[at:at] = piece
            case "delete":
                del out[at : at + len(piece)]
            case "cut":
                del out[at:]
    return bytes(out)


@ORDINARY
@given(kind=st.sampled_from([*FILES]), edits=st.lists(EDIT, min_size=1, max_size=5), which=st.integers(0, 9))
def test_what_a_valid_file_becomes_is_read_or_refused(
    kind: str, edits: list[tuple[int, str, bytes]], which: int
) -> None:
    files = FILES[kind]
    name = [*files][which % len(files)]
    model_formats.examine(kind, {**files, name: edited(files[name], edits)})


@ORDINARY
@given(kind=st.sampled_from([*FILES]), data=st.binary(max_size=4096))
def test_any_bytes_are_read_or_refused(kind: str, data: bytes) -> None:
    first = next(iter(FILES[kind]))
    model_formats.examine(kind, {**FILES[kind], first: data})


@ORDINARY
@given(edits=st.lists(EDIT, min_size=1, max_size=3))
def test_what_is_accepted_as_onnx_its_own_library_parses(edits: list[tuple[int, str, bytes]]) -> None:
    data = edited(onnx_file(), edits)
    with opened(m=data) as fds:
        try:
            header = validate("onnx", fds)
        except PaiError:
            return
    found = onnx.load_from_string(data)
    assert [tensor.name for tensor in header.tensors] == [tensor.name for tensor in found.graph.initializer]


@pytest.mark.slow
def test_a_few_seconds_of_fuzzing_find_nothing() -> None:
    _, counts, broken = model_formats.run(4.0)
    assert broken == []
    assert sum(counts.values()) > 200
    assert len([told for told in counts if told.endswith("accepted")]) == len(FILES)


def values() -> st.SearchStrategy[Any]:
    whole = {
        "u8": (0, 255),
        "i8": (-128, 127),
        "u16": (0, 65_535),
        "i32": (-(1 << 31), (1 << 31) - 1),
        "u64": (0, (1 << 64) - 1),
        "bool": (0, 1),
    }
    single = [st.tuples(st.just(kind), st.integers(*bounds)) for kind, bounds in whole.items()]
    lists = [
        st.tuples(st.just(f"[{kind}]"), st.lists(st.integers(*bounds), max_size=50)) for kind, bounds in whole.items()
    ]
    assert whole.keys() <= KV_FORMS.keys()
    texts = [
        st.tuples(st.just("s"), st.text(max_size=99)),
        st.tuples(st.just("[s]"), st.lists(st.text(max_size=20), max_size=50)),
    ]
    return st.one_of(*single, *lists, *texts)


@ORDINARY
@given(
    pairs=st.dictionaries(NAMES, values(), max_size=12),
    tensors=st.dictionaries(NAMES, st.tuples(st.lists(st.integers(1, 5), max_size=3), st.sampled_from([*GGUF_CODES])), max_size=8),
    alignment=st.sampled_from([8, 32, 64, 4096]),
)  # fmt: skip
def test_valid_gguf_comes_back(
    pairs: dict[str, tuple[str, Any]], tensors: dict[str, tuple[list[int], str]], alignment: int
) -> None:
    infos = []
    for name, (more, kind) in tensors.items():
        block = gguf.TYPES[GGUF_CODES[kind]][1]
        infos.append((name, (block * 2, *more), kind))
    given_pairs = [
        *PAIRS,
        ("general.alignment", "u32", alignment),
        *((f"x.{key}", kind, value) for key, (kind, value) in pairs.items()),
    ]
    with opened(m=gguf_file(given_pairs, infos, alignment=alignment)) as fds:
        header = gguf.read(fds["m"])
    assert [(t.name, t.shape, t.type, t.size) for t in header.tensors] == [
        (name, shape, kind, gguf_size(shape, kind)) for name, shape, kind in infos
    ]


@ORDINARY
@given(
    tensors=st.dictionaries(
        st.text(min_size=1, max_size=30).filter(lambda name: name != "__metadata__" and "\0" not in name),
        st.tuples(st.lists(st.integers(0, 6), max_size=4), st.sampled_from([*BITS])),
        max_size=8,
    )
)
def test_valid_safetensors_come_back(tensors: dict[str, tuple[list[int], str]]) -> None:
    header, end = {}, 0
    for name, (shape, kind) in tensors.items():
        size = -(-math.prod([*shape, 8]) * BITS[kind] // 8)
        header[name] = entry(kind, (*shape, 8), end, end + size)
        end += size
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    with opened(m=safetensors_file(text, bytes(end))) as fds:
        found = validate("safetensors", fds)
    assert {tensor.name: tensor.shape for tensor in found.tensors} == {
        name: (*shape, 8) for name, (shape, _) in tensors.items()
    }
    assert found.weight_bytes == end


@ORDINARY
@given(
    variables=st.dictionaries(
        NAMES, st.tuples(st.lists(st.integers(0, 9), max_size=3), st.sampled_from([*CT2_CODES])), max_size=8
    )
)
def test_valid_ctranslate2_comes_back(variables: dict[str, tuple[list[int], str]]) -> None:
    given_variables = [(name, shape, kind, None) for name, (shape, kind) in variables.items()]
    with opened(m=ct2_file(given_variables, aliases=())) as fds:
        found = validate("ctranslate2", fds)
    assert {tensor.name: tensor.shape for tensor in found.tensors} == {
        name: tuple(shape) for name, (shape, _) in variables.items()
    }
