"""Collections and their documents: made, listed, shared, deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pai.core.keys.values import KeyWrap
from pai.core.knowledge.access import Access, context_of, ref_of
from pai.core.knowledge.events import (
    CollectionCreated,
    CollectionDeleted,
    CollectionRenamed,
    DocumentDeleted,
    DocumentsListed,
)  # fmt: skip
from pai.core.knowledge.ports import KnowledgeUnit, Originals
from pai.core.knowledge.values import Chunk, Collection, Document
from pai.core.policy.gate import Gate, Parameters
from pai.core.policy.values import Act, Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.refs import ResourceRef, SubjectRef, parse_purpose

BULK: Final = 100
"""So many documents at once are a bulk."""


@dataclass(frozen=True, slots=True)
class Collections:
    """Use cases on collections and documents."""

    work: Work[KnowledgeUnit]
    access: Access
    originals: Originals
    clock: Clock
    gate: Gate = field(default_factory=Gate)

    async def create(self, actor: Actor, name: str, label: Label, purpose: str) -> Collection:
        """Make a collection with a data key of its own, wrapped for its owner. Raises Invalid, Conflict, Denied."""
        text = _checked_name(name)
        aim = parse_purpose(purpose)
        collection_id = new_id("col")

        def write(unit: KnowledgeUnit) -> Collection:
            planned = ResourceRef("collection", collection_id, actor.id, label, aim)
            self.access.policy.decide(actor, Permission.COLLECTION_CREATE, planned)
            user = unit.users.get(actor.id)
            if user is None:
                raise Denied("only accounts own collections")
            if unit.collections.by_name(actor.id, text):
                raise Conflict(f"you have a collection named {text!r} already", hint="choose another name")
            now = self.clock.now()
            model = unit.models.get("default-embedding")
            made = Collection(
                collection_id, text, actor.id, label, aim, now, embedding_model=model.name if model else ""
            )
            key = self.access.keystore.new_data_key(context_of(collection_id), [user.public_key])
            unit.collections.add(made)
            unit.wraps.add_key_wrap(KeyWrap(new_id("wrp"), context_of(collection_id), actor.id, key.wraps[0], now))
            unit.open_collection(collection_id, key.key)
            unit.audit.record(actor, CollectionCreated(resource=ref_of(made), label=label, purpose=aim))
            return made

        return await self.work.run(write)

    async def list(self, actor: Actor) -> Sequence[Collection]:
        """Return the collections that the actor owns or was given."""
        self.access.policy.decide(actor, Permission.COLLECTION_LIST, ResourceRef("installation", "pai"))
        found = await self.work.read(lambda unit: unit.collections.visible_to(actor.id))
        now = self.clock.now()
        seen = (as_seen(collection, actor.id, now) for collection in found)
        return [collection for collection in seen if collection is not None and actor.ceiling.covers(collection.label)]

    async def rename(self, actor: Actor, name: str, new_name: str) -> Collection:
        """Give a collection another name. Raises Invalid, Conflict, NotFound, Denied."""
        text = _checked_name(new_name)

        def write(unit: KnowledgeUnit) -> Collection:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_UPDATE)
            other = unit.collections.by_name(collection.owner_id, text)
            if other is not None and other.id != collection.id:
                raise Conflict(f"you have a collection named {text!r} already", hint="choose another name")
            changed = dataclasses.replace(collection, name=text)
            unit.collections.update(changed)
            unit.audit.record(actor, CollectionRenamed(resource=ref_of(changed)))
            return changed

        return await self.work.run(write)

    async def delete(self, actor: Actor, name: str) -> Collection:
        """Delete a collection: wraps first (the key is gone with them), files after the commit. Raises NotFound, Denied, NeedsApproval."""

        def write(unit: KnowledgeUnit) -> Collection:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_DELETE)
            count = len(unit.collections.documents(collection.id))
            if count >= BULK:
                told: Parameters = {"collection": collection.id, "name": collection.name, "documents": count}
                self.gate.admit(unit, actor, Act.BULK_DELETE, told)
            unit.wraps.remove_key_wraps(context_of(collection.id))
            unit.subjects.unlink(collection.id)
            unit.collections.remove(collection.id)
            unit.destroy_collection(collection.id)
            unit.audit.record(actor, CollectionDeleted(resource=ref_of(collection), documents=count))
            return collection

        return await self.work.run(write)

    async def documents(self, actor: Actor, name: str) -> Sequence[Document]:
        """Return a collection's documents with their names."""

        def write(unit: KnowledgeUnit) -> Sequence[Document]:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_READ)
            names = self.access.open(unit, actor, collection).names()
            rows = unit.collections.documents(collection.id)
            unit.audit.record(actor, DocumentsListed(resource=ref_of(collection), documents=len(rows)))
            return [dataclasses.replace(row, name=names.get(row.id, "")) for row in rows]

        return await self.work.run(write)

    async def passages(self, actor: Actor, document_id: str) -> tuple[Document, Sequence[Chunk]]:
        """Return a document and its passages. Raises NotFound."""

        def write(unit: KnowledgeUnit) -> tuple[Document, Sequence[Chunk]]:
            document = unit.collections.document(document_id)
            if document is None:
                raise NotFound("no such document")
            collection = self.access.find(unit, actor, document.collection_id, Permission.COLLECTION_READ)
            store = self.access.open(unit, actor, collection)
            links = unit.subjects.links_of("document", [document.id])
            subjects = tuple(SubjectRef(link.subject_id) for link in links)
            event = DocumentsListed(resource=ResourceRef("document", document.id), subjects=subjects, documents=1)
            unit.audit.record(actor, event)
            return dataclasses.replace(document, name=store.name(document.id)), store.chunks_of(document.id)

        return await self.work.run(write)

    async def delete_document(self, actor: Actor, document_id: str) -> None:
        """Delete a document with its passages, vectors, links and original. Raises NotFound."""

        def write(unit: KnowledgeUnit) -> tuple[str, str]:
            document = unit.collections.document(document_id)
            if document is None:
                raise NotFound("no such document")
            collection = self.access.find(unit, actor, document.collection_id, Permission.DOCUMENT_DELETE)
            store = self.access.open(unit, actor, collection)
            blob_id = store.blob_id(document.id)
            pieces = [piece.id for piece in store.chunks_of(document.id)]
            store.remove_document(document.id)
            unit.subjects.unlink(collection.id, [document.id, *pieces])
            unit.collections.remove_document(document.id)
            unit.audit.record(actor, DocumentDeleted(resource=ref_of(collection), document=document.id))
            return collection.id, blob_id

        collection_id, blob_id = await self.work.run(write)
        self.originals.remove(collection_id, blob_id)


def as_seen(collection: Collection, user_id: str, now: datetime) -> Collection | None:
    """Return a collection as this account may see it listed: its owner with all shares, others with their own alone and while it lasts."""
    if collection.owner_id == user_id:
        return collection
    own = collection.share_of(user_id)
    return dataclasses.replace(collection, shares=(own,)) if own is not None and own.live(now) else None


def _checked_name(name: str) -> str:
    text = " ".join(name.split())
    if not 0 < len(text) <= 100 or not text.isprintable():
        raise Invalid("a collection's name has 1 to 100 printable characters", code="bad_name")
    return text
