"""The routes of the PyTorch worker: those of every text worker, over this engine's model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pai.adapters.workers.paged.routes import text_routes
from pai.adapters.workers.paged.vocabulary import Vocabulary
from pai.adapters.workers.service import Routes
from pai.adapters.workers.transformers.model import StoredTensor, TorchModel


@dataclass(frozen=True, slots=True)
class TorchFiles:
    """A model's files: the weights' descriptor and where each tensor lies, the checked configuration, tokeniser, ``chat.json``."""

    weights: int
    tensors: Sequence[StoredTensor]
    config: Mapping[str, Any]
    tokenizer: bytes
    chat: bytes


def torch_routes(files: TorchFiles, options: Mapping[str, int]) -> Routes:
    """Load the model and return the routes; ``options`` as of ``text_routes``. Raises RuntimeError, ValueError or KeyError."""
    vocabulary = Vocabulary(files.tokenizer)
    model = TorchModel(files.weights, files.tensors, files.config, tokens=options["pool"], threads=options["threads"])
    return text_routes(vocabulary, model, files.chat, options)
