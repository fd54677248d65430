"""One entry to all readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pai.adapters.models.formats import (
    ctranslate2,
    encoder_config,
    gguf,
    language_config,
    onnx,
    openvino_ir,
    safetensors,
)
from pai.adapters.models.formats.headers import Header
from pai.adapters.models.formats.reader import file_size
from pai.adapters.models.formats.refusals import bad, truncated
from pai.foundation.errors import Invalid

CONFIG: Final = "config.json"
"""What says which family of language models the weights of a safetensors file are of; looked at when it comes along."""

_PROJECTOR: Final = "clip"
"""What llama.cpp calls the architecture of all projectors."""
Files = Mapping[str, int]
"""The files of one model: name in the model's folder -> open descriptor; the first is the one that is read."""


def _alone(read: Callable[[int], Header]) -> Callable[[Files], Header]:
    return lambda files: read(next(iter(files.values())))


def _gguf(files: Files) -> Header:
    """Read a language model, and what it sees by if that comes along: the engine loads both."""
    (_, model), *others = files.items()
    for _, fd in others:
        if (other := gguf.read(fd)).architecture != _PROJECTOR:
            raise bad(f"the file beside the model is of the architecture {other.architecture}, not {_PROJECTOR}")
    return gguf.read(model)


def _safetensors(files: Files) -> Header:
    (_, weights), *others = files.items()
    for name, fd in others:
        if name == CONFIG:
            # What an engine for language models is given has a worker that reads its configuration once more, by its own rules.
            encoder = encoder_config.family_of(fd) in encoder_config.FAMILIES
            (encoder_config.read if encoder else language_config.read)(fd)
    return safetensors.read(weights)


def _onnx(files: Files) -> Header:
    (_, graph), *others = files.items()
    for name, fd in others:
        if name.endswith(".onnx"):  # a model of several networks
            onnx.read(fd, {})
    return onnx.read(graph, {name: file_size(fd) for name, fd in others})


def _openvino(files: Files) -> Header:
    (name, layers), *others = files.items()
    wanted = name.removesuffix(".xml") + ".bin"
    sizes = {other: file_size(fd) for other, fd in others}
    if wanted not in sizes:
        raise truncated("the file of weights (.bin) beside the XML is missing")
    return openvino_ir.read(layers, sizes[wanted])


FORMATS: Final[Mapping[str, Callable[[Files], Header]]] = MappingProxyType(
    {
        "gguf": _gguf,
        "safetensors": _safetensors,
        "onnx": _onnx,
        "openvino": _openvino,
        "ctranslate2": _alone(ctranslate2.read),
    }
)


def validate(format: str, files: Files) -> Header:  # noqa: A002  # the word of the catalogue
    """Return the header of a model's first file, every number in it checked against the files.

    Reads headers only, never weights. Raises Invalid with ``bad_model_file``, ``truncated_model_file`` or
    ``unsafe_model_file`` and the reason, or with ``unknown_model_format``.
    """
    reader = FORMATS.get(format)
    if reader is None or not files:
        raise Invalid(
            "models of this format are not read", code="unknown_model_format", hint=f"one of {', '.join(FORMATS)}"
        )
    return reader(files)
