"""What was read of the main database, kept until anything but the audit log is written there.

Every request asks who its key belongs to and what its model is, and every request writes to the audit log, which makes SQLite drop
its pages: read again, each of them is checked and decrypted anew. One process writes a home, so it knows when something has changed.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

_AUDIT: Final = frozenset(
    {"audit_events", "audit_subjects", "audit_documents", "audit_tiles", "audit_frontier", "checkpoints"}
)
_READS: Final = re.compile(r"\s*(SELECT|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA)\b", re.IGNORECASE)
_WRITES: Final = re.compile(r"\s*(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE|DELETE\s+FROM)\s+\"?(\w+)", re.IGNORECASE)
_MOST: Final = 2048
Result = TypeVar("Result")


def changes(statement: str) -> bool:
    """Tell whether a statement may change more than the audit log. What is not understood does."""
    if _READS.match(statement):
        return False
    found = _WRITES.match(statement)
    return found is None or found[1].lower() not in _AUDIT


class Recollection:
    """Values by name, as of a generation of the database. ``forget`` is called in the writer's thread, ``of`` on the event loop."""

    def __init__(self) -> None:
        self._generation = 0
        self._held: dict[str, Any] = {}

    async def of(self, name: str, read: Callable[[], Awaitable[Result]]) -> Result:
        """Return what is held under this name, or what ``read`` gives, which is held unless something is written meanwhile."""
        found: Result | None = self._held.get(name)
        if found is not None:
            return found
        generation = self._generation
        result = await read()
        held = self._held
        # In this order: a write that comes between has raised the generation, or will take ``held`` away after this.
        if generation == self._generation and result is not None:
            if len(held) >= _MOST:
                held.clear()
            held[name] = result
        return result

    def forget(self) -> None:
        """Drop everything: a write has been committed."""
        self._generation += 1
        self._held = {}
