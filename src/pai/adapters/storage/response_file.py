"""One member's responses in their sealed file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from pai.adapters.storage.identity_rows import stamp
from pai.adapters.storage.sealed_files import SealedFile
from pai.core.conversations.values import KINDS, Item, Response, ResponseStatus
from pai.core.ports.engine import Usage
from pai.foundation.labels import Label

_RESPONSE = """id, owner_id, model, created_at, status, settings, usage, completed_at, previous_id, reason, message, label, purpose"""
_IN, _OUT = "in", "out"


class ResponseFile:
    """Implements ``core.conversations.ports.ResponseStore``."""

    def __init__(self, file: SealedFile, empty_log: Callable[[SealedFile], None]) -> None:
        self._file = file
        self._empty_log = empty_log

    def begin(self, response: Response, items: Sequence[Item]) -> None:
        """Insert a response, and what it is made from."""
        marks = ", ".join("?" * 13)
        self._file.db.execute(f"INSERT INTO responses ({_RESPONSE}) VALUES ({marks})", _row(response))  # noqa: S608
        self._put(response.id, _IN, items)

    def end(self, response: Response) -> bool:
        """Replace a response's row and insert its output. Returns False when it was deleted meanwhile."""
        changed = self._file.db.execute(
            """UPDATE responses SET model = ?, status = ?, usage = ?, completed_at = ?, reason = ?, message = ? WHERE id = ?""",
            (
                response.model, response.status.value, _usage(response), _moment(response.completed_at), response.reason,
                response.message, response.id,
            ),
        )  # fmt: skip
        if changed.rowcount != 1:
            return False
        self._put(response.id, _OUT, response.output)
        return True

    def get(self, response_id: str) -> Response | None:
        """Return a response with its output."""
        rows = self._file.rows(f"SELECT {_RESPONSE} FROM responses WHERE id = ?", (response_id,))  # noqa: S608
        return _response(rows[0], self._items(response_id, _OUT)) if rows else None

    def inputs(self, response_id: str) -> Sequence[Item]:
        """Return what a response was made from, in order."""
        return self._items(response_id, _IN)

    def delete(self, response_id: str) -> None:
        """Delete a response with what it was made from."""
        self._file.db.execute("DELETE FROM response_items WHERE response_id = ?", (response_id,))
        self._file.db.execute("DELETE FROM responses WHERE id = ?", (response_id,))
        self._empty_log(self._file)

    def _put(self, response_id: str, part: str, items: Sequence[Item]) -> None:
        kinds = {kind: name for name, kind in KINDS.items()}
        for n, item in enumerate(items):
            content = msgspec.json.encode(item).decode()
            self._file.db.execute(
                """INSERT INTO response_items (response_id, part, n, kind, content, label, purpose, training, retention, restricted)
 SELECT id, ?, ?, ?, ?, label, purpose, training, retention, restricted FROM responses WHERE id = ?""",
                (part, n, kinds[type(item)], content, response_id),
            )

    def _items(self, response_id: str, part: str) -> tuple[Item, ...]:
        sql = "SELECT kind, content FROM response_items WHERE response_id = ? AND part = ? ORDER BY n"
        return tuple(
            msgspec.json.decode(content, type=KINDS[kind])
            for kind, content in self._file.rows(sql, (response_id, part))
        )


def _row(response: Response) -> tuple[Any, ...]:
    r = response
    return (
        r.id, r.owner_id, r.model, stamp(r.created_at), r.status.value, msgspec.json.encode(r.settings).decode(), _usage(r),
        _moment(r.completed_at), r.previous_id, r.reason, r.message, r.label.value, r.purpose,
    )  # fmt: skip


def _usage(response: Response) -> str:
    return msgspec.json.encode(response.usage).decode()


def _moment(moment: datetime | None) -> str | None:
    return stamp(moment) if moment is not None else None


def _response(row: Any, output: tuple[Item, ...]) -> Response:
    completed = datetime.fromisoformat(row[7]) if row[7] else None
    return Response(
        row[0], row[1], row[2], datetime.fromisoformat(row[3]), ResponseStatus(row[4]), msgspec.json.decode(row[5]), output,
        msgspec.json.decode(row[6], type=Usage | None), completed, row[8], row[9], row[10], Label(row[11]), row[12],
    )  # fmt: skip
