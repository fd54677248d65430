"""Recomputing the audit log from what is stored: bodies, columns, leaves, tree, and all checkpoints in and outside the database."""

from __future__ import annotations

import base64
import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from pai.adapters.storage import tables as t
from pai.adapters.storage.audit_proofs import kept_tiles
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import ClockSetBack, Finding, Verification
from pai.core.keys.ports import Keystore
from pai.foundation.errors import Corrupt, Unavailable
from pai.foundation.time import from_text, utc_now

SIGNER = "pai-audit"
CLOCK_STEP = timedelta(seconds=5)
"""Time may go back so far (as it does when clocks are set right) without an event that tells of it."""
_HASH = 32
_BATCH = 500


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """What the log needs of cryptography. ``folder`` keeps a copy of each checkpoint outside the database."""

    keystore: Keystore
    verify: notes.Verify
    origin: str
    folder: Path
    now: Callable[[], datetime] = utc_now


def associated(origin: str, index: int) -> bytes:
    """Return what a sealed body is bound to: this log and its place in it."""
    return origin.encode() + b"\x00" + index.to_bytes(8, "big")


def opened_bodies(keys: AuditKeys, rows: Sequence[Any]) -> Sequence[bytes | None]:
    """Return the canonical bytes of stored events, None for one that was changed or moved."""
    return keys.keystore.unseal_many("audit", [(associated(keys.origin, row["index"]), row["body"]) for row in rows])


def opened_body(body: bytes | None) -> bytes:
    """Return a body that opened. Raises Corrupt for one that did not."""
    if body is None:
        raise Corrupt("an event of the audit log was changed or moved", hint="run `pai audit verify`")
    return body


def stored_frontier(db: Connection) -> tuple[int, list[bytes]]:
    """Return the size of the log and the frontier of its tree."""
    row = db.execute(select(t.audit_frontier.c.size, t.audit_frontier.c.nodes)).first()
    if row is None:
        return 0, []
    return int(row[0]), [row[1][at : at + _HASH] for at in range(0, len(row[1]), _HASH)]


def write_note(folder: Path, size: int, note: str) -> None:
    """Write a checkpoint's file, durably and all or nothing. Raises Unavailable when the disk does not take it; the checkpoint
    itself is in the database by then."""
    try:
        _write_note(folder, size, note)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise Unavailable(
            f"the checkpoint of {size} events could not be written beside the database",
            code="disk_full" if full else "storage", hint="free some space, then run `pai audit checkpoint`",
        ) from error  # fmt: skip


