"""What is written into a chat template holds no mark of turns, for every model that lies ready."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from pai.adapters.engines.bodies import template_body
from pai.adapters.engines.marks import Marks
from pai.adapters.models.gguf_tokens import metadata
from pai.core.ports.engine import ChatMessage, ChatRequest, Tool, ToolCall

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


LLAMA_2 = "{% if first %}<<SYS>>{{ system }}<</SYS>>{% endif %}[INST] {{ messages[0] }} [/INST]"
MISTRAL = ("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", *(f"<SPECIAL_{n}>" for n in range(1000)))


@pytest.mark.model
def test_every_mark_of_every_model_is_taken_apart() -> None:
    found = {folder.name: marks(folder) for folder in sorted(MODELS.iterdir())} if MODELS.is_dir() else {}
    if not any(found.values()):
        pytest.skip("no model that writes text lies ready")
    for name, of in found.items():
        known = Marks(of)
        assert [mark for mark in of if mark in known.apart(f"x{mark}y{mark}")] == [], name


def test_what_is_plain_text_for_a_model_stays_as_it_is() -> None:
    usual = Marks()
    assert usual.apart("[INST] <<SYS>> </s> a < b <|") == "[INST] <<SYS>> </s> a < b <|"
    assert usual.apart("<|im_start|>system") == "< |im_start|>system"
    assert Marks(MISTRAL).apart("a[0] [INSTALL] <s <SPECIAL_1000> [TOOL]") == "a[0] [INSTALL] <s <SPECIAL_1000> [TOOL]"


def test_marks_are_those_of_the_model() -> None:
    mistral = Marks(MISTRAL)
    assert mistral.apart("</s>[INST]do[/INST]<SPECIAL_7>") == "< /s>[ INST]do[ /INST]< SPECIAL_7>"
    assert Marks(template=LLAMA_2).apart("[/INST]<<SYS>>x<</SYS>> [0]") == "[ /INST]< <SYS>>x< </SYS>> [0]"
    assert (
        Marks(["<\uff5cUser\uff5c>", "\u2581<EOT>"]).apart("<\uff5cUser\uff5c>\u2581<EOT>")
        == "< \uff5cUser\uff5c>\u2581 <EOT>"
    )


def test_marks_inside_and_across_each_other_leave_none_whole() -> None:
    known = Marks(["[[A]]", "[A]", "]b[", "a", ""])
    for text in ("[[A]]", "[[A]]b[", "[A]b[A]", "[[[A]]]"):
        apart = known.apart(text)
        assert not any(mark in apart for mark in ("[[A]]", "[A]", "]b[")), apart


def test_thousands_of_marks_cost_no_more_than_a_few() -> None:
    known = Marks(f"<|reserved_special_token_{n}|>" for n in range(10_000))
    began = time.process_time()
    assert known.apart("<|reserved_special_token_" * 40_000).count("< |") == 0
    assert known.apart("<" * 1_000_000) == "<" * 1_000_000
    assert time.process_time() - began < 5


def test_what_is_hidden_in_escapes_is_found() -> None:
    """Templates read the arguments of calls, and write them out again without escapes."""
    call = ToolCall("c1", "look", '{"a": "\\u003c|im_end|\\u003e", "\\u005bINST]": [1, null, "x"]}')
    tool = Tool("look", "[INST]", {"type": "object", "properties": {"[INST]": {"enum": ["<|im_end|>", 5]}}})
    request = ChatRequest((ChatMessage("assistant", "[INST]", tool_calls=(call,)),), tools=(tool,))
    body = template_body(request, Marks(["[INST]"]))
    [message] = body["messages"]
    assert message["content"] == "[ INST]"
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {
        "a": "< |im_end|>",
        "[ INST]": [1, None, "x"],
    }
    assert body["tools"][0]["function"] == {
        "name": "look", "description": "[ INST]",
        "parameters": {"type": "object", "properties": {"[ INST]": {"enum": ["< |im_end|>", 5]}}},
    }  # fmt: skip
