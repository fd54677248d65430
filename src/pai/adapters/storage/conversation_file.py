"""One member's conversations in their sealed file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from pai.adapters.storage.identity_rows import stamp
from pai.adapters.storage.sealed_files import SealedFile
from pai.core.conversations.values import Conversation, Message
from pai.foundation.errors import NotFound
from pai.foundation.labels import Label

_CONVERSATION = "id, owner_id, title, label, created_at, updated_at"


class ConversationFile:
    """Implements ``core.conversations.ports.ConversationStore``."""

    def __init__(self, file: SealedFile, empty_log: Callable[[SealedFile], None]) -> None:
        self._file = file
        self._empty_log = empty_log

    def put(self, conversation: Conversation) -> None:
        """Insert or replace a conversation's row."""
        c = conversation
        self._file.db.execute(
            f"""INSERT INTO conversations ({_CONVERSATION}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
 SET title = excluded.title, label = excluded.label, updated_at = excluded.updated_at""",  # noqa: S608
            (c.id, c.owner_id, c.title, c.label.value, stamp(c.created_at), stamp(c.updated_at)),
        )

    def get(self, conversation_id: str) -> Conversation | None:
        """Return a conversation by id."""
        rows = self._file.rows(f"SELECT {_CONVERSATION} FROM conversations WHERE id = ?", (conversation_id,))  # noqa: S608
        return _conversation(rows[0]) if rows else None

    def list(self, limit: int = 100) -> Sequence[Conversation]:
        """Return conversations, the most recently used first."""
        sql = f"SELECT {_CONVERSATION} FROM conversations ORDER BY updated_at DESC LIMIT ?"  # noqa: S608
        return [_conversation(row) for row in self._file.rows(sql, (limit,))]

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation with its messages."""
        self._file.db.execute("DELETE FROM messages WHERE conversation_id = ?", (conversation_id,))
        self._file.db.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))
        self._empty_log(self._file)

    def add_message(self, message: Message) -> None:
        """Append a message; it inherits the conversation's label and the rest. Raises NotFound."""
        m = message
        added = self._file.db.execute(
            """INSERT INTO messages (id, conversation_id, role, content, model, created_at, label, purpose, training, retention,
 restricted) SELECT ?, id, ?, ?, ?, ?, label, purpose, training, retention, restricted FROM conversations WHERE id = ?""",
            (m.id, m.role, m.content, m.model, stamp(m.created_at), m.conversation_id),
        )
        if added.rowcount != 1:
            raise NotFound("no such conversation")

    def messages(self, conversation_id: str) -> Sequence[Message]:
        """Return a conversation's messages in order."""
        sql = """SELECT id, conversation_id, role, content, model, created_at FROM messages
 WHERE conversation_id = ? ORDER BY created_at, rowid"""
        return [
            Message(row[0], row[1], row[2], row[3], row[4], datetime.fromisoformat(row[5]))
            for row in self._file.rows(sql, (conversation_id,))
        ]


def _conversation(row: Any) -> Conversation:
    created, updated = datetime.fromisoformat(row[4]), datetime.fromisoformat(row[5])
    return Conversation(row[0], row[1], row[2], Label(row[3]), created, updated)
