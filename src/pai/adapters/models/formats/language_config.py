"""``config.json`` beside safetensors: which family of models the weights are of, and its numbers. Data only.

Such files may name Python files to be run (``auto_map``), kernels to be fetched and loaders of quantised weights: all refused.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final

from pai.adapters.models.formats.reader import file_size
from pai.adapters.models.formats.refusals import bad, unsafe

FAMILIES: Final = frozenset(
    {
        "bloom", "falcon", "gemma", "gemma2", "gemma3_text", "gpt_neox", "llama", "mistral", "phi", "phi3", "qwen2", "qwen3",
    }
)  # fmt: skip
"""Families that are run: each is a decoder that keeps keys and values, and each is tried by the contract suite."""

_LONGEST: Final = 1 << 20
_MOST_VALUES: Final = 20_000
_DEEPEST: Final = 6
_LARGEST: Final = 1e31  # what some tokenisers write for no limit is 1e30
_CODE: Final = frozenset({"auto_map", "custom_pipelines", "custom_generate", "quantization_config", "model_path"})
"""Keys that lead to code, or to a loader with rules of its own."""
_LAYERS: Final = ("num_hidden_layers", "n_layer", "n_layers")
_WIDTHS: Final = (
    "hidden_size",
    "n_embed",
    "intermediate_size",
    "vocab_size",
    "num_attention_heads",
    "n_head",
    "head_dim",
)
_MOST_LAYERS: Final = 512
_WIDEST: Final = 1 << 21
_OURS: Final = frozenset(
    {
        "architectures",
        "attn_implementation",
        "dtype",
        "name_or_path",
        "torch_dtype",
        "torchscript",
        "transformers_version",
    }
)
"""What the engine settles itself, or does not need."""


def read(fd: int) -> dict[str, Any]:
    """Return the configuration, without what the engine settles itself. Raises Invalid with the reason."""
    size = file_size(fd)
    if not 2 <= size <= _LONGEST:
        raise bad(f"the configuration is empty or longer than {_LONGEST >> 20} MB")
    found = parsed(os.pread(fd, size, 0))
    family = found.get("model_type")
    if not isinstance(family, str) or family not in FAMILIES:
        raise bad(f"the family of this model is not run here, only {', '.join(sorted(FAMILIES))}")
    for names, most in ((_LAYERS, _MOST_LAYERS), (_WIDTHS, _WIDEST)):
        for name in names:
            value = found.get(name)
            if value is not None and not (type(value) is int and 0 <= value <= most):
                raise bad(f"{name} of the configuration is out of range")
    return {key: value for key, value in found.items() if key not in _OURS and not key.startswith("_")}


def parsed(data: bytes) -> dict[str, Any]:
    """Return a JSON object of a model: no code, nothing nested deep, no number that is none. Raises Invalid."""
    if data.count(b",") + data.count(b"[") + data.count(b"{") > _MOST_VALUES:
        raise bad("the configuration holds more values than any model needs")
    try:
        found = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise bad("the configuration is nested too deep") from None
    except ValueError:
        raise bad("the configuration is not JSON") from None
    if not isinstance(found, dict):
        raise bad("the configuration is not a JSON object")
    _look(found, 0)
    return found


def _look(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise bad("the configuration is nested too deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            if key.lower() in _CODE and inner not in (None, False, {}, []):
                raise unsafe(f"the configuration asks for {key.lower()}, which may run code that came with the model")
            _look(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _look(inner, depth + 1)
    elif isinstance(value, int | float) and abs(value) > _LARGEST:
        raise bad("the configuration holds a number out of range")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise bad("a name is in the configuration twice")
    return found


def _no_constant(_text: str) -> None:
    raise bad("the configuration holds a number that is none")
