"""A folder with a language model as people bring it: safetensors, and JSON files about it. Only what is needed is taken.

What the makers settled in several files (chat template, tokens that end an answer, special tokens) becomes one ``chat.json``. Python
files, pickles and whatever else lies in the folder are left there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pai.adapters.models.files import copy_of
from pai.adapters.models.formats import language_config, safetensors
from pai.adapters.models.gguf_tokens import ENDS
from pai.foundation.errors import Invalid, Unsupported

FILES: Final = ("model.safetensors", "config.json", "tokenizer.json", "chat.json")
"""Files of a model of the engine ``transformers``: weights, family and sizes, tokeniser, chat."""
PLAIN_TEMPLATE: Final = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content }}\n\n{% endfor %}Assistant:"
)
"""How turns are written for a model that came without a chat template."""

_NO_TEMPLATE: Final = (
    "It came without a chat template: turns are written as plain text, and it may go on for both sides."
)
_TAKEN: Final = FILES[:3]
LONGEST_TOKENIZER: Final = 64 << 20
_LONGEST_TEMPLATE: Final = 1 << 20
_USUAL_CONTEXT: Final = 2048
_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_WORDS: Final = ("bos_token", "eos_token", "unk_token", "pad_token")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of a model once its files lie ready. ``gaps`` are sentences for its record."""

    family: str
    context_length: int
    gaps: tuple[str, ...]


def prepare(source: Path, target: Path) -> Prepared:
    """Copy the files of a model into the empty folder ``target`` and write ``chat.json`` there.

    Raises Unsupported when the folder holds no model that is run here, Invalid when a file is malformed or asks for code.
    """
    weights_of(source, _TAKEN)
    target.mkdir(mode=0o700, parents=True)
    for name in _TAKEN:
        fd = opened(source / name)
        with os.fdopen(fd, "rb") as reader:
            copy_of(reader, target / name)
    with (target / FILES[0]).open("rb") as weights, (target / FILES[1]).open("rb") as file:
        safetensors.read(weights.fileno())
        config = language_config.read(file.fileno())
    tokenizer = object_of(target / FILES[2], LONGEST_TOKENIZER)
    chat, gaps = chat_of(source, config, tokenizer)
    (target / FILES[3]).write_text(json.dumps(chat, ensure_ascii=False), "utf-8")
    (target / FILES[3]).chmod(0o600)
    most = config.get("max_position_embeddings") or config.get("seq_length") or _USUAL_CONTEXT
    return Prepared(str(config["model_type"]), int(most), gaps)


def weights_of(source: Path, names: Sequence[str]) -> None:
    """Raise Unsupported, with what to do, unless a folder holds all these files: weights as safetensors and what belongs to them."""
    there = {path.name for path in source.iterdir()} if source.is_dir() else set()
    missing = [name for name in names if name not in there]
    if not missing:
        return
    hint = "the folder has to hold " + ", ".join(names)
    if FILES[0] in missing and any(name.endswith(_PICKLES) for name in there):
        hint = "its weights are pickled, which may run code: get the model as safetensors"
    elif FILES[0] in missing and any(name.endswith(".safetensors.index.json") for name in there):
        hint = "its weights are split over files: save it as one (save_pretrained with max_shard_size)"
    raise Unsupported(f"{missing[0]} is not in the folder {source.name!r}", code="no_model_here", hint=hint)


def chat_of(
    source: Path, config: Mapping[str, Any], tokenizer: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what a chat needs beside the tokeniser, and sentences on what was missing."""
    if (tokenizer.get("model") or {}).get("type") != "BPE":
        raise Unsupported("this kind of tokeniser is not run here", code="unsupported_tokenizer", hint="BPE is")
    told = object_of(source / "tokenizer_config.json", LONGEST_TOKENIZER)
    usual = object_of(source / "generation_config.json", _LONGEST_TEMPLATE)
    added = {str(one["content"]): int(one["id"]) for one in tokenizer.get("added_tokens") or ()}
    ids = {**tokenizer["model"].get("vocab", {}), **added}
    words = {name: _word(told.get(name)) for name in _WORDS}
    ends = {*_numbers(config.get("eos_token_id")), *_numbers(usual.get("eos_token_id"))}
    ends |= {ids[word] for word in (words["eos_token"],) if word in ids}
    ends |= {number for word, number in added.items() if word in ENDS}
    if not ends:
        raise Invalid(
            "nothing says which token ends an answer", code="bad_model_file", hint="give config.json an eos_token_id"
        )
    template = _template(source, told)
    chat = {
        "template": template or PLAIN_TEMPLATE, "end_tokens": sorted(ends), "words": words,
        "architecture": config["model_type"],
    }  # fmt: skip
    return chat, () if template else (_NO_TEMPLATE,)


def _template(source: Path, told: Mapping[str, Any]) -> str:
    path = source / "chat_template.jinja"
    if path.exists():
        return _bytes(path, _LONGEST_TEMPLATE).decode()
    found = told.get("chat_template")
    if isinstance(found, list):
        found = next((one.get("template") for one in found if one.get("name") == "default"), None)
    return found if isinstance(found, str) else ""


def _word(found: Any) -> str:
    if isinstance(found, dict):
        found = found.get("content")
    return found if isinstance(found, str) else ""


def _numbers(found: Any) -> list[int]:
    return [int(one) for one in (found if isinstance(found, list) else [found]) if type(one) is int]


def object_of(path: Path, most: int) -> dict[str, Any]:
    """Return a JSON object of at most so many bytes; an empty one when there is no file. Raises Invalid for anything else."""
    if not path.exists():
        return {}
    try:
        found = json.loads(_bytes(path, most).decode())
    except (ValueError, RecursionError):
        raise Invalid(f"{path.name} is not JSON", code="bad_model_file", hint="get it again from its source") from None
    if not isinstance(found, dict):
        raise Invalid(f"{path.name} is not a JSON object", code="bad_model_file", hint="get it again from its source")
    return found


def _bytes(path: Path, most: int) -> bytes:
    with os.fdopen(opened(path), "rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Invalid(
            f"{path.name} is longer than {most >> 20} MB", code="bad_model_file", hint="get it again from its source"
        )
    return data


def opened(path: Path) -> int:
    """Open a file for reading; caches of downloads are full of links, and they are the operator's own: followed here, once."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
