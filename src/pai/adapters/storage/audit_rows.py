"""The audit log as rows: salted leaves in an RFC 9162 tree, bodies sealed, checkpoints also kept outside the database."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.audit_proofs import TreeRows
from pai.adapters.storage.audit_verification import (
    CLOCK_STEP,
    SIGNER,
    AuditKeys,
    associated,
    opened_bodies,
    opened_body,
    stored_frontier,
    verify_log,
    write_note,
)
from pai.adapters.storage.identity_rows import stamp
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import Checkpoint, ClockSetBack, Event, EventFilter, Leaf, RecordedEvent, Verification
from pai.foundation.actor import SYSTEM, Actor
from pai.foundation.errors import Corrupt

__all__ = ["AuditKeys", "AuditRows"]

_INDEXED_AT_ONCE = 500


class AuditRows:
    """Implements ``core.audit.ports.AuditTrail`` inside one transaction."""

    def __init__(self, connection: Connection, keys: AuditKeys, after_commit: list[Callable[[], None]]) -> None:
        self._db = connection
        self._keys = keys
        self._after_commit = after_commit
        self._tree = TreeRows(connection)

    def record(self, actor: Actor, event: Event) -> int:
        """Append an event and return its leaf index. The writer is alone, so size is the next index."""
        size, frontier = self._frontier()
        at = self._keys.now()
        last = self._last_time(size)
        if last is not None and last - at > CLOCK_STEP:
            told = ClockSetBack(seconds=int((last - at).total_seconds()))
            self._append(SYSTEM, told, at, size, frontier)
            size, frontier = self._frontier()
        self._append(actor, event, at, size, frontier)
        return size

    def _append(self, actor: Actor, event: Event, at: datetime, size: int, frontier: list[bytes]) -> None:
        told = encoding.body_of(actor, event, at)
        body = encoding.encode(told)
        salt = os.urandom(encoding.SALT_BYTES)
        leaf = encoding.leaf_of(salt, body)
        sealed = self._keys.keystore.seal("audit", associated(self._keys.origin, size), body)
        self._db.execute(
            insert(t.audit_events),
            {
                "index": size, "at": stamp(at), "name": event.name, "actor": actor.id,
                "resource": event.resource.id if event.resource else None,
                "model": event.model.name if event.model else None, "outcome": event.outcome.value, "leaf": leaf, "salt": salt,
                "body": sealed,
            },
        )  # fmt: skip
        subjects = sorted({subject.id for subject in event.subjects})
        if subjects:
            self._db.execute(insert(t.audit_subjects), [{"subject_id": s, "index": size} for s in subjects])
        self._index_documents(size, told)
        self._tree.add(frontier, size, leaf)
        row = {"id": 1, "size": size + 1, "nodes": b"".join(tree.append(frontier, size, leaf))}
        self._db.execute(upsert(t.audit_frontier).values(row).on_conflict_do_update(index_elements=["id"], set_=row))

    def _index_documents(self, index: int, told: dict[str, Any]) -> None:
        documents = sorted(encoding.documents_of(told))
        if documents:
            rows = [{"document_id": one, "index": index} for one in documents]
            self._db.execute(insert(t.audit_documents), rows)

    def _last_time(self, size: int) -> datetime | None:
        found = self._db.execute(select(t.audit_events.c.at).where(t.audit_events.c.index == size - 1)).scalar()
        with contextlib.suppress(ValueError, TypeError):  # what was tampered with is `verify`'s to tell of
            return datetime.fromisoformat(found) if found else None
        return None

    def _frontier(self) -> tuple[int, list[bytes]]:
        return stored_frontier(self._db)

    def size(self) -> int:
        """Return how many events the log holds."""
        return self._frontier()[0]

    def complete_index(self) -> int:
        """Fill in what older releases did not index, a part of it; return how many events were looked through."""
        e = t.audit_events
        query = select(e).where(e.c.outcome.is_(None)).order_by(e.c.index).limit(_INDEXED_AT_ONCE)
        rows = self._db.execute(query).mappings().all()
        for row, body in zip(rows, opened_bodies(self._keys, rows), strict=True):
            told: dict[str, Any] = {}
            with contextlib.suppress(Corrupt, ValueError, TypeError):  # `verify` tells of it; the rest is still indexed
                told = encoding.decode(opened_body(body))
            outcome = str(told.get("outcome", "unknown"))
            self._db.execute(update(e).where(e.c.index == row["index"]).values(outcome=outcome))
            self._index_documents(row["index"], told)
        return len(rows)

    def events(self, wanted: EventFilter) -> Sequence[RecordedEvent]:
        """Return matching events, newest first."""
        e = t.audit_events.c
        query = select(t.audit_events).order_by(e.index.desc()).limit(min(max(wanted.limit, 1), 1000))
        pairs = (
            (e.actor, wanted.actor),
            (e.resource, wanted.resource),
            (e.model, wanted.model),
            (e.outcome, wanted.outcome),
        )
        for column, value in pairs:
            if value is not None:
                query = query.where(column == value)
        if wanted.name is not None and wanted.name.endswith(":"):
            query = query.where(e.name >= wanted.name, e.name < wanted.name[:-1] + ";")  # the character after the colon
        elif wanted.name is not None:
            query = query.where(e.name == wanted.name)
        for table, column, value in (
            (t.audit_subjects.c.index, t.audit_subjects.c.subject_id, wanted.subject),
            (t.audit_documents.c.index, t.audit_documents.c.document_id, wanted.document),
        ):
            if value is not None:
                query = query.where(e.index.in_(select(table).where(column == value)))
        if wanted.since is not None:
            query = query.where(e.at >= stamp(wanted.since))
        if wanted.until is not None:
            query = query.where(e.at < stamp(wanted.until))
        if wanted.before is not None:
            query = query.where(e.index < wanted.before)
        rows = self._db.execute(query).mappings().all()
        return [
            RecordedEvent(
                row["index"], datetime.fromisoformat(row["at"]), row["name"], row["actor"], encoding.decode(opened_body(body))
            )
            for row, body in zip(rows, opened_bodies(self._keys, rows), strict=True)
        ]  # fmt: skip

    def leaves(self, first: int, count: int) -> Sequence[Leaf]:
        """Return events as they are hashed, in their order."""
        index = t.audit_events.c.index
        query = select(t.audit_events).where(index >= first, index < first + count).order_by(index)
        rows = self._db.execute(query).mappings().all()
        bodies = opened_bodies(self._keys, rows)
        return [Leaf(row["index"], row["salt"], opened_body(body)) for row, body in zip(rows, bodies, strict=True)]

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Return the audit path of an event."""
        return self._tree.inclusion(index, size)

    def consistency(self, first: int, size: int) -> Sequence[bytes]:
        """Return the proof that the log only grew."""
        return self._tree.consistency(first, size)

    def verifier_key(self) -> str:
        """Return the key of the log as text."""
        return notes.verifier_key(SIGNER, self._keys.keystore.verify_key("checkpoint"))

    def recognised(self, note: str) -> notes.SignedNote:
        """Return the parts of a checkpoint of this log. Raises Corrupt for any other."""
        found = notes.parse(note)
        public = self._keys.keystore.verify_key("checkpoint")
        if found.origin != self._keys.origin or not found.signed_by(SIGNER, public, self._keys.verify):
            raise Corrupt("this checkpoint was not signed by this installation", hint="give one of this very log")
        return found

    def sign_receipt(self, text: str) -> str:
        """Return a receipt as a signed note. It begins with another line than a tree head, so neither stands for the other."""
        return self._signed(text)

    def _signed(self, text: str) -> str:
        keystore = self._keys.keystore
        signature = keystore.sign("checkpoint", text.encode())
        return notes.signed(text, SIGNER, keystore.verify_key("checkpoint"), signature)

    def head(self) -> Checkpoint:
        """Sign the tree head for somebody else to keep."""
        size, frontier = self._frontier()
        root = tree.root_of(frontier)
        self._refuse_rollback(size, root)
        note = self._signed(notes.note_text(self._keys.origin, size, root))
        return Checkpoint(size, base64.b64encode(root).decode(), note, self._keys.now())

    def checkpoint(self) -> Checkpoint:
        """Sign the tree head; keep it in the database and, once the unit has committed, as a file of the audit folder.

        Raises Corrupt (code ``audit_rolled_back``) instead of signing when a kept checkpoint covers more than the log holds or
        has another root: what proves that must not be replaced.
        """
        kept = self.head()
        row = {"size": kept.size, "root": kept.root, "note": kept.note, "at": stamp(kept.at)}
        self._db.execute(upsert(t.checkpoints).values(row).on_conflict_do_nothing())
        # Only after the commit: a file that is ahead of the log is how a roll-back is recognised.
        self._after_commit.append(lambda: write_note(self._keys.folder, kept.size, kept.note))
        return kept

    def _refuse_rollback(self, size: int, root: bytes) -> None:
        newest = self.latest_checkpoint()
        held = [(newest.size, base64.b64decode(newest.root))] if newest else []
        public = self._keys.keystore.verify_key("checkpoint")
        for path in sorted(self._keys.folder.glob("*.note"), reverse=True):
            # A file that anybody could have put there stops nothing; `verify` reports it.
            with contextlib.suppress(Corrupt):
                note = notes.parse(path.read_text("utf-8", "replace"))
                if note.signed_by(SIGNER, public, self._keys.verify):
                    held.append((note.size, note.root))
                    break
        for at, signed in set(held):
            if at > size or signed != (root if at == size else self._tree.root(at)):
                raise Corrupt(
                    "the audit log is not the one that was signed before", code="audit_rolled_back",
                    hint="run `pai audit verify`; restore the newest backup",
                )  # fmt: skip

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest kept checkpoint."""
        row = self._db.execute(select(t.checkpoints).order_by(t.checkpoints.c.size.desc()).limit(1)).mappings().first()
        return _checkpoint(row) if row is not None else None

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return all kept checkpoints, smallest first."""
        return [
            _checkpoint(row)
            for row in self._db.execute(select(t.checkpoints).order_by(t.checkpoints.c.size)).mappings()
        ]

    def verify(self) -> Verification:
        """Recompute the log; see ``audit_verification.verify_log``."""
        return verify_log(self._db, self._keys)


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(row["size"], row["root"], row["note"], datetime.fromisoformat(row["at"]))
