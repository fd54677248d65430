"""Engines: what runs models. Capabilities are data; each engine implements the methods its capabilities name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from pai.foundation.refs import ModelRef


class Capability(StrEnum):
    """What an engine can do with a model."""

    CHAT = "chat"
    JSON_SCHEMA = "json-schema"
    EMBED = "embed"
    TOKENISE = "tokenise"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this engine can do with this model. ``context_length`` in tokens, ``dimensions`` of embeddings."""

    supports: frozenset[Capability]
    context_length: int
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn: role is ``system``, ``user`` or ``assistant``."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for one answer. ``json_schema`` constrains the output; ``cache_key`` names whose prompt cache may be used
    (a user id: prefixes are never shared across users)."""

    messages: tuple[ChatMessage, ...]
    max_tokens: int | None = None
    temperature: float = 0.7
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    json_schema: Mapping[str, Any] | None = None
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the engine. ``cached_tokens`` of the prompt were taken from this user's own cache."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of an answer. The last one has ``finish_reason`` (``stop`` or ``length``) and ``usage``."""

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit-length vectors as little-endian float32 bytes, one per text, and the tokens read."""

    vectors: tuple[bytes, ...]
    prompt_tokens: int
    dimensions: int = field(default=0)


class Engine(Protocol):
    """A model ready to answer. Raises :class:`~pai.foundation.errors.Unavailable` when its worker is gone,
    :class:`~pai.foundation.errors.Invalid` (code ``context_length_exceeded``) when the prompt does not fit."""

    @property
    def model(self) -> ModelRef:
        """The model that answers, as verified when it was loaded."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do with this model."""
        ...

    def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        """Generate. Closing the iterator (``aclose``) stops the generation in the worker."""
        ...

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return one vector per text. Texts longer than the context are cut by the engine."""
        ...

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens ``text`` has for this model."""
        ...


class Engines(Protocol):
    """Resolves a model name or alias to a running engine, loading it when needed."""

    async def get(self, name: str) -> Engine:
        """Return the engine for a model name or alias. Raises NotFound (code ``model_not_found``) or Unavailable."""
        ...
