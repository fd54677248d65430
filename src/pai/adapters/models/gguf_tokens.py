"""The tokeniser inside a GGUF file, written as the ``tokenizer.json`` that the library of the same name reads, and the other way round.

Runs in the converting worker only, on a file whose header has been validated. Source of the format: ``docs/gguf.md`` of the ggml project;
of the patterns: what each tokeniser's makers publish.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pai.adapters.models.gguf_writer import GgufWriter
from pai.foundation.errors import Unsupported

_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_CONTROL, _USER_DEFINED, _UNUSED = 3, 4, 5
ENDS: Final = frozenset(
    {"<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>", "</s>", "<end_of_turn>"}
)
"""Marks that end an answer wherever they are special tokens: makers often name only one of theirs."""
_LETTERS: Final = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_ENDINGS: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST: Final = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_PATTERNS: Final = {
    "qwen2": rf"{_ENDINGS}|{_LETTERS}|\p{{N}}|{_REST}",
    "llama-bpe": rf"{_ENDINGS}|{_LETTERS}|\p{{N}}{{1,3}}|{_REST}",
    "smollm": r"\p{N}",
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}
_PATTERNS_ALSO: Final = {"smollm": _PATTERNS["gpt-2"]}


def metadata(path: Path) -> dict[str, Any]:
    """Return the key and value pairs of a GGUF file, lists as lists. Raises struct.error or ValueError for a malformed one."""
    with path.open("rb") as file:

        def number(kind: int) -> Any:
            form = "<" + _NUMBERS[kind]
            return struct.unpack(form, file.read(struct.calcsize(form)))[0]

        def text() -> str:
            return file.read(number(10)).decode()

        def value(kind: int) -> Any:
            if kind == _TEXT:
                return text()
            if kind != _LIST:
                return number(kind)
            inner, count = number(4), number(10)
            if inner == _TEXT:
                return [text() for _ in range(count)]
            form = f"<{count}{_NUMBERS[inner]}"
            return list(struct.unpack(form, file.read(struct.calcsize(form))))

        if file.read(4) != b"GGUF":
            raise ValueError("not a GGUF file")
        number(4)
        number(10)
        return {text(): value(number(4)) for _ in range(number(10))}


def tokenizer_of(told: Mapping[str, Any]) -> Any:
    """Return the tokeniser (``tokenizers.Tokenizer``). Raises Unsupported for kinds that are not byte-level BPE."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    pre = told.get("tokenizer.ggml.pre", "")
    if told.get("tokenizer.ggml.model") != "gpt2" or pre not in _PATTERNS:
        raise Unsupported(
            "this model's kind of tokeniser cannot be converted yet",
            code="unsupported_conversion",
            hint="it runs on llama.cpp",
        )
    tokens, kinds = told["tokenizer.ggml.tokens"], told["tokenizer.ggml.token_type"]
    merges = [tuple(pair.split(" ", 1)) for pair in told["tokenizer.ggml.merges"]]
    made = Tokenizer(models.BPE({token: n for n, token in enumerate(tokens)}, merges, ignore_merges=pre == "llama-bpe"))
    splits = [pre_tokenizers.Split(Regex(p), "isolated") for p in (_PATTERNS[pre], _PATTERNS_ALSO.get(pre)) if p]
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    named = {
        kind: [token for token, is_ in zip(tokens, kinds, strict=True) if is_ == kind]
        for kind in (_CONTROL, _USER_DEFINED)
    }
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in named[_CONTROL]])
    made.add_tokens([AddedToken(token, special=False, normalized=False) for token in named[_USER_DEFINED]])
    return made


def chat_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a chat needs beside the tokeniser: its template, the tokens that end an answer, the words that templates name."""
    template = told.get("tokenizer.chat_template")
    if not template:
        raise Unsupported("the model has no chat template", code="unsupported_conversion", hint="it runs on llama.cpp")
    tokens = told["tokenizer.ggml.tokens"]
    ids = {name: told.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "eot", "padding")}
    kinds = told["tokenizer.ggml.token_type"]
    ends = {ids["eos"], ids["eot"]} | {n for n, token in enumerate(tokens) if token in ENDS and kinds[n] == _CONTROL}
    words = {f"{name}_token": tokens[ids[name]] if ids[name] is not None else "" for name in ("bos", "eos")}
    return {
        "template": template, "end_tokens": sorted(token for token in ends if token is not None), "words": words,
        "architecture": told.get("general.architecture", ""),
        "context_length": told.get(f"{told.get('general.architecture')}.context_length", 0),
    }  # fmt: skip


def written_vocabulary(writer: GgufWriter, tokenizer: Mapping[str, Any], chat: Mapping[str, Any], size: int) -> None:
    """Write a byte-level BPE ``tokenizer.json`` and what was settled for chats into a GGUF head; ``size`` rows have the embeddings.

    Raises Unsupported for kinds of tokenisers whose way of splitting words is not known here.
    """
    model, added = tokenizer["model"], tokenizer.get("added_tokens") or ()
    ids = {**model["vocab"], **{one["content"]: one["id"] for one in added}}
    texts = {number: text for text, number in ids.items()}
    specials = {one["id"]: _CONTROL if one.get("special") else _USER_DEFINED for one in added}
    writer.text("tokenizer.ggml.model", "gpt2")
    writer.text("tokenizer.ggml.pre", _named_pattern(tokenizer))
    writer.texts("tokenizer.ggml.tokens", [texts.get(n, f"[PAD{n}]") for n in range(size)])
    writer.numbers("tokenizer.ggml.token_type", [specials.get(n, 1 if n in texts else _UNUSED) for n in range(size)])
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    writer.texts("tokenizer.ggml.merges", merges)
    words = {name: ids.get(word) for name, word in chat["words"].items()}
    eos = words.get("eos_token")
    writer.number("tokenizer.ggml.eos_token_id", eos if eos is not None else chat["end_tokens"][0])
    for name in ("bos", "padding"):
        found = words.get("bos_token" if name == "bos" else "pad_token")
        if found is not None:
            writer.number(f"tokenizer.ggml.{name}_token_id", found)
    writer.truth("tokenizer.ggml.add_bos_token", value=False)  # templates write it where it belongs
    writer.text("tokenizer.chat_template", chat["template"])


def _named_pattern(tokenizer: Mapping[str, Any]) -> str:
    """Return llama.cpp's name of how a tokeniser splits text into words."""
    pre = tokenizer.get("pre_tokenizer") or {}
    steps = pre.get("pretokenizers") or [pre]
    kinds = [step.get("type") for step in steps]
    patterns = [(step.get("pattern") or {}).get("Regex", "") for step in steps if step.get("type") == "Split"]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True) and not steps[0].get("add_prefix_space"):
        return "gpt-2"
    if kinds == ["Split", "ByteLevel"]:
        for name, pattern in _PATTERNS.items():
            if patterns == [pattern] and name not in _PATTERNS_ALSO:
                return name
    raise Unsupported(
        "this model's kind of tokeniser cannot be converted yet", code="unsupported_conversion",
        hint="it goes on running as it is",
    )  # fmt: skip
