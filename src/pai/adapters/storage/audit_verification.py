"""Recomputing the audit log from what is stored: bodies, columns, leaves, tree, and all checkpoints in and outside the database."""

from __future__ import annotations

import base64
import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from pai.adapters.storage import tables as t
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import Finding, Verification
from pai.core.keys.ports import Keystore
from pai.foundation.errors import Corrupt, Unavailable

SIGNER = "pai-audit"
_HASH = 32
_BATCH = 500


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """What the log needs of cryptography. ``verify(public key, message, signature)`` tells whether a signature holds.
    ``folder`` keeps a copy of each checkpoint outside the database."""

    keystore: Keystore
    verify: Callable[[bytes, bytes, bytes], bool]
    origin: str
    folder: Path


def associated(origin: str, index: int) -> bytes:
    """Return what a sealed body is bound to: this log and its place in it."""
    return origin.encode() + b"\x00" + index.to_bytes(8, "big")


def opened_body(keys: AuditKeys, row: Any) -> bytes:
    """Return the canonical bytes of a stored event. Raises Corrupt when they were changed or moved."""
    return keys.keystore.unseal("audit", associated(keys.origin, row["index"]), row["body"])


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
    checkpoint kept inside or outside the database. Costs one keystore call per event."""
    # Files first: the transaction sees the log as of its first read, which must not be older than a file that is read.
    outside = [(path.name, path.read_text("utf-8", "replace")) for path in sorted(keys.folder.glob("*.note"))]
    size, stored = stored_frontier(db)
    errors: list[Finding] = []
    wanted = _wanted_roots(db, keys, outside, errors)
    subjects = _subjects(db)
    frontier: list[bytes] = []
    roots = {0: tree.EMPTY_ROOT}
    expected = 0
    for row in _rows(db):
        if row["index"] != expected:
            errors.append(Finding("missing", expected, "an event was removed"))
            break
        errors.extend(_check(keys, row, subjects.pop(expected, set())))
        frontier = tree.append(frontier, expected, row["leaf"])
        expected += 1
        if expected in wanted:
            roots[expected] = tree.root_of(frontier)
    if expected != size or frontier != stored:
        errors.append(Finding("tree", None, f"the tree says {size} events, the rows give {expected} or another root"))
    if subjects and expected == size:
        errors.append(Finding("subjects", min(subjects), "the index of data subjects names events that are not there"))
    for at, root in sorted(wanted.items()):
        if at > expected:
            errors.append(Finding("truncated", at, f"a checkpoint covers {at} events, the log holds {expected}"))
        elif roots.get(at) != root:
            errors.append(Finding("checkpoint", at, "the log does not have the root that was signed"))
    root_text = base64.b64encode(tree.root_of(frontier)).decode()
    return Verification(not errors, expected, root_text, max(wanted, default=None), tuple(errors))


def _rows(db: Connection) -> Iterator[Any]:
    index = t.audit_events.c.index
    start: int | None = None
    while True:
        query = select(t.audit_events).order_by(index).limit(_BATCH)
        rows = db.execute(query if start is None else query.where(index >= start)).mappings().all()
        yield from rows
        if len(rows) < _BATCH:
            return
        start = rows[-1]["index"] + 1


def _subjects(db: Connection) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for row in db.execute(select(t.audit_subjects.c.index, t.audit_subjects.c.subject_id)):
        found[row[0]].add(row[1])
    return dict(found)


def _check(keys: AuditKeys, row: Any, subjects: set[str]) -> list[Finding]:
    index = row["index"]
    try:
        body = opened_body(keys, row)
        told = encoding.decode(body)
    except (Corrupt, ValueError, TypeError):
        return [Finding("body", index, "a sealed body was changed or moved")]
    found = []
    if encoding.leaf_of(row["salt"], body) != row["leaf"]:
        found.append(Finding("leaf", index, "a leaf does not match its body"))
    resource = told["resource"]["id"] if told["resource"] else None
    model = told["model"]["name"] if told["model"] else None
    columns = (row["name"], row["actor"], row["resource"], row["model"])
    if columns != (told["name"], told["actor"]["id"], resource, model) or not _same_moment(row["at"], told["at"]):
        found.append(Finding("columns", index, "the searchable columns do not match the sealed body"))
    if subjects != set(told["subjects"]):
        found.append(Finding("subjects", index, "the index of data subjects does not match the sealed body"))
    return found


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
        if (
            note.origin != keys.origin
            or note.key_hash != notes.key_hash(SIGNER, public)
            or not keys.verify(public, note.text.encode(), note.signature)
        ):
            errors.append(Finding("signature", note.size, f"checkpoint {name} was not signed by this installation"))
        elif wanted.setdefault(note.size, note.root) != note.root:
            errors.append(Finding("fork", note.size, "two signed checkpoints of this size have different roots"))
    return wanted
