"""Opening a collection: found, allowed, unlocked, in this order; what an actor may not know of does not exist for
them."""

from __future__ import annotations

from dataclasses import dataclass

from pai.core.keys.ports import Keystore
from pai.core.knowledge.ports import CollectionStore, KnowledgeUnit
from pai.core.knowledge.values import Collection, ShareAccess
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, NotFound
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef, Shared


def context_of(collection_id: str) -> str:
    """Return what a collection's data key is bound to."""
    return f"collection:{collection_id}"


def ref_of(collection: Collection) -> ResourceRef:
    """Return the collection as policy sees it."""
    return ResourceRef(
        "collection", collection.id, collection.owner_id, collection.label, collection.purpose, restricted=collection.restricted,
        shares=tuple(Shared(one.user_id, one.access is ShareAccess.WRITE, one.expires_at) for one in collection.shares),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """Finds and opens collections for an actor."""

    keystore: Keystore
    policy: Policy

    def find(
        self, unit: KnowledgeUnit, actor: Actor, name_or_id: str, permission: Permission, *, purpose: str | None = None
    ) -> Collection:
        """Return a collection that the actor may act on. Raises NotFound for one that is not theirs to see, Denied
        otherwise."""
        collection = unit.collections.get(name_or_id) or unit.collections.by_name(actor.id, name_or_id)
        if collection is None:
            collection = next((c for c in unit.collections.visible_to(actor.id) if c.name == name_or_id), None)
        if collection is None or (actor.id != collection.owner_id and actor.id not in collection.shared_with):
            raise NotFound(f"no such collection: {name_or_id[:100]!r}", hint="see `pai collection list`")
        self.policy.decide(actor, permission, ref_of(collection), purpose=purpose)
        return collection

    def key(self, unit: KnowledgeUnit, actor: Actor, collection: Collection) -> Secret:
        """Return the data key. Raises Denied when this credential opens no content."""
        wrap = unit.wraps.key_wrap(context_of(collection.id), actor.id)
        if actor.unlocked is None or wrap is None:
            raise Denied(
                "this credential cannot open content",
                code="locked",
                hint="use a key that its owner made with the scope knowledge",
            )
        return self.keystore.open_data_key(actor.unlocked, context_of(collection.id), wrap.blob)

    def open(self, unit: KnowledgeUnit, actor: Actor, collection: Collection) -> CollectionStore:
        """Open the collection's sealed file."""
        return unit.open_collection(collection.id, self.key(unit, actor, collection))
