"""The root key's care: what state it is in, and whether its recovery code was written down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from pai.core.audit.values import Event
from pai.core.keys.ports import KeystoreAdministration
from pai.core.keys.values import KeystoreStatus, Rewrapped, check_passphrase
from pai.core.operations.events import (
    KeysRewrapped,
    KeysRotated,
    PassphraseChanged,
    RecoveryCodeConfirmed,
    RecoveryCodeRenewed,
    RootRotated,
)
from pai.core.operations.ports import CustodyUnit
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

KEYSTORE = ResourceRef("keystore", "root")
STEP: Final = 2000
"""Records that are moved in one transaction: others get their turn in between."""


@dataclass(frozen=True, slots=True)
class Custody:
    """Use cases on the root key. None of them shows or moves the key itself."""

    work: Work[CustodyUnit]
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

    async def change_passphrase(self, actor: Actor, old: Secret, new: Secret) -> None:
        """Let another passphrase open the root. Raises Unauthenticated (``wrong_passphrase``) unless ``old`` is the present one, Invalid
        (``weak_passphrase``)."""
        self.policy.decide(actor, Permission.ROOT_KEY, KEYSTORE)
        check_passphrase(new)
        await asyncio.to_thread(self.keystore.open, old)
        told = await asyncio.to_thread(self.keystore.status)
        await self._record(actor, PassphraseChanged(resource=KEYSTORE))
        await asyncio.to_thread(self.keystore.set_passphrase, new, told.kdf)

    async def rotate_root(self, actor: Actor, passphrase: Secret) -> Secret:
        """Replace the root key; return the new recovery code. No content and no record is written anew. Raises Unauthenticated."""
        self.policy.decide(actor, Permission.ROOT_KEY, KEYSTORE)
        await asyncio.to_thread(self.keystore.open, passphrase)
        told = await asyncio.to_thread(self.keystore.status)
        await self._record(actor, RootRotated(resource=KEYSTORE))
        return await asyncio.to_thread(self.keystore.rotate_root, passphrase, told.kdf)

    async def rotate_keys(self, actor: Actor, *, resume: bool) -> tuple[int, int]:
        """Give server keys a new version (unless ``resume``) and move all records to the newest; return (looked at, moved).

        Cut off at any moment, everything opens still; ``resume`` then moves the rest.
        """
        self.policy.decide(actor, Permission.ROOT_KEY, KEYSTORE)
        if not resume:
            await self._record(actor, KeysRotated(resource=KEYSTORE))
            await asyncio.to_thread(self.keystore.rotate_keys)
        looked_at = moved = 0
        for kind in await self.work.read(lambda unit: unit.sealed.kinds):
            last = ""
            while True:
                step = await self.work.run(partial(_rewrap, kind=kind, after=last))
                looked_at, moved, last = looked_at + step.looked_at, moved + step.moved, step.last
                if not last:
                    break
        await self._record(actor, KeysRewrapped(resource=KEYSTORE, looked_at=looked_at, moved=moved))
        return looked_at, moved

    async def key_versions(self, actor: Actor) -> Mapping[str, int]:
        """Return the newest version of each server key; older ones decrypt only."""
        self.policy.decide(actor, Permission.STATUS, KEYSTORE)
        return await asyncio.to_thread(self.keystore.key_versions)

    async def _record(self, actor: Actor, event: Event) -> None:
        await self.work.run(lambda unit: unit.audit.record(actor, event))


def _rewrap(unit: CustodyUnit, kind: str, after: str) -> Rewrapped:
    return unit.sealed.rewrap(kind, after, STEP)