def _write_note(folder: Path, size: int, note: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    final = folder / f"{size:012d}.note"
    temporary = final.with_suffix(".new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(note)
        file.flush()
        os.fsync(fd)
    temporary.replace(final)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def verify_log(db: Connection, keys: AuditKeys) -> Verification:
    """Recompute the log. Every stored body must open, match its columns and its leaf; the root must match the tree and each
    checkpoint kept inside or outside the database."""
    # Files first: the transaction sees the log as of its first read, which must not be older than a file that is read.
    outside = [(path.name, path.read_text("utf-8", "replace")) for path in sorted(keys.folder.glob("*.note"))]
    size, stored = stored_frontier(db)
    errors: list[Finding] = []
    wanted = _wanted_roots(db, keys, outside, errors)
    count = _Recount(db, set(wanted))
    for row, body in _rows(db, keys):
        if row["index"] != count.size:
            count.errors.append(Finding("missing", count.size, "an event was removed"))
            break
        count.take(row, body)
    errors += count.errors
    if count.size != size or count.frontier != stored:
        errors.append(Finding("tree", None, f"the tree says {size} events, the rows give {count.size} or another root"))
    else:
        errors.extend(count.left_over(db))
    for at, root in sorted(wanted.items()):
        if at > count.size:
            errors.append(Finding("truncated", at, f"a checkpoint covers {at} events, the log holds {count.size}"))
        elif count.roots.get(at) != root:
            errors.append(Finding("checkpoint", at, "the log does not have the root that was signed"))
    root_text = base64.b64encode(tree.root_of(count.frontier)).decode()
    newest = max(wanted, default=None)
    return Verification(not errors, count.size, root_text, newest, tuple(errors), tuple(count.notices))


class _Recount:
    """The tree made anew from the rows, with the roots at the sizes that are wanted."""

    def __init__(self, db: Connection, wanted: set[int]) -> None:
        self.size = 0
        self.frontier: list[bytes] = []
        self.roots = {0: tree.EMPTY_ROOT}
        self.errors: list[Finding] = []
        self.notices: list[Finding] = []
        self._wanted = wanted
        self._subjects = _touched(db, t.audit_subjects.c.subject_id)
        self._documents = _touched(db, t.audit_documents.c.document_id)
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._before: datetime | None = None

    def take(self, row: Any, body: bytes | None) -> None:
        """Add the next event."""
        self._check(row, body)
        for level, position, root in tree.tiles_completed(self.frontier, self.size, row["leaf"]):
            self._tiles[level, position] = root
        self.frontier = tree.append(self.frontier, self.size, row["leaf"])
        self.size += 1
        if self.size in self._wanted:
            self.roots[self.size] = tree.root_of(self.frontier)

    def left_over(self, db: Connection) -> Iterator[Finding]:
        """Yield what is beside the events of a whole log and does not belong to them."""
        if self._tiles != kept_tiles(db):
            yield Finding("tiles", None, "what proofs are made from is not of this tree: proofs would not hold")
        for left, kind in ((self._subjects, "data subjects"), (self._documents, "documents")):
            if left:
                yield Finding(kind.split()[-1], min(left), f"the index of {kind} names events that are not there")

    def _check(self, row: Any, sealed: bytes | None) -> None:
        index = row["index"]
        subjects, documents = self._subjects.pop(index, set()), self._documents.pop(index, set())
        try:
            body = opened_body(sealed)
            told = encoding.decode(body)
        except (Corrupt, ValueError, TypeError):
            self.errors.append(Finding("body", index, "a sealed body was changed or moved"))
            return
        if encoding.leaf_of(row["salt"], body) != row["leaf"]:
            self.errors.append(Finding("leaf", index, "a leaf does not match its body"))
        resource = told["resource"]["id"] if told["resource"] else None
        model = told["model"]["name"] if told["model"] else None
        columns = (row["name"], row["actor"], row["resource"], row["model"], row["outcome"])
        wanted = (told["name"], told["actor"]["id"], resource, model, told["outcome"])
        if columns != wanted or not _same_moment(row["at"], told["at"]):
            self.errors.append(Finding("columns", index, "the searchable columns do not match the sealed body"))
        if subjects != set(told["subjects"]):
            self.errors.append(Finding("subjects", index, "the index of data subjects does not match the sealed body"))
        if documents != encoding.documents_of(told):
            self.errors.append(Finding("documents", index, "the index of documents does not match the sealed body"))
        self._see_time(index, told)

    def _see_time(self, index: int, told: dict[str, Any]) -> None:
        at, before = from_text(told["at"]), self._before
        self._before = at
        if told["name"] == ClockSetBack.name:
            self.notices.append(Finding("clock", index, "the clock of the machine was set back, and PAI wrote so"))
        elif before is not None and before - at > CLOCK_STEP:
            self.errors.append(Finding("clock", index, "time goes back, and PAI did not write so"))


def _rows(db: Connection, keys: AuditKeys) -> Iterator[tuple[Any, bytes | None]]:
    index = t.audit_events.c.index
    start: int | None = None
    while True:
        query = select(t.audit_events).order_by(index).limit(_BATCH)
        rows = db.execute(query if start is None else query.where(index >= start)).mappings().all()
        yield from zip(rows, opened_bodies(keys, rows), strict=True)
        if len(rows) < _BATCH:
            return
        start = rows[-1]["index"] + 1


def _touched(db: Connection, column: Any) -> dict[int, set[str]]:
    """Return what an index names for each event."""
    found: dict[int, set[str]] = defaultdict(set)
    for row in db.execute(select(column.table.c.index, column)):
        found[row[0]].add(row[1])
    return dict(found)


def _same_moment(column: str, told: str) -> bool:
    try:
        return datetime.fromisoformat(column) == datetime.fromisoformat(told)
    except (ValueError, TypeError):
        return False


def _wanted_roots(
    db: Connection, keys: AuditKeys, outside: list[tuple[str, str]], errors: list[Finding]
) -> dict[int, bytes]:
    kept = [(str(row[0]), row[1]) for row in db.execute(select(t.checkpoints.c.size, t.checkpoints.c.note))]
    public = keys.keystore.verify_key("checkpoint")
    wanted: dict[int, bytes] = {}
    for name, text in [*kept, *outside]:
        try:
            note = notes.parse(text)
        except Corrupt:
            errors.append(Finding("note", None, f"checkpoint {name} is not a signed note"))
            continue
        if note.origin != keys.origin or not note.signed_by(SIGNER, public, keys.verify):
            errors.append(Finding("signature", note.size, f"checkpoint {name} was not signed by this installation"))
        elif wanted.setdefault(note.size, note.root) != note.root:
            errors.append(Finding("fork", note.size, "two signed checkpoints of this size have different roots"))
    return wanted
