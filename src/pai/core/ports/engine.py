"""Engines: what runs models. Capabilities are data; each engine implements the methods its capabilities name."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from pai.foundation.refs import ModelRef


class Capability(StrEnum):
    """What an engine can do with a model. ``complete`` continues a text as it is, without a chat template."""

    CHAT = "chat"
    COMPLETE = "complete"
    TOOLS = "tools"
    JSON_SCHEMA = "json-schema"
    LOGPROBS = "logprobs"
    LOGIT_BIAS = "logit-bias"
    IMAGE_INPUT = "image-input"
    EMBED = "embed"
    RERANK = "rerank"
    TOKENISE = "tokenise"


MOST_LOGPROBS: Final = 20
"""Alternatives told for each token, at most."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this engine can do with this model. ``context_length`` in tokens, ``dimensions`` of embeddings."""

    supports: frozenset[Capability]
    context_length: int
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask its caller to run. ``parameters`` is the JSON schema of its arguments."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for. ``arguments`` is a JSON object as text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn: role is ``system``, ``user``, ``assistant`` or ``tool``. ``images`` are encoded pictures (PNG, JPEG).

    An assistant's turn may hold ``tool_calls``; a tool's turn answers the call ``tool_call_id``.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for one answer. ``json_schema`` constrains the output; ``cache_key`` names whose prompt cache may be used
    (a user id: prefixes are never shared across users).

    ``prompt``, a text or token ids of this model, is continued as it is instead of ``messages``. A tool must be called
    with ``must_call``; ``tool`` names which one. ``top_logprobs`` None tells no log-probabilities, 0 those of the chosen tokens only.
    ``logit_bias`` is added to the logits of token ids. ``temperature`` 0 is greedy.
    """

    messages: tuple[ChatMessage, ...] = ()
    max_tokens: int | None = None
    temperature: float = 0.7
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    json_schema: Mapping[str, Any] | None = None
    cache_key: str = ""
    prompt: str | tuple[int, ...] | None = None
    tools: tuple[Tool, ...] = ()
    must_call: bool = False
    tool: str = ""
    parallel_tool_calls: bool = True
    top_k: int = 40
    min_p: float = 0.05
    top_logprobs: int | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    @property
    def needs(self) -> frozenset[Capability]:
        """What an engine must be able to do to answer this request."""
        needed = {Capability.CHAT if self.prompt is None else Capability.COMPLETE}
        wanted = (
            (Capability.TOOLS, bool(self.tools)),
            (Capability.JSON_SCHEMA, self.json_schema is not None),
            (Capability.LOGPROBS, self.top_logprobs is not None),
            (Capability.LOGIT_BIAS, bool(self.logit_bias)),
            (Capability.IMAGE_INPUT, any(message.images for message in self.messages)),
        )
        return frozenset(needed | {capability for capability, is_wanted in wanted if is_wanted})


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the engine. ``cached_tokens`` of the prompt were taken from this user's own cache; ``reasoning_tokens`` of the
    completion are thoughts, counted as text by the model's own tokeniser."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its natural log-probability, and the likeliest alternatives (the token itself may be among them)."""

    token: str
    logprob: float
    raw: bytes
    top: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of an answer. The last one has ``finish_reason`` (``stop``, ``length`` or ``tool_calls``) and ``usage``.

    ``reasoning`` is what the model thinks before it answers, where it marks that. A tool call comes whole.
    """

    text: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    stop: str = ""
    """With ``finish_reason`` ``stop``: which of the request's stop texts ended it, empty for the model's own end."""
    waiting: int | None = None
    """In a piece without anything else, while the turn has not come: how many requests come before."""
    receipt: Mapping[str, Any] | None = None
    """In a piece without anything else, after the last: the receipt of the answer, where one was asked for. Engines give none."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Unit-length vectors as little-endian float32 bytes, one per text, and the tokens read."""

    vectors: tuple[bytes, ...]
    prompt_tokens: int
    dimensions: int = field(default=0)


def floats(vector: bytes) -> tuple[float, ...]:
    """Return the numbers of a vector of ``Embeddings``."""
    return struct.unpack(f"<{len(vector) // 4}f", vector)


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

    async def embed(self, texts: Sequence[str | Sequence[int]]) -> Embeddings:
        """Return one vector per text, each a text or token ids of this model. What is longer than the context is cut."""
        ...

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens ``text`` has for this model."""
        ...

    async def count_prompt(self, request: ChatRequest) -> int:
        """Return how many tokens of the context the prompt of a request takes, its chat template and tools included."""
        ...


class Engines(Protocol):
    """Resolves a model name or alias to a running engine, loading it when needed."""

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> Engine:
        """Return the engine for a model name or alias that can do what ``needs`` names.

        Raises NotFound (code ``model_not_found``), Unsupported (``missing_capability``) or Unavailable.
        """
        ...

    def loaded(self) -> Sequence[ModelRef]:
        """Return the models that are in memory now."""
        ...

    async def capabilities(self, name: str) -> Capabilities:
        """Return what the engine of a model or alias can do with it, without loading it. Raises NotFound (``model_not_found``)."""
        ...
