"""``config.json`` of an encoder of the family BERT (Devlin et al. 2018): what its graph is made from. Data only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pai.adapters.models.formats.language_config import parsed
from pai.adapters.models.formats.reader import file_size
from pai.adapters.models.formats.refusals import bad

FAMILIES: Final = frozenset({"bert"})
"""Families of encoders whose graph is written here."""

_LONGEST: Final = 1 << 20
_MOST_LAYERS: Final = 64
_WIDEST: Final = 1 << 14
_MOST_WORDS: Final = 1 << 20
_MOST_POSITIONS: Final = 1 << 16
_NUMBERS: Final = (
    ("num_hidden_layers", _MOST_LAYERS),
    ("num_attention_heads", 256),
    ("hidden_size", _WIDEST),
    ("intermediate_size", 8 * _WIDEST),
    ("vocab_size", _MOST_WORDS),
    ("max_position_embeddings", _MOST_POSITIONS),
)
_USUAL_EPSILON: Final = 1e-12


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Numbers of an encoder: blocks, attention heads, width of a hidden state, of the layer within a block, words, positions, and the
    epsilon of its layer norms."""

    layers: int
    heads: int
    width: int
    inner: int
    words: int
    positions: int
    epsilon: float


def family_of(fd: int) -> str:
    """Return the family that a configuration names; empty when it names none. Raises Invalid for what is no configuration."""
    family = _object(fd).get("model_type")
    return family if isinstance(family, str) else ""


def read(fd: int) -> EncoderConfig:
    """Return the numbers of an encoder. Raises Invalid with the reason, also for a variant whose graph would be another."""
    found = _object(fd)
    if found.get("model_type") not in FAMILIES:
        raise bad(f"the family of this encoder is not run here, only {', '.join(sorted(FAMILIES))}")
    if found.get("hidden_act", "gelu") != "gelu":
        raise bad("an encoder of this family with another activation than gelu is not run here")
    if found.get("position_embedding_type", "absolute") != "absolute" or found.get("is_decoder"):
        raise bad("an encoder of this family with relative positions, or one that decodes, is not run here")
    layers, heads, width, inner, words, positions = (_number(found, name, most) for name, most in _NUMBERS)
    if width % heads:
        raise bad("hidden_size of the configuration is no multiple of num_attention_heads")
    epsilon = found.get("layer_norm_eps", _USUAL_EPSILON)
    if not isinstance(epsilon, int | float) or not 0 < epsilon < 1:
        raise bad("layer_norm_eps of the configuration is out of range")
    return EncoderConfig(layers, heads, width, inner, words, positions, float(epsilon))


def _object(fd: int) -> dict[str, Any]:
    size = file_size(fd)
    if not 2 <= size <= _LONGEST:
        raise bad(f"the configuration is empty or longer than {_LONGEST >> 20} MB")
    return parsed(os.pread(fd, size, 0))


def _number(found: Mapping[str, Any], name: str, most: int) -> int:
    value = found.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise bad(f"{name} of the configuration is missing or out of range")
    return value
