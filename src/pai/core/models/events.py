"""Events of the models room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelImported(Event):
    """A model was checked, signed and registered."""

    name: ClassVar[str] = "models:model:import"
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConverted(Event):
    """A model was made into another format, signed and registered."""

    name: ClassVar[str] = "models:model:convert"
    source: str
    source_sha256: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelActivated(Event):
    """Aliases point at another model now."""

    name: ClassVar[str] = "models:model:activate"
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLoaded(Event):
    """A client had a model brought into memory, or kept there, without asking it anything."""

    name: ClassVar[str] = "models:model:load"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatStarted(Event):
    """A chat request was accepted; written before the model sees it."""

    name: ClassVar[str] = "models:chat:start"
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEnded(Event):
    """A chat answer ended: done, failed or stopped by its reader; ``receipt`` is the SHA-256 of what its receipt says, where there is
    one."""

    name: ClassVar[str] = "models:chat:end"
    started: int
    prompt_tokens: int
    completion_tokens: int
    receipt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsEmbedded(Event):
    """Texts were embedded for a client."""

    name: ClassVar[str] = "models:embedding:create"
    texts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCounted(Event):
    """The tokens of a prompt were counted for a client; written before the model's worker sees it."""

    name: ClassVar[str] = "models:prompt:count"
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TextsModerated(Event):
    """Texts were scored for a client; written before they are. What they scored is not recorded: it tells of content."""

    name: ClassVar[str] = "models:moderation:create"
    texts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsRanked(Event):
    """Documents that a client sent were put in the order of a question; written before they are."""

    name: ClassVar[str] = "models:rerank:create"
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedMeasured(Event):
    """A model was timed with a fixed prompt of PAI's own; written before the model sees it."""

    name: ClassVar[str] = "models:speed:measure"
