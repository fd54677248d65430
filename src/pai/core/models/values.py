"""Values of the models room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, relative to the model's folder. ``sha256`` is hex."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is known of a model's origin. Nothing is activated without one; what the source does not state says so."""

    origin: str
    licence: str
    training_data: str
    known_gaps: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model of this installation. ``task`` is ``chat`` or ``embedding``; ``engine`` is ``llama.cpp``, ``onnxruntime`` or
    ``echo``; ``signature`` is Ed25519 by this installation's model key over the canonical manifest (see ``manifest``)."""

    name: str
    task: str
    engine: str
    format: str
    files: tuple[ModelFile, ...]
    context_length: int
    dimensions: int | None
    record: ModelRecord
    signature: bytes
    imported_at: datetime
    active: bool = True
    aliases: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of the weights (the first file)."""
        return self.files[0].sha256 if self.files else ""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)
