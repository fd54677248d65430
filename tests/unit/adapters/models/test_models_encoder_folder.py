"""Folders with encoders: what is taken, and what is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pai.adapters.models.encoder_export import Head
from pai.adapters.models.encoder_folder import head_of, prepare_encoder
from pai.foundation.errors import Invalid, PaiError, Unsupported
from tiny_encoder import tiny_encoder


def changed(path: Path, **new: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **new}))


@pytest.mark.parametrize(
    ("pooling", "head"), [("pooling_mode_mean_tokens", Head.MEAN), ("pooling_mode_cls_token", Head.FIRST)]
)
def test_an_embedding_model_is_taken_with_what_is_said_of_its_pooling(pooling: str, head: Head, tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "brought", pooling=pooling)
    (tmp_path / "brought" / "modeling_own.py").write_text("raise SystemExit")
    told = prepare_encoder("embedding", tmp_path / "brought", tmp_path / "kept")
    assert (told.family, told.context_length, told.gaps) == ("bert", 16, ())
    kept = {path.name: path for path in (tmp_path / "kept").iterdir()}
    assert set(kept) == {"model.safetensors", "config.json", "tokenizer.json", "pooling.json"}
    assert head_of(kept["pooling.json"].read_bytes()) is head
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept.values())


def test_a_reranker_has_no_word_on_pooling(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "brought", labels=1)
    told = prepare_encoder("rerank", tmp_path / "brought", tmp_path / "kept")
    assert told.context_length == 24
    assert head_of((tmp_path / "kept" / "classifier.json").read_bytes()) is Head.CLASSIFIER


def test_an_encoder_without_a_word_on_pooling_says_so_in_its_record(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "brought")
    (tmp_path / "brought" / "1_Pooling" / "config.json").unlink()
    assert "the mean over its tokens" in prepare_encoder("embedding", tmp_path / "brought", tmp_path / "kept").gaps[0]


@pytest.mark.parametrize(
    ("file", "new", "words"),
    [
        ("config.json", {"model_type": "roberta"}, "family"),
        ("config.json", {"hidden_act": "relu"}, "activation"),
        ("config.json", {"position_embedding_type": "relative_key"}, "relative positions"),
        ("config.json", {"is_decoder": True}, "decodes"),
        ("config.json", {"num_hidden_layers": 10**9}, "num_hidden_layers"),
        ("config.json", {"num_hidden_layers": True}, "num_hidden_layers"),
        ("config.json", {"num_attention_heads": 5}, "multiple"),
        ("config.json", {"layer_norm_eps": 0}, "layer_norm_eps"),
        ("config.json", {"auto_map": {"AutoModel": "modeling_own.M"}}, "auto_map"),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}, "pools"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, "pools"),
        ("tokenizer.json", {"model": None}, "tokeniser"),
    ],
)
def test_what_would_be_computed_differently_is_refused(
    file: str, new: dict[str, Any], words: str, tmp_path: Path
) -> None:
    tiny_encoder(tmp_path / "brought")
    changed(tmp_path / "brought" / file, **new)
    with pytest.raises((Invalid, Unsupported), match=words):
        prepare_encoder("embedding", tmp_path / "brought", tmp_path / "kept")


def test_parts_behind_the_encoder_that_are_not_run_are_refused(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "brought")
    parts = json.loads((tmp_path / "brought" / "modules.json").read_text())
    (tmp_path / "brought" / "modules.json").write_text(
        json.dumps([*parts, {"type": "sentence_transformers.models.Dense"}])
    )
    with pytest.raises(Unsupported, match="Dense"):
        prepare_encoder("embedding", tmp_path / "brought", tmp_path / "kept")
    (tmp_path / "brought" / "modules.json").write_text("[1]")
    with pytest.raises(Invalid):
        prepare_encoder("embedding", tmp_path / "brought", tmp_path / "kept")


def test_pickled_weights_are_never_opened(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "brought")
    (tmp_path / "brought" / "model.safetensors").rename(tmp_path / "brought" / "pytorch_model.bin")
    with pytest.raises(Unsupported) as caught:
        prepare_encoder("embedding", tmp_path / "brought", tmp_path / "kept")
    assert "pickled" in caught.value.hint


@pytest.mark.parametrize("text", [b"", b"[]", b'{"head": "max"}', b'{"head": 1}', b"\xff"])
def test_nonsense_on_pooling_is_refused(text: bytes) -> None:
    with pytest.raises(PaiError):
        head_of(text)
