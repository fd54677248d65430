"""The audit log as rows: salted leaves in an RFC 9162 tree, bodies sealed, checkpoints also kept outside the database."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.audit_verification import (
    SIGNER,
    AuditKeys,
    associated,
    opened_body,
    stored_frontier,
    verify_log,
    write_note,
)
from pai.adapters.storage.identity_rows import stamp
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import Checkpoint, Event, EventFilter, RecordedEvent, Verification
from pai.foundation.actor import Actor
from pai.foundation.errors import Corrupt

__all__ = ["AuditKeys", "AuditRows"]


class AuditRows:
    """Implements ``core.audit.ports.AuditTrail`` inside one transaction."""

    def __init__(self, connection: Connection, keys: AuditKeys, after_commit: list[Callable[[], None]]) -> None:
        self._db = connection
        self._keys = keys
        self._after_commit = after_commit

    def record(self, actor: Actor, event: Event) -> int:
        """Append an event and return its leaf index. The writer is alone, so size is the next index."""
        size, frontier = self._frontier()
        at = datetime.now(UTC)
        body = encoding.encode(encoding.body_of(actor, event, at))
        salt = os.urandom(encoding.SALT_BYTES)
        leaf = encoding.leaf_of(salt, body)
        sealed = self._keys.keystore.seal("audit", associated(self._keys.origin, size), body)
        self._db.execute(
            insert(t.audit_events),
            {
                "index": size, "at": stamp(at), "name": event.name, "actor": actor.id,
                "resource": event.resource.id if event.resource else None,
                "model": event.model.name if event.model else None, "leaf": leaf, "salt": salt, "body": sealed,
            },
        )  # fmt: skip
        subjects = sorted({subject.id for subject in event.subjects})
        if subjects:
            self._db.execute(insert(t.audit_subjects), [{"subject_id": s, "index": size} for s in subjects])
        row = {"id": 1, "size": size + 1, "nodes": b"".join(tree.append(frontier, size, leaf))}
        self._db.execute(upsert(t.audit_frontier).values(row).on_conflict_do_update(index_elements=["id"], set_=row))
        return size

    def _frontier(self) -> tuple[int, list[bytes]]:
        return stored_frontier(self._db)

    def size(self) -> int:
        """Return how many events the log holds."""
        return self._frontier()[0]

    def events(self, wanted: EventFilter) -> Sequence[RecordedEvent]:
        """Return matching events, newest first."""
        e = t.audit_events.c
        query = select(t.audit_events).order_by(e.index.desc()).limit(min(max(wanted.limit, 1), 1000))
        pairs = ((e.name, wanted.name), (e.actor, wanted.actor), (e.resource, wanted.resource), (e.model, wanted.model))
        for column, value in pairs:
            if value is not None:
                query = query.where(column == value)
        if wanted.subject is not None:
            touched = select(t.audit_subjects.c.index).where(t.audit_subjects.c.subject_id == wanted.subject)
            query = query.where(e.index.in_(touched))
        if wanted.since is not None:
            query = query.where(e.at >= stamp(wanted.since))
        if wanted.before is not None:
            query = query.where(e.index < wanted.before)
        return [self._recorded(row) for row in self._db.execute(query).mappings()]

    def _recorded(self, row: Any) -> RecordedEvent:
        body = encoding.decode(opened_body(self._keys, row))
        return RecordedEvent(row["index"], datetime.fromisoformat(row["at"]), row["name"], row["actor"], body)

    def checkpoint(self) -> Checkpoint:
        """Sign the tree head; keep it in the database and, once the unit has committed, as a file of the audit folder.

        Raises Corrupt (code ``audit_rolled_back``) instead of signing when a kept checkpoint covers more than the log holds or
        has another root: what proves that must not be replaced.
        """
        size, frontier = self._frontier()
        root = tree.root_of(frontier)
        self._refuse_rollback(size, root)
        text = notes.note_text(self._keys.origin, size, root)
        keystore = self._keys.keystore
        note = notes.signed(text, SIGNER, keystore.verify_key("checkpoint"), keystore.sign("checkpoint", text.encode()))
        now = datetime.now(UTC)
        kept = Checkpoint(size, base64.b64encode(root).decode(), note, now)
        row = {"size": size, "root": kept.root, "note": note, "at": stamp(now)}
        self._db.execute(upsert(t.checkpoints).values(row).on_conflict_do_nothing())
        # Only after the commit: a file that is ahead of the log is how a roll-back is recognised.
        self._after_commit.append(lambda: write_note(self._keys.folder, size, note))
        return kept

    def _refuse_rollback(self, size: int, root: bytes) -> None:
        newest = self.latest_checkpoint()
        held = [(newest.size, base64.b64decode(newest.root))] if newest else []
        public = self._keys.keystore.verify_key("checkpoint")
        for path in sorted(self._keys.folder.glob("*.note"), reverse=True):
            # A file that anybody could have put there stops nothing; `verify` reports it.
            with contextlib.suppress(Corrupt):
                note = notes.parse(path.read_text("utf-8", "replace"))
                if self._keys.verify(public, note.text.encode(), note.signature):
                    held.append((note.size, note.root))
                    break
        if any(at > size or (at == size and signed != root) for at, signed in held):
            raise Corrupt(
                "the audit log is not the one that was signed before", code="audit_rolled_back",
                hint="run `pai audit verify`; restore the newest backup",
            )  # fmt: skip

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest kept checkpoint."""
        row = self._db.execute(select(t.checkpoints).order_by(t.checkpoints.c.size.desc()).limit(1)).mappings().first()
        if row is None:
            return None
        return Checkpoint(row["size"], row["root"], row["note"], datetime.fromisoformat(row["at"]))

    def verify(self) -> Verification:
        """Recompute the log; see ``audit_verification.verify_log``."""
        return verify_log(self._db, self._keys)
