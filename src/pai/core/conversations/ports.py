"""Where conversations are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pai.core.audit.ports import AuditTrail
from pai.core.conversations.values import Conversation, Message
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


class ConversationsUnit(Protocol):
    """A unit of work for conversations."""

    @property
    def users(self) -> UserRepository: ...
    @property
    def wraps(self) -> WrapRepository: ...
    @property
    def audit(self) -> AuditTrail: ...

    def open_conversations(self, user_id: str, key: Secret, *, fresh: bool = False) -> ConversationStore:
        """Open (or create) the member's file inside this unit: it commits before the main database does.

        ``fresh`` tells that the key was made in this unit: a file that an interrupted unit left behind, whose key is lost,
        is replaced.
        """
        ...
