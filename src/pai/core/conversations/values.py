"""Values of the conversations room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pai.core.ports.engine import TokenLogprob, Usage
from pai.foundation.labels import Label
from pai.foundation.refs import DEFAULT_PURPOSE


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation: ``title`` lives in the member's sealed file."""

    id: str
    owner_id: str
    title: str
    label: Label
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. ``model`` is the name of the model for assistant turns, else empty."""

    id: str
    conversation_id: str
    role: str
    content: str
    model: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a text whose claim stands in a document: ``at`` is where the claim ends, ``quote`` is the document's own sentence,
    compared word for word with the passage it is from."""

    at: int
    document_id: str
    document: str
    page: int
    quote: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """Something said. ``role`` is ``system``, ``user`` or ``assistant``; ``whole`` tells whether it came to its end."""

    id: str
    role: str
    text: str
    images: tuple[bytes, ...] = ()
    whole: bool = True
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """What the model thought before it answered. It is never read again by a model."""

    id: str
    text: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the model asks for. ``call_id`` is what its result names; ``arguments`` is a JSON object as text."""

    id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a call gave, as its caller tells it."""

    id: str
    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a search found. ``score`` is the cosine with the question, 0 to 1."""

    document_id: str
    document: str
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Searched:
    """A search of collections that PAI made for the model."""

    id: str
    query: str
    passages: tuple[FoundPassage, ...] = ()


Item = Spoken | Thought | Called | Result | Searched
KINDS: Final[dict[str, type[Item]]] = {
    "message": Spoken, "reasoning": Thought, "call": Called, "result": Result, "search": Searched,
}  # fmt: skip
"""The name under which each kind of item is kept."""


def kind_of(item: Item) -> str:
    """Return the name of an item's kind."""
    return next(name for name, kind in KINDS.items() if isinstance(item, kind))


class ResponseStatus(StrEnum):
    """How far a response came. ``incomplete``: a limit of tokens ended it; ``cancelled``: its reader or PAI itself went away."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Response:
    """A response of a model to items. ``settings`` is what was asked for, in the words of the dialect that was spoken; ``reason`` is
    why it did not complete: ``max_output_tokens``, or the code of an error, then with its ``message``."""

    id: str
    owner_id: str
    model: str
    created_at: datetime
    status: ResponseStatus = ResponseStatus.IN_PROGRESS
    settings: Mapping[str, Any] = field(default_factory=dict)
    output: tuple[Item, ...] = ()
    usage: Usage | None = None
    completed_at: datetime | None = None
    previous_id: str = ""
    reason: str = ""
    message: str = ""
    label: Label = Label.CONFIDENTIAL
    purpose: str = DEFAULT_PURPOSE
