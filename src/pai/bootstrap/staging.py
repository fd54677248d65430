"""A model's files, laid ready in the home by the command that an operator runs: the server itself reaches nothing outside it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pai.adapters.engines.intake import STAGED
from pai.adapters.models.gguf_folder import holds_gguf, prepare_gguf
from pai.adapters.models.model_folder import Prepared, prepare
from pai.adapters.models.reranker_folder import prepare_reranker
from pai.adapters.system.home import Home
from pai.foundation.errors import Unavailable
from pai.settings import Settings

_WEIGHTS: Final = ("*.safetensors", "*.gguf", "**/model.onnx")


def _prepared(task: str, source: Path, target: Path) -> Prepared:
    if task == "rerank":
        return prepare_reranker(source, target)
    return (prepare_gguf if holds_gguf(source) else prepare)(source, target)


@contextmanager
def staged_model(settings: Settings, folder: Path, task: str) -> Iterator[tuple[str, Prepared]]:
    """Give the name of a staging folder with a copy of a model for ``task`` (chat or rerank), and what is known of it; what is not taken
    is removed.

    Raises Unsupported or Invalid for a folder that holds no model of ours, Usage without an installation, Unavailable when the
    disk has too little room.
    """
    home = Home(settings.home)
    home.require()
    name = STAGED + secrets.token_hex(8)
    needed = sum(path.stat().st_size for kind in _WEIGHTS for path in folder.glob(kind)) >> 20
    free = (shutil.disk_usage(home.root).free >> 20) - settings.storage.free_disk_floor_mb
    if needed > free:
        raise Unavailable(
            f"the model takes {needed} MB, and {max(0, free)} MB of the disk may be used", code="disk_full",
            hint="free some space",
        )  # fmt: skip
    target = home.staging / name
    try:
        yield name, _prepared(task, folder, target)
    finally:
        shutil.rmtree(target, ignore_errors=True)
