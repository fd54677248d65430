"""What is known of a model file once its header has been read. Sizes and offsets in bytes, from the beginning of the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tensor:
    """One array of weights. ``offset`` and ``size`` were checked against the file."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What every format tells. ``format`` is a name of ``FORMATS``."""

    format: str
    tensors: tuple[Tensor, ...]
    weight_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader(Header):
    """GGUF. Numbers are 0, texts empty and lists empty where the file does not say.

    Lengths in tokens, widths in numbers. ``marks`` are the tokens that only templates may write. ``heads`` and ``kv_heads`` have one
    entry per block, ``file_type`` is llama.cpp's number for the kind of quantisation.
    """

    version: int
    architecture: str
    name: str
    context_length: int
    blocks: int
    embedding_length: int
    feed_forward_length: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    key_length: int
    value_length: int
    sliding_window: int
    experts: int
    rope_dimensions: int
    rope_base: float
    rope_scaling: str
    vocabulary: int
    tokenizer: str
    pretokenizer: str
    chat_template: str
    marks: tuple[str, ...]
    file_type: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetensorsHeader(Header):
    """Safetensors. ``metadata`` are the texts of ``__metadata__``; ``data`` is where the buffers begin."""

    metadata: dict[str, str]
    data: int


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a graph; a dimension is a number, a name, or empty when anything goes."""

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxHeader(Header):
    """ONNX. ``external`` are the names of the other files that hold weights; ``nodes`` counts those of inner graphs too."""

    ir_version: int
    opsets: dict[str, int]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operators: tuple[str, ...]
    nodes: int
    functions: int
    external: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenvinoHeader(Header):
    """OpenVINO IR. ``tensors`` are the constants, their offsets those in the .bin file."""

    version: int
    operators: tuple[str, ...]
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ctranslate2Header(Header):
    """CTranslate2. ``specification`` names the architecture, such as ``WhisperSpec``."""

    version: int
    specification: str
    revision: int
    aliases: int
