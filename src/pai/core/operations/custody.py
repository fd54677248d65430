"""The root key's care: what state it is in, and whether its recovery code was written down."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pai.core.audit.ports import AuditedUnit
from pai.core.audit.values import Event
from pai.core.keys.ports import KeystoreAdministration
from pai.core.keys.values import KeystoreStatus
from pai.core.operations.events import RecoveryCodeConfirmed, RecoveryCodeRenewed
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

KEYSTORE = ResourceRef("keystore", "root")


@dataclass(frozen=True, slots=True)
class Custody:
    """Use cases on the root key. None of them shows or moves the key itself."""

    work: Work[AuditedUnit]
    keystore: KeystoreAdministration
    policy: Policy

    async def status(self, actor: Actor) -> KeystoreStatus:
        """Return the keystore's state. Raises Denied."""
        self.policy.decide(actor, Permission.STATUS, KEYSTORE)
        return await asyncio.to_thread(self.keystore.status)

    async def confirm_recovery(self, actor: Actor, code: Secret) -> None:
        """Mark the recovery code as written down. Raises Invalid for a typing error, Unauthenticated for another code."""
        self.policy.decide(actor, Permission.ROOT_KEY, KEYSTORE)
        await asyncio.to_thread(self.keystore.confirm_recovery, code)
        await self._record(actor, RecoveryCodeConfirmed(resource=KEYSTORE))

    async def renew_recovery(self, actor: Actor) -> Secret:
        """Replace the recovery code and return the new one; the old one opens nothing any more."""
        self.policy.decide(actor, Permission.ROOT_KEY, KEYSTORE)
        # Recorded first: a code that nobody wrote into the log must not exist.
        await self._record(actor, RecoveryCodeRenewed(resource=KEYSTORE))
        return await asyncio.to_thread(self.keystore.renew_recovery)

    async def _record(self, actor: Actor, event: Event) -> None:
        await self.work.run(lambda unit: unit.audit.record(actor, event))
