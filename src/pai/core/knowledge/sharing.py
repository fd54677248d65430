"""Sharing a collection: given to a person to read or to write, for a time or until it is taken back, which works at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai.core.keys.values import KeyWrap
from pai.core.knowledge.access import Access, context_of, ref_of
from pai.core.knowledge.events import CollectionShared, CollectionUnshared, SharesListed
from pai.core.knowledge.ingest import OPEN_STATES
from pai.core.knowledge.ports import KnowledgeUnit
from pai.core.knowledge.values import Collection, JobState, Share, ShareAccess
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound
from pai.foundation.ids import new_id
from pai.foundation.time import to_text

ASK_AN_ADMINISTRATOR: Final = "ask an administrator whether they have an account"


@dataclass(frozen=True, slots=True)
class Given:
    """A share as its owner sees it."""

    user_id: str
    email: str
    access: ShareAccess
    expires_at: datetime | None
    ended: bool


@dataclass(frozen=True, slots=True)
class Sharing:
    """Use cases on shares. ``taken_back`` is told whose access shrank, once that is committed: it ends what streams to them."""

    work: Work[KnowledgeUnit]
    access: Access
    clock: Clock
    taken_back: Callable[[str], None]

    async def share(
        self,
        actor: Actor,
        name: str,
        email: str,
        access: ShareAccess = ShareAccess.READ,
        expires_at: datetime | None = None,
    ) -> Collection:
        """Give an account access, in place of what it had: the data key is wrapped for it.

        Raises NotFound, Denied, Invalid for an end that is past, Conflict for oneself. Who may not share the collection learns nothing of
        the address: they are refused before it is looked up.
        """
        address = email.strip().lower()

        def write(unit: KnowledgeUnit) -> tuple[Collection, str]:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_SHARE)
            now = self.clock.now()
            if expires_at is not None and expires_at <= now:
                raise Invalid("the share would have ended already", code="bad_expiry", hint="give a moment to come")
            context = context_of(collection.id)
            mine = unit.wraps.key_wrap(context, actor.id)
            if actor.unlocked is None or mine is None:
                raise Denied(
                    "this credential cannot open content", code="locked", hint="log in with what opens your content"
                )
            other = unit.users.by_email(address)
            if other is None or other.disabled_at is not None:
                raise NotFound(f"the collection cannot be shared with {email[:100]}", hint=ASK_AN_ADMINISTRATOR)
            if other.id == collection.owner_id:
                raise Conflict("the collection is yours already", code="own_collection", hint="name somebody else")
            if not other.clearance.covers(collection.label):
                raise Conflict(
                    f"{other.email} is not cleared for what is {collection.label.value}", code="clearance",
                    hint="ask an administrator whether it can be raised",
                )  # fmt: skip
            share = Share(other.id, access, expires_at)
            blob = self.access.keystore.share_data_key(actor.unlocked, context, mine.blob, other.public_key)
            unit.wraps.add_key_wrap(KeyWrap(new_id("wrp"), context, other.id, blob, now, expires_at))
            unit.collections.share(collection.id, share)
            if access is not ShareAccess.WRITE:
                self._stop_jobs(unit, collection.id, other.id)
            event = CollectionShared(
                resource=ref_of(collection),
                recipient=other.id,
                access=access.value,
                expires_at=to_text(expires_at) if expires_at else "",
            )
            unit.audit.record(actor, event)
            others = tuple(one for one in collection.shares if one.user_id != other.id)
            had = other.id if other.id in collection.shared_with else ""
            return dataclasses.replace(collection, shares=(*others, share)), had

        changed, had = await self.work.run(write)
        if had:  # what they had may have been more, or longer
            self.taken_back(had)
        return changed

    async def unshare(self, actor: Actor, name: str, who: str) -> Collection:
        """Take a share back from an account, by its id or address: the wrap of the key is gone when this returns, what streams to them
        ends, and what they had begun to add is stopped. Raises NotFound, Denied."""

        def write(unit: KnowledgeUnit) -> tuple[Collection, str]:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_SHARES)
            other_id = self._recipient(unit, collection, who.strip().lower())
            unit.wraps.remove_key_wraps(context_of(collection.id), other_id)
            unit.collections.unshare(collection.id, other_id)
            jobs = self._stop_jobs(unit, collection.id, other_id)
            unit.audit.record(actor, CollectionUnshared(resource=ref_of(collection), recipient=other_id, jobs=jobs))
            left = tuple(one for one in collection.shares if one.user_id != other_id)
            return dataclasses.replace(collection, shares=left), other_id

        changed, other_id = await self.work.run(write)
        self.taken_back(other_id)
        return changed

    async def shares(self, actor: Actor, name: str) -> Sequence[Given]:
        """Return with whom a collection is shared, by address; for its owner. Raises NotFound, Denied."""

        def look(unit: KnowledgeUnit) -> Sequence[Given]:
            collection = self.access.find(unit, actor, name, Permission.COLLECTION_SHARES)
            now = self.clock.now()
            found = [
                Given(one.user_id, user.email, one.access, one.expires_at, not one.live(now))
                for one in collection.shares
                if (user := unit.users.get(one.user_id)) is not None
            ]
            unit.audit.record(actor, SharesListed(resource=ref_of(collection), shares=len(found)))
            return sorted(found, key=lambda one: one.email)

        return await self.work.run(look)

    def _recipient(self, unit: KnowledgeUnit, collection: Collection, who: str) -> str:
        """Return the account among those it is shared with; of others nothing is said."""
        for one in collection.shares:
            user = unit.users.get(one.user_id)
            if who in {one.user_id, user.email if user is not None else one.user_id}:
                return one.user_id
        raise NotFound(f"the collection is not shared with {who[:100]}", hint="see `pai collection shares NAME`")

    def _stop_jobs(self, unit: KnowledgeUnit, collection_id: str, user_id: str) -> int:
        """Stop what an account has begun to add. Without its grant, a job cannot finish the file that it has in hand."""
        jobs = unit.collections.jobs(owner_id=user_id, collection_id=collection_id, states=OPEN_STATES)
        for job in jobs:
            unit.wraps.remove_key_wraps(context_of(collection_id), f"job:{job.id}")
            unit.collections.update_job(
                dataclasses.replace(
                    job, state=JobState.CANCELLED, error="the share was taken back", updated_at=self.clock.now()
                )
            )
        return len(jobs)
