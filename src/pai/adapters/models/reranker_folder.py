"""A folder with a reranker as people bring it: an ONNX graph, its tokeniser, and JSON files about it. Only what is needed is taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from pai.adapters.models.files import copy_of
from pai.adapters.models.formats import onnx
from pai.adapters.models.formats.headers import OnnxHeader
from pai.adapters.models.model_folder import LONGEST_TOKENIZER, Prepared, object_of, opened
from pai.foundation.errors import Invalid, Unsupported

FILES: Final = ("model.onnx", "tokenizer.json")
"""Files of a reranker of the engine ``onnxruntime``."""
_PLACES: Final = ("model.onnx", "onnx/model.onnx")
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_USUAL_CONTEXT: Final = 512
_MOST_CONTEXT: Final = 8192


def holds_graph(source: Path) -> bool:
    """Whether a folder holds a graph as ONNX where rerankers have theirs."""
    return any((source / place).is_file() for place in _PLACES)


def prepare_reranker(source: Path, target: Path) -> Prepared:
    """Copy the files of a reranker into the empty folder ``target``.

    Raises Unsupported when the folder holds none that is run here, Invalid when a file is malformed.
    """
    graph = next((source / place for place in _PLACES if (source / place).is_file()), None)
    if graph is None or not (source / FILES[1]).is_file():
        raise Unsupported(
            f"there is no reranker in the folder {source.name!r}", code="no_model_here",
            hint="the folder has to hold model.onnx (or onnx/model.onnx) and tokenizer.json",
        )  # fmt: skip
    target.mkdir(mode=0o700, parents=True)
    for path, name in ((graph, FILES[0]), (source / FILES[1], FILES[1])):
        with os.fdopen(opened(path), "rb") as reader:
            copy_of(reader, target / name)
    with (target / FILES[0]).open("rb") as file:
        _check(onnx.read(file.fileno(), {}))
    if not object_of(target / FILES[1], LONGEST_TOKENIZER).get("model"):
        raise Invalid("tokenizer.json holds no tokeniser", code="bad_model_file", hint="get it again from its source")
    config = object_of(source / "config.json", LONGEST_TOKENIZER)
    return Prepared(str(config.get("model_type") or "reranker"), _context(source, config), ())


def _check(header: OnnxHeader) -> None:
    """Raise Unsupported unless the graph reads tokens and gives one or two numbers for each text."""
    inputs = {value.name for value in header.inputs} - {tensor.name for tensor in header.tensors}
    shape = header.outputs[0].shape if header.outputs else ()
    if (
        "input_ids" in inputs
        and inputs <= _INPUTS
        and len(shape) == 2
        and (shape[1] in (1, 2) or isinstance(shape[1], str))
    ):
        return
    raise Unsupported(
        "the graph is no reranker", code="no_model_here",
        hint="it has to take input_ids, attention_mask and perhaps token_type_ids and give logits [texts, 1] or [texts, 2]",
    )  # fmt: skip


def _context(source: Path, config: dict[str, Any]) -> int:
    """Return how many tokens a pair may have, as the tokeniser's makers say: some models have positions that are not for texts."""
    told = object_of(source / "tokenizer_config.json", LONGEST_TOKENIZER).get("model_max_length")
    found = told if type(told) is int and 0 < told <= _MOST_CONTEXT else config.get("max_position_embeddings")
    return min(found, _MOST_CONTEXT) if type(found) is int and found > 0 else _USUAL_CONTEXT
