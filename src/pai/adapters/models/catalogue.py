"""Starter models with pinned hashes. No hash that a package computes for itself is trusted."""

from __future__ import annotations

from datetime import datetime
from importlib import resources

import msgspec

from pai.core.models.values import ALIASES, LanguageShape, Model, ModelFile, ModelRecord

CHOICES = {
    "starter": ("qwen2.5-coder-1.5b-instruct", "all-minilm-l6-v2", "ppocr-v6-small"),
    "small": ("qwen2.5-coder-0.5b-instruct", "all-minilm-l6-v2", "ppocr-v6-small"),
    "echo": (),
    "none": (),
}


class Parts(msgspec.Struct, frozen=True):
    """A file cut into numbered packages, each with ``data/partNN.bin``."""

    package: str
    version: str
    count: int


class Member(msgspec.Struct, frozen=True):
    """A file that lies whole in one package."""

    package: str
    version: str
    name: str


class Export(msgspec.Struct, frozen=True):
    """A file that is made here from the weights of one package. ``sha256`` is that of the weights."""

    package: str
    version: str
    name: str
    sha256: str


class StarterFile(msgspec.Struct, frozen=True):
    """One file of a model and where it comes from."""

    path: str
    sha256: str
    size: int
    parts: Parts | None = None
    member: Member | None = None
    export: Export | None = None


class Starter(msgspec.Struct, frozen=True):
    """A starter model. ``shape`` describes a chat model before its file is here."""

    task: str
    engine: str
    format: str
    context_length: int
    dimensions: int | None
    files: tuple[StarterFile, ...]
    record: ModelRecord
    shape: LanguageShape | None = None


def catalogue() -> dict[str, Starter]:
    """Return all starter models by name."""
    data = (resources.files("pai.adapters.models") / "catalogue.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Starter])


def starter_model(name: str, now: datetime) -> Model | None:
    """Return a model of the catalogue as it is registered, unsigned yet, under its usual alias; None for a name that is not in it."""
    found = catalogue().get(name)
    if found is None:
        return None
    files = tuple(ModelFile(file.path, file.sha256, file.size) for file in found.files)
    return Model(
        name, found.task, found.engine, found.format, files, found.context_length, found.dimensions, found.record, b"", now,
        aliases=(ALIASES.get(found.task, "default"),),
    )  # fmt: skip
