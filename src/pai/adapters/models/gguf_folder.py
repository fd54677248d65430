"""A folder with a chat model as one GGUF file, and perhaps what it sees by (``mmproj``), as people bring it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pai.adapters.models.files import copy_of
from pai.adapters.models.formats import gguf
from pai.adapters.models.model_folder import Prepared, opened
from pai.foundation.errors import Unsupported

MODEL: Final = "model.gguf"
PROJECTOR: Final = "mmproj.gguf"
_NO_TEMPLATE: Final = "It came without a chat template: turns are written in the way of ChatML, which it may not know."


def holds_gguf(source: Path) -> bool:
    """Whether a folder holds a model in this format."""
    return any(source.glob("*.gguf"))


def prepare_gguf(source: Path, target: Path) -> Prepared:
    """Copy the files of a model into the empty folder ``target``.

    Raises Unsupported when there is not just one model, Invalid when a file is malformed.
    """
    found = sorted(source.glob("*.gguf"))
    projectors = [path for path in found if "mmproj" in path.name.lower()]
    models = [path for path in found if path not in projectors]
    if len(models) != 1 or len(projectors) > 1:
        raise Unsupported(
            f"the folder {source.name!r} holds {len(models)} models and {len(projectors)} projectors as GGUF", code="no_model_here",
            hint="put one file of a model into a folder of its own, and at most one beside it whose name holds mmproj",
        )  # fmt: skip
    target.mkdir(mode=0o700, parents=True)
    for path, name in ((models[0], MODEL), *((path, PROJECTOR) for path in projectors)):
        with os.fdopen(opened(path), "rb") as reader:
            copy_of(reader, target / name)
    with (target / MODEL).open("rb") as file:
        header = gguf.read(file.fileno())
    return Prepared(header.architecture, header.context_length, () if header.chat_template else (_NO_TEMPLATE,))
