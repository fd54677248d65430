"""Events of the conversations room. What is said goes into the member's sealed file only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationsRead(Event):
    """A member looked at their list of conversations, or (with a resource of that kind) at one of them."""

    name: ClassVar[str] = "conversations:conversation:read"
    conversations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationDeleted(Event):
    """A conversation was deleted with all its messages."""

    name: ClassVar[str] = "conversations:conversation:delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(Event):
    """A member's message was kept and accepted for answering; written before the model sees it."""

    name: ClassVar[str] = "conversations:message:send"
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAnswered(Event):
    """An answer ended, and what came of it was kept: whole, or cut off by its reader, a failure or the length limit; ``receipt`` is the
    SHA-256 of what its receipt says, where there is one."""

    name: ClassVar[str] = "conversations:message:answer"
    started: int
    prompt_tokens: int
    completion_tokens: int
    receipt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseKept(Event):
    """What a response is made from was kept at its asker's wish; written before any of the answer is shown."""

    name: ClassVar[str] = "conversations:response:keep"
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseEnded(Event):
    """A kept response ended, and what came of it was kept: whole, or cut off by its reader, a failure or the length limit."""

    name: ClassVar[str] = "conversations:response:end"
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRead(Event):
    """A member read a kept response, or had it read again by a model that continues it; ``responses`` counts those before it too."""

    name: ClassVar[str] = "conversations:response:read"
    responses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseDeleted(Event):
    """A kept response was deleted with what it was made from."""

    name: ClassVar[str] = "conversations:response:delete"
