"""Values of the models room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

ALIASES: Final = {
    "embedding": "default-embedding", "rerank": "default-reranker", "ocr": "default-ocr", "transcription": "default-transcription",
}  # fmt: skip
"""The usual alias of a model by what it is for; ``default`` and all others mean models that chat."""


SOURCES: Final = frozenset({"encoder", "cross-encoder"})
"""Engines of models that are only kept to be made into another format: encoders as safetensors."""


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
class Form:
    """What a model is made into: the format, the engine that runs it, and how its weights are rounded (empty: as the engine likes)."""

    format: str
    engine: str
    quantisation: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What a conversion made: the files, for an embedding model how many numbers its vectors have, and what was lost and won."""

    files: tuple[ModelFile, ...]
    dimensions: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What lies in a model's folder once it was checked and hashed: its files, the format, the engine that runs it, the task."""

    files: tuple[ModelFile, ...]
    format: str
    engine: str
    task: str = "chat"


@dataclass(frozen=True, slots=True)
class Model:
    """A model of this installation. ``task`` is ``chat``, ``embedding``, ``rerank``, ``ocr`` or ``transcription``; ``engine`` is
    ``llama.cpp``, ``openvino``, ``transformers``, ``onnxruntime``, ``onnxruntime-ocr``, ``ctranslate2``, ``echo`` or one of ``SOURCES``;
    ``signature`` is Ed25519 by this installation's model key over the canonical manifest (see ``manifest``)."""

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


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a model on a processor: tokens per second of a prompt and of an answer to one user alone, seconds until it
    was ready (0 when it was loaded already), and how many of the control ``questions`` it answered rightly, None when not asked."""

    name: str
    sha256: str
    processor: str
    prompt_tokens: int
    prompt_rate: float
    answer_rate: float
    load_seconds: float
    right: int | None
    questions: int
    measured_at: datetime

    @property
    def question_seconds(self) -> float:
        """What a question to documents takes: some 400 tokens of passages to read, some 40 to write."""
        return 400 / max(self.prompt_rate, 1e-3) + 40 / max(self.answer_rate, 1e-3)


def shared_context(context_length: int, parallel: int) -> int:
    """Return the tokens that all answers of a model share: room for two whole contexts when several are written at once."""
    return context_length * (2 if parallel > 1 else 1)


@dataclass(frozen=True, slots=True)
class LanguageShape:
    """What decides how much memory a language model takes, from its file's header.

    ``cache_numbers`` are kept per token of context over all blocks; ``bounded``: it may keep fewer (a sliding window, a
    state instead of a cache), so an estimate is an upper bound. ``matrices`` are bytes by element type of what is
    multiplied with, and ``block_bytes`` those of the largest block.
    """

    architecture: str
    quantisation: str
    parameters: int
    context_length: int
    blocks: int
    embedding_length: int
    feed_forward_length: int
    vocabulary: int
    cache_numbers: int
    weight_bytes: int
    block_bytes: int
    matrices: dict[str, int]
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chat model that is here, or could be fetched. ``shape`` None: its header is not known, ``unknown`` says why."""

    name: str
    installed: bool
    size: int
    shape: LanguageShape | None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A graphics processor. Memory in bytes, None when it cannot be known; ``note`` says why, or what is special."""

    name: str
    vendor: str
    memory: int | None
    free: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class DiskSpeed:
    """How fast a model file was read in sequence: ``size`` bytes in ``seconds``, past the page cache when ``direct``.
    ``hash_seconds`` is what SHA-256 over them took."""

    size: int
    seconds: float
    hash_seconds: float
    direct: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of this machine. Memory in bytes. ``cores`` may be used by this process, of ``processors`` in all.

    ``held`` is memory that this installation's own engines hold now. ``unknown`` has one sentence for each thing that
    could not be found out.
    """

    architecture: str
    processor: str
    cores: int
    processors: int
    instructions: tuple[str, ...]
    memory: int
    available: int
    held: int
    disk_free: int
    accelerators: tuple[Accelerator, ...]
    unknown: tuple[str, ...]
    disk: DiskSpeed | None = None
