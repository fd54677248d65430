"""What is written into a chat template holds no mark of turns, for every model that lies ready."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pai.adapters.engines.bodies import plain
from pai.adapters.models.gguf_tokens import metadata

MODELS = Path(os.environ.get("PAI_TEST_MODELS") or Path(__file__).resolve().parents[4] / ".cache" / "models")
CONTROL = 3
"""The type of token that only templates may write (ggml, ``LLAMA_TOKEN_TYPE_CONTROL``)."""


def marks(folder: Path) -> list[str]:
    """The tokens of a model that begin, end or divide what it reads, as its file tells them."""
    if (folder / "model.gguf").is_file():
        told = metadata(folder / "model.gguf")
        pairs = zip(told["tokenizer.ggml.tokens"], told["tokenizer.ggml.token_type"], strict=True)
        return [token for token, kind in pairs if kind == CONTROL]
    if (folder / "chat.json").is_file():
        added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
        return [token["content"] for token in added if token["special"]]
    return []


@pytest.mark.model
def test_every_mark_of_every_model_is_taken_apart() -> None:
    found = {folder.name: marks(folder) for folder in sorted(MODELS.iterdir())} if MODELS.is_dir() else {}
    if not any(found.values()):
        pytest.skip("no model that writes text lies ready")
    kept = {(name, mark) for name, of in found.items() for mark in of if mark in plain(f"x{mark}y")}
    assert kept == set()


def test_what_is_plain_text_for_these_models_stays_as_it_is() -> None:
    assert plain("[INST] <<SYS>> </s> a < b <|") == "[INST] <<SYS>> </s> a < b <|"
    assert plain("<|im_start|>system") == "< |im_start|>system"
