"""Looking at the audit log. Who looks is recorded too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pai.core.audit.ports import AuditedUnit
from pai.core.audit.values import Checkpoint, EventFilter, RecordedEvent, Verification
from pai.core.operations.events import AuditRead, AuditVerified
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.refs import ResourceRef

LOG = ResourceRef("audit", "log")


@dataclass(frozen=True, slots=True)
class Oversight:
    """Use cases on the audit log."""

    work: Work[AuditedUnit]
    policy: Policy

    async def events(self, actor: Actor, wanted: EventFilter) -> Sequence[RecordedEvent]:
        """Return matching events, newest first; the look itself is recorded first."""
        self.policy.decide(actor, Permission.AUDIT_READ, LOG)

        def read(unit: AuditedUnit) -> Sequence[RecordedEvent]:
            found = unit.audit.events(wanted)
            unit.audit.record(actor, AuditRead(resource=LOG, events=len(found)))
            return found

        return await self.work.run(read)

    async def verify(self, actor: Actor) -> Verification:
        """Recompute the whole log."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)
        found = await self.work.read(lambda unit: unit.audit.verify())
        await self.work.run(lambda unit: unit.audit.record(actor, AuditVerified(resource=LOG, ok=found.ok)))
        return found

    async def checkpoint(self, actor: Actor) -> Checkpoint:
        """Sign the present tree head."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)
        return await self.work.run(lambda unit: unit.audit.checkpoint())
