"""Sealed files with content: one per collection, one per member's conversations. Small versioned schemas of their own."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pai.adapters.storage.cipher import connect
from pai.foundation.errors import Unavailable
from pai.foundation.redaction import Secret

GOVERNED = """label TEXT NOT NULL DEFAULT 'confidential', purpose TEXT NOT NULL DEFAULT 'general',
 training TEXT NOT NULL DEFAULT 'infer', retention TEXT NOT NULL DEFAULT 'content', restricted INTEGER NOT NULL DEFAULT 0"""
OWN = """label TEXT NOT NULL, purpose TEXT NOT NULL, training TEXT NOT NULL DEFAULT 'neither',
 retention TEXT NOT NULL DEFAULT 'output', restricted INTEGER NOT NULL DEFAULT 0"""

OWN_CONTENT = OWN.replace("'output'", "'content'")

COLLECTION_SCHEMA: tuple[tuple[str, ...], ...] = (
    (
        f"CREATE TABLE documents (id TEXT PRIMARY KEY, name TEXT NOT NULL, blob_id TEXT NOT NULL, {GOVERNED})",
        f"""CREATE TABLE chunks (rowid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL REFERENCES documents(id),
 ordinal INTEGER NOT NULL, page INTEGER NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, subjects TEXT NOT NULL, {GOVERNED})""",
        "CREATE INDEX chunks_document ON chunks(document_id, ordinal)",
        "CREATE VIRTUAL TABLE chunks_fts USING fts5(heading, text, content='chunks', content_rowid='rowid', tokenize='porter unicode61')",
        "INSERT INTO chunks_fts(chunks_fts, rank) VALUES ('secure-delete', 1)",
        "CREATE TABLE vectors (chunk_rowid INTEGER PRIMARY KEY REFERENCES chunks(rowid), vector BLOB NOT NULL)",
        f"""CREATE TABLE items (job_id TEXT NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL, blob_id TEXT NOT NULL, size INTEGER NOT NULL,
 digest TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, document_id TEXT NOT NULL, pages INTEGER NOT NULL,
 chunks INTEGER NOT NULL, subjects TEXT NOT NULL, subject_column TEXT NOT NULL, {GOVERNED}, PRIMARY KEY (job_id, n))""",
    ),
    (
        # A new random token at every change of the vectors: what is cached in memory is compared with it, so neither another
        # connection's commit nor a rolled back transaction can leave a stale matrix in use.
        "CREATE TABLE vector_state (id INTEGER PRIMARY KEY CHECK (id = 1), token BLOB NOT NULL)",
        "INSERT INTO vector_state VALUES (1, randomblob(16))",
    ),
)

BATCHES = f"CREATE TABLE batches (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, batch TEXT NOT NULL, {OWN_CONTENT})"
BATCH_SCHEMA: tuple[tuple[str, ...], ...] = (
    (
        BATCHES,
        f"""CREATE TABLE batch_lines (n INTEGER PRIMARY KEY, custom_id TEXT NOT NULL, body TEXT NOT NULL, request_id TEXT NOT NULL,
 status INTEGER NOT NULL, answer TEXT NOT NULL, subjects TEXT NOT NULL DEFAULT '[]', {OWN_CONTENT})""",
        "CREATE INDEX batch_lines_waiting ON batch_lines(n) WHERE status = 0",
    ),
)

CONVERSATIONS_SCHEMA: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE conversations (id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, title TEXT NOT NULL, label TEXT NOT NULL,
 purpose TEXT NOT NULL DEFAULT 'general', training TEXT NOT NULL DEFAULT 'neither', retention TEXT NOT NULL DEFAULT 'output',
 restricted INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, updated_at TEXT NOT NULL)""",
        """CREATE TABLE messages (id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL REFERENCES conversations(id), role TEXT NOT NULL,
 content TEXT NOT NULL, model TEXT NOT NULL, created_at TEXT NOT NULL, subjects TEXT NOT NULL DEFAULT '[]')""",
        "CREATE INDEX messages_conversation ON messages(conversation_id, id)",
    ),
    (
        "ALTER TABLE messages ADD COLUMN label TEXT NOT NULL DEFAULT 'confidential'",
        "ALTER TABLE messages ADD COLUMN purpose TEXT NOT NULL DEFAULT 'general'",
        "ALTER TABLE messages ADD COLUMN training TEXT NOT NULL DEFAULT 'neither'",
        "ALTER TABLE messages ADD COLUMN retention TEXT NOT NULL DEFAULT 'output'",
        "ALTER TABLE messages ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0",
    ),
    (
        f"""CREATE TABLE responses (id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, model TEXT NOT NULL, status TEXT NOT NULL,
 settings TEXT NOT NULL, usage TEXT NOT NULL, previous_id TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL,
 created_at TEXT NOT NULL, completed_at TEXT, {OWN})""",
        f"""CREATE TABLE response_items (response_id TEXT NOT NULL REFERENCES responses(id), part TEXT NOT NULL, n INTEGER NOT NULL,
 kind TEXT NOT NULL, content TEXT NOT NULL, subjects TEXT NOT NULL DEFAULT '[]', {OWN}, PRIMARY KEY (response_id, part, n))""",
    ),
    (
        f"""CREATE TABLE files (id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, name TEXT NOT NULL, "use" TEXT NOT NULL, blob_id TEXT NOT NULL,
 size INTEGER NOT NULL, digest TEXT NOT NULL, created_at TEXT NOT NULL, subjects TEXT NOT NULL DEFAULT '[]', {OWN_CONTENT})""",
    ),
    (BATCHES,),
)


