"""Backups as the installation sees them: a moment is held still, a secret lent out, a digest signed. What writes them elsewhere is
the operator's own process, for this one reaches nothing outside the home."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pai.core.audit.values import Outcome
from pai.core.keys.ports import Keystore
from pai.core.operations.events import BackupAbandoned, BackupMade, BackupStarted, RestoreDrilled
from pai.core.operations.ports import BackupsUnit, Moments, SecretMaker
from pai.core.operations.values import SIGNED_AS, Backup, BackupBegun, Drilled
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Invalid
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

_SEALED_FOR = b"backup-secret"


@dataclass(frozen=True, slots=True)
class Backups:
    """Use cases on backups. The order is ``begin``, then ``finish`` or ``abandon``."""

    work: Work[BackupsUnit]
    keystore: Keystore
    moments: Moments
    new_secret: SecretMaker
    policy: Policy
    clock: Clock

    async def begin(self, actor: Actor) -> BackupBegun:
        """Record that a backup begins, sign a checkpoint, and take a snapshot that holds both. Raises Denied, Unavailable
        (``disk_full``) when the snapshot does not fit."""
        backup = new_id("bak")
        where = ResourceRef("backup", backup)
        self.policy.decide(actor, Permission.BACKUP, where)

        def prepare(unit: BackupsUnit) -> bytes:
            unit.audit.record(actor, BackupStarted(resource=where, outcome=Outcome.STARTED))
            sealed = unit.backups.secret()
            if sealed is None:
                sealed = self.keystore.seal("server", _SEALED_FOR, self.new_secret().reveal())
                unit.backups.keep_secret(sealed)
            unit.audit.checkpoint()
            return sealed

        sealed = await self.work.run(prepare)
        signer = await asyncio.to_thread(self.keystore.verify_key, "checkpoint")
        secret = Secret(await asyncio.to_thread(self.keystore.unseal, "server", _SEALED_FOR, sealed))
        snapshot = await self.moments.take(backup)
        return BackupBegun(backup, self.clock.now(), snapshot, secret, signer)

    async def finish(self, actor: Actor, backup: Backup) -> bytes:
        """Register a backup whose pieces are all written, and return the signature of its digest: what nobody wrote into the log
        must not exist. Raises Denied, Invalid for something that is no digest."""
        where = ResourceRef("backup", backup.id)
        self.policy.decide(actor, Permission.BACKUP, where)
        if len(backup.digest) != 64 or not set(backup.digest) <= set("0123456789abcdef"):
            raise Invalid("a backup is signed by its SHA-256 digest", code="bad_digest")
        if not self.moments.taken(backup.id):
            raise Conflict(
                "no such backup is under way", code="no_backup", hint="begin again: `pai backup create DEST`"
            )

        def register(unit: BackupsUnit) -> None:
            unit.backups.add(backup)
            unit.audit.record(
                actor, BackupMade(resource=where, digest=backup.digest, files=backup.files, bytes=backup.bytes)
            )

        await self.work.run(register)
        await self.moments.remove(backup.id)
        return await asyncio.to_thread(self.keystore.sign, "checkpoint", signed_text(backup.digest))

    async def abandon(self, actor: Actor, backup_id: str, reason: str) -> None:
        """Give up a backup that could not be written."""
        where = ResourceRef("backup", backup_id)
        self.policy.decide(actor, Permission.BACKUP, where)
        event = BackupAbandoned(resource=where, outcome=Outcome.FAILED, reason=reason[:40])

        def forget(unit: BackupsUnit) -> None:
            unit.backups.remove(backup_id)
            unit.audit.record(actor, event)

        await self.work.run(forget)
        await self.moments.remove(backup_id)

    async def drilled(self, actor: Actor, found: Drilled) -> None:
        """Record what a restore drill found (45 CFR 164.308(a)(7)(ii)(D))."""
        where = ResourceRef("backup", found.backup_id)
        self.policy.decide(actor, Permission.BACKUP, where)
        event = RestoreDrilled(
            resource=where, outcome=Outcome.DONE if found.ok else Outcome.FAILED, reason=", ".join(found.failed)[:200],
            age_seconds=found.age_seconds, restore_seconds=found.restore_seconds,
        )  # fmt: skip
        await self.work.run(lambda unit: unit.audit.record(actor, event))

    async def list(self, actor: Actor) -> Sequence[Backup]:
        """Return the register, oldest first."""
        self.policy.decide(actor, Permission.BACKUP, ResourceRef("backup", "all"))
        return await self.work.read(lambda unit: unit.backups.list())


def signed_text(digest: str) -> bytes:
    """Return what is signed for a backup with this digest."""
    return f"{SIGNED_AS}\n{digest}\n".encode()
