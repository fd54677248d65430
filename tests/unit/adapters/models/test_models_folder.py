"""Folders of models as people bring them: what is taken, what is made of it, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_files import entry, safetensors_file
from pai.adapters.engines.model_files import check_installed
from pai.adapters.models.model_folder import FILES, PLAIN_TEMPLATE, prepare
from pai.adapters.workers.paged.vocabulary import Vocabulary
from pai.foundation.errors import Invalid, Unsupported

CONFIG = {"model_type": "llama", "num_hidden_layers": 2, "max_position_embeddings": 4096, "eos_token_id": 2}
TOKENS = {"<s>": 1, "</s>": 2, "a": 3}


def folder(home: Path, *, without: str = "", **changed: Any) -> Path:
    home.mkdir()
    added = [{"content": token, "id": number, "special": True} for token, number in TOKENS.items() if token != "a"]
    files: dict[str, Any] = {
        "config.json": {**CONFIG, **changed},
        "tokenizer.json": {"model": {"type": "BPE", "vocab": TOKENS}, "added_tokens": added},
        "tokenizer_config.json": {
            "chat_template": "{{ messages }}",
            "bos_token": {"content": "<s>"},
            "eos_token": "</s>",
        },
        "generation_config.json": {"eos_token_id": [2, 7]},
    }
    for name, value in files.items():
        (home / name).write_text(json.dumps(value))
    (home / "model.safetensors").write_bytes(safetensors_file({"a": entry("F32", (2,), 0, 8)}, bytes(8)))
    (home / "modeling_llama.py").write_text("raise SystemExit")
    (home / without).unlink() if without else None
    return home


def test_what_is_needed_is_taken_and_nothing_else(tmp_path: Path) -> None:
    known = prepare(folder(tmp_path / "brought"), tmp_path / "taken")
    assert (known.family, known.context_length, known.gaps) == ("llama", 4096, ())
    assert {path.name for path in (tmp_path / "taken").iterdir()} == {*FILES}
    chat = json.loads((tmp_path / "taken" / "chat.json").read_text())
    assert (chat["template"], chat["end_tokens"]) == ("{{ messages }}", [2, 7])
    assert (chat["words"]["bos_token"], chat["words"]["eos_token"]) == ("<s>", "</s>")


def test_a_template_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    brought = folder(tmp_path / "brought")
    (brought / "chat_template.jinja").write_text("own")
    prepare(brought, tmp_path / "taken")
    assert json.loads((tmp_path / "taken" / "chat.json").read_text())["template"] == "own"


def test_without_a_template_turns_are_plain_and_the_record_says_so(tmp_path: Path) -> None:
    known = prepare(folder(tmp_path / "brought", without="tokenizer_config.json"), tmp_path / "taken")
    assert json.loads((tmp_path / "taken" / "chat.json").read_text())["template"] == PLAIN_TEMPLATE
    assert "chat template" in known.gaps[0]


def test_pickled_and_split_weights_are_refused_with_what_to_do(tmp_path: Path) -> None:
    pickled = folder(tmp_path / "pickled", without="model.safetensors")
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04")
    split = folder(tmp_path / "split", without="model.safetensors")
    (split / "model.safetensors.index.json").write_text("{}")
    for brought, hint in ((pickled, "pickled"), (split, "split"), (tmp_path / "nowhere", "has to hold")):
        with pytest.raises(Unsupported) as caught:
            prepare(brought, tmp_path / "taken")
        assert hint in caught.value.hint
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize(
    ("changed", "code"), [({"auto_map": {"a": "b"}}, "unsafe_model_file"), ({"model_type": "mamba"}, "bad_model_file")]
)
def test_a_configuration_is_read_before_anything_is_kept(changed: dict[str, Any], code: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        prepare(folder(tmp_path / "brought", **changed), tmp_path / "taken")
    assert caught.value.code == code


def test_an_engine_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util
    from types import SimpleNamespace

    check_installed(SimpleNamespace(name="m", engine="llama.cpp"))  # type: ignore[arg-type]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Unsupported) as caught:
        check_installed(SimpleNamespace(name="m", engine="transformers"))  # type: ignore[arg-type]
    assert caught.value.code == "extra_missing"
    assert "make transformers" in caught.value.hint


def test_a_tokeniser_of_pieces_says_bytes_and_begins_prompts_as_its_makers_do() -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", "a", "\u2581a"]
    made = Tokenizer(
        models.BPE(
            {token: n for n, token in enumerate(tokens)}, [("\u2581", "a")], unk_token="<unk>", byte_fallback=True
        )
    )
    made.normalizer = normalizers.Replace(" ", "\u2581")
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.add_special_tokens([AddedToken(token, special=True) for token in ("<s>", "</s>")])
    made.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", 1)])
    vocabulary = Vocabulary(made.to_str().encode())
    said = vocabulary.encode(" a\u20ac a")
    assert b"".join(map(vocabulary.bytes_of, said)).decode() == " a\u20ac a"
    assert vocabulary.prompt(" a") == [1, *vocabulary.encode(" a")] == vocabulary.prompt("<s> a")
    with pytest.raises(ValueError, match="not known"):
        Vocabulary(Tokenizer(models.BPE({"a": 0}, [])).to_str().encode())
