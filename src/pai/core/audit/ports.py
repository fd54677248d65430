"""What the audit room needs, and what other rooms use of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pai.core.audit.values import Checkpoint, Event, EventFilter, RecordedEvent, Verification
from pai.foundation.actor import Actor


class AuditTrail(Protocol):
    """The log inside a unit of work. What is recorded becomes durable with the unit, or not at all."""

    def record(self, actor: Actor, event: Event) -> int:
        """Append ``event`` and return its leaf index. Raises Unavailable when the log cannot be written."""
        ...

    def events(self, wanted: EventFilter) -> Sequence[RecordedEvent]:
        """Return matching events, newest first."""
        ...

    def size(self) -> int:
        """Return how many events the log holds."""
        ...

    def checkpoint(self) -> Checkpoint:
        """Sign the present tree head, keep it (also outside the database) and return it."""
        ...

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest kept checkpoint."""
        ...

    def verify(self) -> Verification:
        """Recompute every leaf and the root from the stored bodies and compare with the tree and all checkpoints."""
        ...


class AuditedUnit(Protocol):
    """A unit of work that carries the audit trail."""

    @property
    def audit(self) -> AuditTrail:
        """The trail of this unit."""
        ...
