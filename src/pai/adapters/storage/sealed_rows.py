"""Records of the main database that are sealed under server keys, moved to the newest version of their key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from pai.adapters.storage import tables as t
from pai.adapters.storage.audit_verification import AuditKeys, associated
from pai.core.identity.values import totp_bound
from pai.core.keys.values import Factor, Rewrapped

_MOST_BYTES = 512 * 1024
"""Of one request to the keystore."""
_BACKUP_SECRET = b"backup-secret"


class SealedRows:
    """Implements ``core.keys.ports.SealedRepository``. A record tells under which version it is, so a run that was cut off is simply
    run again."""

    kinds = ("seal/audit", "member/console", "seal/server", "seal/server/totp")

    def __init__(self, connection: Connection, keys: AuditKeys) -> None:
        self._db = connection
        self._keys = keys

    def rewrap(self, kind: str, after: str, limit: int) -> Rewrapped:
        """Move up to ``limit`` records of this kind that come after the one named ``after``."""
        table, rows = self._rows(kind, after, limit)
        column, key = self._column(table)
        purpose = kind.removesuffix("/totp")
        moved = 0
        for part in _parts([(row["key"], row["bound"], row["sealed"]) for row in rows]):
            made = self._keys.keystore.rewrap(purpose, [(bound, sealed) for _, bound, sealed in part])
            changed = [{"row": name, "new": new} for (name, _, old), new in zip(part, made, strict=True) if new != old]
            if changed:
                # One statement for all of them: built anew for each row it would cost more than the cryptography.
                self._db.execute(
                    update(table).where(key == bindparam("row")).values({column: bindparam("new")}), changed
                )
            moved += len(changed)
        last = str(rows[-1]["key"]) if len(rows) == limit else ""
        return Rewrapped(len(rows), moved, last)

    def _column(self, table: Any) -> tuple[str, Any]:
        if table is t.audit_events:
            return "body", t.audit_events.c.index
        return ("blob", t.member_wraps.c.id) if table is t.member_wraps else ("sealed", table.c.id)

    def _rows(self, kind: str, after: str, limit: int) -> tuple[Any, list[dict[str, Any]]]:
        if kind == "seal/audit":
            e = t.audit_events.c
            query = select(e.index, e.body).where(e.index > int(after or -1)).order_by(e.index).limit(limit)
            origin = self._keys.origin
            found = self._db.execute(query)
            return t.audit_events, [{"key": n, "bound": associated(origin, n), "sealed": body} for n, body in found]
        if kind == "member/console":
            w = t.member_wraps.c
            query = select(w.id, w.user_id, w.blob).where(w.factor == Factor.CONSOLE.value, w.id > after).order_by(w.id)
            rows = self._db.execute(query.limit(limit))
            return t.member_wraps, [{"key": row[0], "bound": row[1].encode(), "sealed": row[2]} for row in rows]
        if kind == "seal/server/totp":
            f = t.totp_factors.c
            rows = self._db.execute(select(f.id, f.user_id, f.sealed).where(f.id > after).order_by(f.id).limit(limit))
            return t.totp_factors, [
                {"key": row[0], "bound": totp_bound(row[1], row[0]), "sealed": row[2]} for row in rows
            ]
        secrets: Iterable[Any] = (
            self._db.execute(select(t.backup_secret.c.id, t.backup_secret.c.sealed)) if not after else []
        )
        return t.backup_secret, [{"key": row[0], "bound": _BACKUP_SECRET, "sealed": row[1]} for row in secrets]


def _parts(rows: Sequence[tuple[Any, bytes, bytes]]) -> Iterator[list[tuple[Any, bytes, bytes]]]:
    part: list[tuple[Any, bytes, bytes]] = []
    size = 0
    for row in rows:
        if part and size + len(row[2]) + len(row[1]) > _MOST_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row[1]) + len(row[2]) + 16
    if part:
        yield part