class SealedFile:
    """One open sealed file. Transactions are explicit; the unit of work commits it before the main database."""

    def __init__(self, path: Path, key: Secret, schema: tuple[tuple[str, ...], ...], *, read_only: bool) -> None:
        self.path = path
        self._key = key
        self.read_only = read_only
        # A reader never creates a file: it would race with the writer, or bring back a folder that was just destroyed.
        self.transient = read_only and not path.exists()
        self.db: Any = connect(path, key, memory=self.transient)
        try:
            self._migrate(schema)
            if read_only:
                self.db.execute("PRAGMA query_only = ON")
        except BaseException:
            self.db.close()
            raise

    def opens_with(self, key: Secret) -> bool:
        """Return whether this is the key that the file was opened with; a cached file is never handed out for another."""
        return hmac.compare_digest(self._key.reveal(), key.reveal())

    def _migrate(self, schema: tuple[tuple[str, ...], ...]) -> None:
        version = int(self.db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(schema):
            raise Unavailable(
                f"{self.path.name} was written by a newer PAI", code="newer_data", hint="install that version or newer"
            )
        for number in range(version, len(schema)):
            self.db.execute("BEGIN IMMEDIATE")
            # Read again under the lock: another thread may have been here first.
            if int(self.db.execute("PRAGMA user_version").fetchone()[0]) == number:
                for statement in schema[number]:
                    self.db.execute(statement)
                self.db.execute(f"PRAGMA user_version = {number + 1}")
            self.commit()

    def begin(self) -> None:
        """Start a transaction: a writing one, or a reader's view of one moment."""
        self.db.execute("BEGIN" if self.read_only else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make the transaction durable."""
        if self.db.in_transaction:
            self.db.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the transaction."""
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")

    def empty_log(self) -> None:
        """Move the write-ahead log into the file and cut it, so that deleted pages stay in neither. Skipped while someone reads."""
        self.db.execute("PRAGMA busy_timeout = 0")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.db.execute("PRAGMA busy_timeout = 10000")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Return all rows of a query."""
        return list(self.db.execute(sql, tuple(values)).fetchall())

    def close(self) -> None:
        """Close the file."""
        self.db.close()
