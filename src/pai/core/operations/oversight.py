"""Looking at the audit log. Who looks is recorded too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pai.core.audit.ports import AuditedUnit
from pai.core.audit.values import Checkpoint, EventFilter, Outcome, RecordedEvent, Verification
from pai.core.operations.events import AuditRead, AuditVerified, CheckpointMade
from pai.core.policy.events import DecisionDenied
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound
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

    async def denied(self, actor: Actor, permission: str, reason: str) -> None:
        """Record that a request of this actor was refused."""
        event = DecisionDenied(permission=permission, outcome=Outcome.REFUSED, reason=reason)
        await self.work.run(lambda unit: unit.audit.record(actor, event))

    async def checkpoint(self, actor: Actor) -> Checkpoint:
        """Sign the present tree head."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)

        def sign(unit: AuditedUnit) -> Checkpoint:
            unit.audit.record(actor, CheckpointMade(resource=LOG))
            return unit.audit.checkpoint()

        return await self.work.run(sign)

    async def latest_checkpoint(self, actor: Actor) -> Checkpoint:
        """Return the newest kept checkpoint. Raises NotFound before the first."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)

        def read(unit: AuditedUnit) -> Checkpoint | None:
            unit.audit.record(actor, AuditRead(resource=LOG, events=0))
            return unit.audit.latest_checkpoint()

        found = await self.work.run(read)
        if found is None:
            raise NotFound("there is no checkpoint yet", hint="make one: POST /pai/v1/audit/checkpoint")
        return found
