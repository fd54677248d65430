"""Where conversations are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pai.core.audit.ports import AuditTrail
from pai.core.conversations.values import Conversation, Item, Message, Response
from pai.core.identity.ports import UserRepository
from pai.core.keys.ports import WrapRepository
from pai.foundation.redaction import Secret


class ConversationStore(Protocol):
    """One member's sealed file, open."""

    def put(self, conversation: Conversation) -> None: ...
    def get(self, conversation_id: str) -> Conversation | None: ...
    def list(self, limit: int = 100) -> Sequence[Conversation]: ...
    def delete(self, conversation_id: str) -> None: ...
    def add_message(self, message: Message) -> None: ...
    def messages(self, conversation_id: str) -> Sequence[Message]: ...


class ResponseStore(Protocol):
    """The responses in one member's sealed file, open."""

    def begin(self, response: Response, items: Sequence[Item]) -> None:
        """Keep a response that begins, and what it is made from."""
        ...

    def end(self, response: Response) -> bool:
        """Keep what a response became. Returns False when it is gone."""
        ...

    def get(self, response_id: str) -> Response | None: ...
    def inputs(self, response_id: str) -> Sequence[Item]: ...
    def delete(self, response_id: str) -> None: ...


class OwnUnit(Protocol):
    """A unit of work that opens the key of a member's own file."""

    @property
    def users(self) -> UserRepository: ...
    @property
    def wraps(self) -> WrapRepository: ...
    @property
    def audit(self) -> AuditTrail: ...


class ConversationsUnit(OwnUnit, Protocol):
    """A unit of work for conversations."""

    def open_conversations(self, user_id: str, key: Secret, *, fresh: bool = False) -> ConversationStore:
        """Open (or create) the member's file inside this unit: it commits before the main database does.

        ``fresh`` tells that the key was made in this unit: a file that an interrupted unit left behind, whose key is lost,
        is replaced.
        """
        ...

    def open_responses(self, user_id: str, key: Secret, *, fresh: bool = False) -> ResponseStore:
        """As ``open_conversations``: the same file, its responses."""
        ...
