"""Rerankers as people bring them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pai.adapters.models.reranker_folder import FILES, prepare_reranker
from pai.foundation.errors import Invalid, Unsupported
from tiny_reranker import CONTEXT, tiny_reranker


def test_a_reranker_is_taken_without_what_lies_beside_it(tmp_path: Path) -> None:
    tiny_reranker(tmp_path / "brought")
    (tmp_path / "brought" / "own.py").write_text("raise SystemExit")
    found = prepare_reranker(tmp_path / "brought", tmp_path / "target")
    assert found.context_length == CONTEXT
    assert {path.name for path in (tmp_path / "target").iterdir()} == {*FILES}


def test_exporters_put_the_graph_into_a_folder_of_its_own(tmp_path: Path) -> None:
    tiny_reranker(tmp_path / "brought")
    (tmp_path / "brought" / "onnx").mkdir()
    (tmp_path / "brought" / "model.onnx").rename(tmp_path / "brought" / "onnx" / "model.onnx")
    (tmp_path / "brought" / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10**30}))
    (tmp_path / "brought" / "config.json").write_text(
        json.dumps({"max_position_embeddings": 128, "model_type": "bert"})
    )
    found = prepare_reranker(tmp_path / "brought", tmp_path / "target")
    assert (found.context_length, found.family) == (128, "bert")


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_folder_without_one_is_refused(tmp_path: Path, missing: str) -> None:
    tiny_reranker(tmp_path / "brought")
    (tmp_path / "brought" / missing).unlink()
    with pytest.raises(Unsupported, match="no reranker in the folder"):
        prepare_reranker(tmp_path / "brought", tmp_path / "target")


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    tiny_reranker(tmp_path / "brought", width=384)
    with pytest.raises(Unsupported, match="the graph is no reranker"):
        prepare_reranker(tmp_path / "brought", tmp_path / "target")


@pytest.mark.parametrize("data", [b"", b"\x08\x08", b"GGUF" + bytes(100), b"\xff" * 4096])
def test_what_is_no_graph_is_refused(tmp_path: Path, data: bytes) -> None:
    tiny_reranker(tmp_path / "brought")
    (tmp_path / "brought" / "model.onnx").write_bytes(data)
    with pytest.raises(Invalid):
        prepare_reranker(tmp_path / "brought", tmp_path / "target")


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000])
def test_what_is_no_tokeniser_is_refused(tmp_path: Path, text: str) -> None:
    tiny_reranker(tmp_path / "brought")
    (tmp_path / "brought" / "tokenizer.json").write_text(text)
    with pytest.raises(Invalid):
        prepare_reranker(tmp_path / "brought", tmp_path / "target")
