"""The audit log as rows: salted leaves in an RFC 9162 tree, bodies sealed, checkpoints also kept outside the database."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.identity_rows import stamp
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import Checkpoint, Event, EventFilter, Finding, RecordedEvent, Verification
from pai.core.keys.ports import Keystore
from pai.foundation.actor import Actor
from pai.foundation.errors import Corrupt

SIGNER = "pai-audit"
_HASH = 32


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """What the log needs of cryptography. ``verify(public key, message, signature)`` tells whether a signature holds."""

    keystore: Keystore
    verify: Callable[[bytes, bytes, bytes], bool]
    origin: str
    folder: Path


class AuditRows:
    """Implements ``core.audit.ports.AuditTrail`` inside one transaction."""

    def __init__(self, connection: Connection, keys: AuditKeys) -> None:
        self._db = connection
        self._keys = keys

    def record(self, actor: Actor, event: Event) -> int:
        """Append an event and return its leaf index. The writer is alone, so size is the next index."""
        size, frontier = self._frontier()
        at = datetime.now(UTC)
        body = encoding.encode(encoding.body_of(actor, event, at))
        salt = os.urandom(encoding.SALT_BYTES)
        leaf = encoding.leaf_of(salt, body)
        sealed = self._keys.keystore.seal("audit", self._associated(size), body)
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

    def _associated(self, index: int) -> bytes:
        return self._keys.origin.encode() + b"\x00" + index.to_bytes(8, "big")

    def _frontier(self) -> tuple[int, list[bytes]]:
        row = self._db.execute(select(t.audit_frontier.c.size, t.audit_frontier.c.nodes)).first()
        if row is None:
            return 0, []
        return int(row[0]), [row[1][at : at + _HASH] for at in range(0, len(row[1]), _HASH)]

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
        body = encoding.decode(self._body(row))
        return RecordedEvent(row["index"], datetime.fromisoformat(row["at"]), row["name"], row["actor"], body)

    def _body(self, row: Any) -> bytes:
        return self._keys.keystore.unseal("audit", self._associated(row["index"]), row["body"])

    def checkpoint(self) -> Checkpoint:
        """Sign the tree head; keep it in the database and as a file of the folder ``audit``."""
        size, frontier = self._frontier()
        root = tree.root_of(frontier)
        text = notes.note_text(self._keys.origin, size, root)
        keystore = self._keys.keystore
        note = notes.signed(text, SIGNER, keystore.verify_key("checkpoint"), keystore.sign("checkpoint", text.encode()))
        now = datetime.now(UTC)
        kept = Checkpoint(size, base64.b64encode(root).decode(), note, now)
        row = {"size": size, "root": kept.root, "note": note, "at": stamp(now)}
        self._db.execute(upsert(t.checkpoints).values(row).on_conflict_do_update(index_elements=["size"], set_=row))
        self._write(size, note)
        return kept

    def _write(self, size: int, note: str) -> None:
        folder = self._keys.folder
        folder.mkdir(mode=0o700, exist_ok=True)
        final = folder / f"{size:012d}.note"
        temporary = final.with_suffix(".new")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(note)
            file.flush()
            os.fsync(fd)
        temporary.replace(final)

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest kept checkpoint."""
        row = self._db.execute(select(t.checkpoints).order_by(t.checkpoints.c.size.desc()).limit(1)).mappings().first()
        if row is None:
            return None
        return Checkpoint(row["size"], row["root"], row["note"], datetime.fromisoformat(row["at"]))

    def verify(self) -> Verification:
        """Recompute the log. Every stored body must open, match its columns and its leaf; the root must match the tree and
        each checkpoint kept inside or outside the database."""
        size, stored = self._frontier()
        errors: list[Finding] = []
        wanted = self._wanted_roots(errors)
        frontier: list[bytes] = []
        roots = {0: tree.EMPTY_ROOT}
        expected = 0
        for row in self._rows():
            if row["index"] != expected:
                errors.append(Finding("missing", expected, "an event was removed"))
                break
            errors.extend(self._check(row))
            frontier = tree.append(frontier, expected, row["leaf"])
            expected += 1
            if expected in wanted:
                roots[expected] = tree.root_of(frontier)
        if expected != size or frontier != stored:
            errors.append(
                Finding("tree", None, f"the tree says {size} events, the rows give {expected} or another root")
            )
        for at, root in sorted(wanted.items()):
            if at > expected:
                errors.append(Finding("truncated", at, f"a checkpoint covers {at} events, the log holds {expected}"))
            elif roots.get(at) != root:
                errors.append(Finding("checkpoint", at, "the log does not have the root that was signed"))
        head = base64.b64encode(tree.root_of(frontier)).decode()
        return Verification(not errors, expected, head, max(wanted, default=None), tuple(errors))

    def _rows(self) -> Iterator[Any]:
        start = 0
        while True:
            query = (
                select(t.audit_events)
                .where(t.audit_events.c.index >= start)
                .order_by(t.audit_events.c.index)
                .limit(500)
            )
            rows = self._db.execute(query).mappings().all()
            yield from rows
            if len(rows) < 500:
                return
            start = rows[-1]["index"] + 1

    def _check(self, row: Any) -> list[Finding]:
        index = row["index"]
        try:
            body = self._body(row)
        except Corrupt:
            return [Finding("body", index, "a sealed body was changed or moved")]
        found = []
        if encoding.leaf_of(row["salt"], body) != row["leaf"]:
            found.append(Finding("leaf", index, "a leaf does not match its body"))
        told = encoding.decode(body)
        resource = told["resource"]["id"] if told["resource"] else None
        columns = (row["name"], row["actor"], row["resource"], row["model"], row["at"])
        model = told["model"]["name"] if told["model"] else None
        if columns[:4] != (told["name"], told["actor"]["id"], resource, model):
            found.append(Finding("columns", index, "the searchable columns do not match the sealed body"))
        query = select(func.count()).select_from(t.audit_subjects).where(t.audit_subjects.c.index == index)
        if self._db.execute(query).scalar_one() != len(set(told["subjects"])):
            found.append(Finding("subjects", index, "the index of data subjects does not match the sealed body"))
        return found

    def _wanted_roots(self, errors: list[Finding]) -> dict[int, bytes]:
        kept = [(str(row[0]), row[1]) for row in self._db.execute(select(t.checkpoints.c.size, t.checkpoints.c.note))]
        outside = [(path.name, path.read_text("utf-8", "replace")) for path in sorted(self._keys.folder.glob("*.note"))]
        public = self._keys.keystore.verify_key("checkpoint")
        wanted: dict[int, bytes] = {}
        for name, text in [*kept, *outside]:
            try:
                note = notes.parse(text)
            except Corrupt:
                errors.append(Finding("note", None, f"checkpoint {name} is not a signed note"))
                continue
            if (
                note.origin != self._keys.origin
                or note.key_hash != notes.key_hash(SIGNER, public)
                or not self._keys.verify(public, note.text.encode(), note.signature)
            ):
                errors.append(Finding("signature", note.size, f"checkpoint {name} was not signed by this installation"))
            elif wanted.setdefault(note.size, note.root) != note.root:
                errors.append(Finding("fork", note.size, "two signed checkpoints of this size have different roots"))
        return wanted
