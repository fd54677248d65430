"""What the audit room needs, and what other rooms use of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pai.core.audit.notes import SignedNote
from pai.core.audit.values import Alarm, Checkpoint, Event, EventFilter, Leaf, RecordedEvent, Standing, Verification
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
        """Sign the present tree head, keep it (also outside the database) and return it.

        Raises Corrupt (``audit_rolled_back``) when the log is not the one that was signed before.
        """
        ...

    def head(self) -> Checkpoint:
        """Sign the present tree head for somebody else to keep. Raises as ``checkpoint``."""
        ...

    def latest_checkpoint(self) -> Checkpoint | None:
        """Return the newest kept checkpoint."""
        ...

    def checkpoints(self) -> Sequence[Checkpoint]:
        """Return all kept checkpoints, smallest first."""
        ...

    def verifier_key(self) -> str:
        """Return the key that checkpoints and receipts verify with, as text (C2SP signed-note)."""
        ...

    def recognised(self, note: str) -> SignedNote:
        """Return the parts of a checkpoint of this log. Raises Corrupt when it is malformed or not signed by this installation."""
        ...

    def sign_receipt(self, text: str) -> str:
        """Return a receipt's text as a note, signed with the key of the log."""
        ...

    def leaves(self, first: int, count: int) -> Sequence[Leaf]:
        """Return events as they are hashed, in their order. Raises Corrupt when one does not open."""
        ...

    def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """Return the proof that event ``index`` stands in the log of ``size`` events. Raises IndexError outside of it."""
        ...

    def consistency(self, first: int, size: int) -> Sequence[bytes]:
        """Return the proof that the log of ``first`` events is the beginning of the one of ``size``. Raises IndexError."""
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


class WitnessStore(Protocol):
    """Where a witness keeps its key and its memory."""

    def standing(self) -> Standing: ...

    def keep(self, note: str) -> None:
        """Remember a co-signed note in place of the one before, durably."""
        ...

    def alarm(self, alarm: Alarm) -> None:
        """Remember a refusal, durably."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of the witness."""
        ...
