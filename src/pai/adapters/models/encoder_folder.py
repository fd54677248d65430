"""A folder with an encoder as people bring it: safetensors, and JSON files about it. Only what is needed is taken.

Embedding models come as the library Sentence Transformers saves them: ``modules.json`` names what follows the encoder, and
``1_Pooling/config.json`` how one vector is made of many. Rerankers (cross-encoders) have a classifier among their weights.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from pai.adapters.models.encoder_export import Head
from pai.adapters.models.files import copy_of
from pai.adapters.models.formats import encoder_config, safetensors
from pai.adapters.models.model_folder import LONGEST_TOKENIZER, Prepared, object_of, opened, weights_of
from pai.foundation.errors import Invalid, Unsupported

POOLING: Final = "pooling.json"
"""Says how a vector is made of hidden states; also what tells an embedding model in its folder here."""
CLASSIFIER: Final = "classifier.json"
"""What tells a reranker in its folder here."""
_TAKEN: Final = ("model.safetensors", "config.json", "tokenizer.json")
_MODULES: Final = frozenset({"Transformer", "Pooling", "Normalize"})
_POOLED: Final = {"pooling_mode_mean_tokens": Head.MEAN, "pooling_mode_cls_token": Head.FIRST}
_UNSAID: Final = "It came without a word on pooling: the mean over its tokens is taken."
_MOST_CONTEXT: Final = 8192


def prepare_encoder(task: str, source: Path, target: Path) -> Prepared:
    """Copy the files of an encoder for ``task`` (embedding or rerank) into the empty folder ``target``.

    Raises Unsupported when the folder holds none that is run here, Invalid when a file is malformed or asks for code.
    """
    weights_of(source, _TAKEN)
    head, gaps = (Head.CLASSIFIER, ()) if task == "rerank" else _pooling(source)
    target.mkdir(mode=0o700, parents=True)
    for name in _TAKEN:
        with os.fdopen(opened(source / name), "rb") as reader:
            copy_of(reader, target / name)
    with (target / _TAKEN[0]).open("rb") as weights, (target / _TAKEN[1]).open("rb") as file:
        safetensors.read(weights.fileno())
        config = encoder_config.read(file.fileno())
    if not object_of(target / _TAKEN[2], LONGEST_TOKENIZER).get("model"):
        raise Invalid("tokenizer.json holds no tokeniser", code="bad_model_file", hint="get it again from its source")
    told = target / (CLASSIFIER if head is Head.CLASSIFIER else POOLING)
    told.write_text(json.dumps({"head": head.value}), "utf-8")
    told.chmod(0o600)
    return Prepared("bert", _context(source, config.positions), gaps)


def head_of(text: bytes) -> Head:
    """Return what is made of the hidden states, as `prepare_encoder` wrote it down. Raises Invalid."""
    try:
        return Head(json.loads(text)["head"])
    except (ValueError, KeyError, TypeError):
        raise Invalid(
            "nothing says what is made of the encoder's hidden states", code="bad_model_file", hint="import it again"
        ) from None


def _pooling(source: Path) -> tuple[Head, tuple[str, ...]]:
    foreign = [name for name in _modules(source) if name not in _MODULES]
    if foreign:
        raise Unsupported(
            f"the model has a part {foreign[0][:50]!r} behind its encoder, which is not run here", code="unsupported_model",
            hint="embedding models of an encoder, pooling and perhaps a norm are",
        )  # fmt: skip
    told = object_of(source / "1_Pooling" / "config.json", LONGEST_TOKENIZER)
    modes = [name for name, on in told.items() if name.startswith("pooling_mode_") and on]
    if not modes:
        return Head.MEAN, (_UNSAID,)
    if len(modes) > 1 or modes[0] not in _POOLED:
        raise Unsupported(
            "the model pools in a way that is not run here", code="unsupported_model",
            hint="the mean over all tokens, or the first one, are",
        )  # fmt: skip
    return _POOLED[modes[0]], ()


def _modules(source: Path) -> list[str]:
    path = source / "modules.json"
    if not path.exists():
        return []
    try:
        with os.fdopen(opened(path), "rb") as file:
            found: Any = json.loads(file.read(1 << 20))
        return [str(one["type"]).rsplit(".", 1)[-1] for one in found]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Invalid("modules.json is malformed", code="bad_model_file", hint="get it again from its source") from None


def _context(source: Path, positions: int) -> int:
    """Return how many tokens a text may have, as its makers say: some were trained on fewer than they have positions for."""
    said = (
        object_of(source / "sentence_bert_config.json", LONGEST_TOKENIZER).get("max_seq_length"),
        object_of(source / "tokenizer_config.json", LONGEST_TOKENIZER).get("model_max_length"),
    )
    found = next((one for one in said if type(one) is int and one > 0), positions)
    return min(found, positions, _MOST_CONTEXT)
