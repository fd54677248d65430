"""Handing the audit log out, with proofs that an outsider checks without PAI. Each piece is recorded before it is given out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pai.core.audit import evidence, tree
from pai.core.audit.values import Checkpoint, Inclusion, Leaf
from pai.core.operations.events import AuditExported, AuditProved, CheckpointMade
from pai.core.operations.oversight import LOG
from pai.core.operations.ports import ExportUnit
from pai.core.policy.gate import Gate
from pai.core.policy.ports import Policy
from pai.core.policy.values import Act, Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Corrupt, Invalid, NotFound

PAGE: Final = 1000
EXPORT_SPAN: Final = timedelta(hours=1)
"""How long an export may go on that others have approved."""


MOST_CHECKPOINTS = 32  # of an export


@dataclass(frozen=True, slots=True)
class Begun:
    """The beginning of an export: its first line, the checkpoint that it ends at, and the key that both verify with."""

    header: str
    checkpoint: Checkpoint
    key: str


def thinned(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Return at most ``MOST_CHECKPOINTS`` of them, the first and the newest among them, the rest evenly apart. Each costs a proof while
    nobody else can write; that the log grew from one of them to the newest shows that it grew from all between."""
    if len(checkpoints) <= MOST_CHECKPOINTS:
        return list(checkpoints)
    last = len(checkpoints) - 1
    return [checkpoints[n * last // (MOST_CHECKPOINTS - 1)] for n in range(MOST_CHECKPOINTS)]


@dataclass(frozen=True, slots=True)
class HandingOut:
    """Use cases on exports and proofs."""

    work: Work[ExportUnit]
    policy: Policy
    clock: Clock
    gate: Gate = field(default_factory=Gate)

    async def begin(self, actor: Actor) -> Begun:
        """Sign a checkpoint and return what an export up to it begins with. Raises Denied, NeedsApproval, Corrupt."""
        self.policy.decide(actor, Permission.AUDIT_EXPORT, LOG)

        def sign(unit: ExportUnit) -> Begun:
            self._admit(unit, actor)
            unit.audit.record(actor, CheckpointMade(resource=LOG))
            older, newest, key = thinned(unit.audit.checkpoints()), unit.audit.checkpoint(), unit.audit.verifier_key()
            growth = {one.size: unit.audit.consistency(one.size, newest.size) for one in older if one.size}
            return Begun(evidence.export_header(key, newest, older, growth), newest, key)

        return await self.work.run(sign)

    async def page(self, actor: Actor, first: int, count: int = PAGE) -> Sequence[str]:
        """Return the lines of events from ``first`` on, at most ``PAGE`` of them. Raises Denied, NeedsApproval, Invalid,
        Corrupt."""
        self.policy.decide(actor, Permission.AUDIT_EXPORT, LOG)
        if first < 0 or not 1 <= count <= PAGE:
            raise Invalid(f"a page has 1 to {PAGE} events and begins at 0 or later", code="bad_page")

        def look(unit: ExportUnit) -> Sequence[Leaf]:
            self._admit(unit, actor)
            return unit.audit.leaves(first, count)

        leaves = await self.work.read(look)
        event = AuditExported(resource=LOG, first=first, events=len(leaves))
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        return [evidence.event_line(leaf) for leaf in leaves]

    def _admit(self, unit: ExportUnit, actor: Actor) -> None:
        self.gate.admit_for_a_while(unit, actor, Act.EXPORT, {"of": LOG.id}, self.clock.now(), EXPORT_SPAN)

    async def prove(self, actor: Actor, index: int) -> dict[str, Any]:
        """Return an event with the proof that it stands in the log. Raises Denied, NotFound."""
        self.policy.decide(actor, Permission.AUDIT_EXPORT, LOG)

        def proof(unit: ExportUnit) -> dict[str, Any]:
            if not 0 <= index < unit.audit.size():
                raise NotFound(f"the log has no event {index}", hint=f"it has {unit.audit.size()}, counted from 0")
            unit.audit.record(actor, AuditProved(resource=LOG, event=index))
            (leaf,) = unit.audit.leaves(index, 1)
            head = unit.audit.head()
            proof = Inclusion(leaf, tuple(unit.audit.inclusion(index, head.size)), head)
            return evidence.inclusion_value(unit.audit.verifier_key(), proof)

        return await self.work.run(proof)

    async def prove_growth(self, actor: Actor, note: str) -> dict[str, Any]:
        """Return the proof that the log only grew since a checkpoint of it. Raises Denied, Corrupt: not a checkpoint of this log, or
        (``audit_forked``) of a log that this one does not continue."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)

        def proof(unit: ExportUnit) -> dict[str, Any]:
            old = unit.audit.recognised(note)
            unit.audit.record(actor, AuditProved(resource=LOG, since=old.size))
            new = unit.audit.head()
            path: Sequence[bytes] = ()
            if 0 < old.size <= new.size:
                path = unit.audit.consistency(old.size, new.size)
            root = unit.audit.recognised(new.note).root
            if not (old.size == 0 or tree.verify_consistency(old.size, new.size, path, old.root, root)):
                raise Corrupt(
                    f"the log does not continue the one of {old.size} events that was signed", code="audit_forked",
                    hint="it was rolled back or rewritten: keep that checkpoint, and run `pai audit verify`",
                )  # fmt: skip
            return evidence.consistency_value(unit.audit.verifier_key(), note, new, path)

        return await self.work.run(proof)
