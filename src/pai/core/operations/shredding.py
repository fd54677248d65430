"""Crypto-shredding: a collection's key is destroyed, then its files; where copies of both may be left is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pai.core.knowledge.access import context_of, ref_of
from pai.core.operations.events import KeyShredded
from pai.core.operations.ports import ShreddingUnit
from pai.core.operations.values import Backup
from pai.core.policy.gate import Gate
from pai.core.policy.ports import Policy
from pai.core.policy.values import Act, Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound
from pai.foundation.refs import ResourceRef


@dataclass(frozen=True, slots=True)
class Shredded:
    """What was destroyed, and the backups made while it was there."""

    collection: str
    wraps: int
    documents: int
    backups: tuple[Backup, ...]


@dataclass(frozen=True, slots=True)
class Shredding:
    """The use case of whoever holds the console; owners delete their collections themselves."""

    work: Work[ShreddingUnit]
    policy: Policy
    gate: Gate = field(default_factory=Gate)

    async def shred(self, actor: Actor, collection_id: str) -> Shredded:
        """Destroy all wraps of a collection's data key, then its files. Raises Denied, NeedsApproval, NotFound."""
        self.policy.decide(actor, Permission.ROOT_KEY, ResourceRef("collection", collection_id))

        def destroy(unit: ShreddingUnit) -> Shredded:
            collection = unit.collections.get(collection_id)
            if collection is None:
                raise NotFound("no collection has this id", hint="ids stand in `pai audit tail`")
            documents = len(unit.collections.documents(collection.id))
            self.gate.admit(unit, actor, Act.SHRED, {"collection": collection.id, "documents": documents})
            held: Sequence[Backup] = [one for one in unit.backups.list() if one.at >= collection.created_at]
            context = context_of(collection.id)
            done = Shredded(
                collection.id,
                len(unit.wraps.recipients(context)),
                documents,
                tuple(held),
            )
            event = KeyShredded(
                resource=ref_of(collection),
                wraps=done.wraps,
                documents=done.documents,
                backups=tuple(one.id for one in held),
            )
            unit.audit.record(actor, event)
            unit.wraps.remove_key_wraps(context)
            unit.subjects.unlink(collection.id)
            unit.collections.remove(collection.id)
            unit.destroy_collection(collection.id)
            return done

        return await self.work.run(destroy)
