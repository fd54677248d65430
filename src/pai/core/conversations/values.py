"""Values of the conversations room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pai.foundation.labels import Label


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
