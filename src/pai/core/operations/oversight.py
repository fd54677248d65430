"""Looking at the audit log. Who looks is recorded too, and at what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pai.core.audit.values import Checkpoint, EventFilter, Outcome, RecordedEvent, Verification
from pai.core.operations.events import AuditRead, AuditVerified, CheckpointMade
from pai.core.operations.ports import OversightUnit
from pai.core.policy.events import DecisionDenied
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound
from pai.foundation.refs import ResourceRef, SubjectRef
from pai.foundation.time import to_text

LOG = ResourceRef("audit", "log")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was asked for: the events, and the addresses of the accounts that acted or were acted on, by id."""

    events: Sequence[RecordedEvent]
    people: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Oversight:
    """Use cases on the audit log."""

    work: Work[OversightUnit]
    policy: Policy

    async def events(self, actor: Actor, wanted: EventFilter) -> Seen:
        """Return matching events, newest first; the look itself is recorded first, with what was looked for.

        An account may be named by its address, a data subject by name or alias. Raises Denied, NotFound for a name that nobody has
        (an empty answer must not come from a typing error); that somebody looked for one is recorded too, without the name.
        """
        self.policy.decide(actor, Permission.AUDIT_READ, LOG)

        def read(unit: OversightUnit) -> Seen | NotFound:
            asked = _resolved(unit, wanted)
            if isinstance(asked, NotFound):
                told = (*_told(dataclasses.replace(wanted, actor=None)), asked.code.replace("unknown_", "unknown="))
                unit.audit.record(
                    actor, AuditRead(resource=LOG, events=0, filters=told, outcome=Outcome.REFUSED, reason=asked.code)
                )
                return asked
            found = unit.audit.events(asked)
            subjects = (SubjectRef(asked.subject),) if asked.subject else ()
            event = AuditRead(resource=LOG, events=len(found), subjects=subjects, filters=_told(asked))
            unit.audit.record(actor, event)
            return Seen(found, {user.id: user.email for user in unit.users.list()})

        seen = await self.work.run(read)
        if isinstance(seen, NotFound):
            raise seen
        return seen

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

        def sign(unit: OversightUnit) -> Checkpoint:
            unit.audit.record(actor, CheckpointMade(resource=LOG))
            return unit.audit.checkpoint()

        return await self.work.run(sign)

    async def latest_checkpoint(self, actor: Actor) -> Checkpoint:
        """Return the newest kept checkpoint. Raises NotFound before the first."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)

        def read(unit: OversightUnit) -> Checkpoint | None:
            unit.audit.record(actor, AuditRead(resource=LOG, events=0))
            return unit.audit.latest_checkpoint()

        found = await self.work.run(read)
        if found is None:
            raise NotFound("there is no checkpoint yet", hint="make one: POST /pai/v1/audit/checkpoint")
        return found

    async def verifier_key(self, actor: Actor) -> str:
        """Return the public key that checkpoints and receipts verify with. It tells of nobody, so reading it is not recorded."""
        self.policy.decide(actor, Permission.AUDIT_VERIFY, LOG)
        return await self.work.read(lambda unit: unit.audit.verifier_key())


def _resolved(unit: OversightUnit, wanted: EventFilter) -> EventFilter | NotFound:
    """Return the filter with ids in place of names, or what to say to who asked for a name that nobody has."""
    actor, subject = wanted.actor, wanted.subject
    if actor is not None and "@" in actor and not actor.endswith("@console"):
        user = unit.users.by_email(actor.strip().lower())
        if user is None:
            said = f"no account has the address {actor[:100]}"
            return NotFound(said, code="unknown_actor", hint="see `pai user list`")
        actor = user.id
    if subject is not None and not subject.startswith("sub_"):
        found = unit.subjects.find(subject)
        if found is None:
            hint = "give its id, name or alias as in the register"
            return NotFound("no data subject has this name or alias", code="unknown_subject", hint=hint)
        subject = found.id
    return dataclasses.replace(wanted, actor=actor, subject=subject)


def _told(asked: EventFilter) -> tuple[str, ...]:
    named = (
        ("name", asked.name), ("actor", asked.actor), ("resource", asked.resource), ("document", asked.document),
        ("model", asked.model), ("outcome", asked.outcome), ("since", to_text(asked.since) if asked.since else None),
        ("until", to_text(asked.until) if asked.until else None),
    )  # fmt: skip
    return tuple(f"{name}={value}" for name, value in named if value is not None)
