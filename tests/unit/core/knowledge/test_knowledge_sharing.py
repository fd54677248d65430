"""Shares, attacked: on real storage, keystore and policies; only the clock and the engine are ours."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from test_knowledge_answering import LineParser

from fakes.knowledge_memory import Disk
from fakes.receipts import RECEIPTS
from fakes.word_engines import OneEngine, WordEngine
from identity_home import People, SetClock, identity_home
from pai.adapters.cryptography.originals import SealedOriginals
from pai.core.identity.liveness import Liveness
from pai.core.keys.values import KeyWrap
from pai.core.knowledge.access import Access, context_of
from pai.core.knowledge.answering import Answering
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.ingest import Ingest, Upload
from pai.core.knowledge.sharing import ASK_AN_ADMINISTRATOR, Sharing
from pai.core.knowledge.values import Collection, JobState, Share, ShareAccess
from pai.core.ports.engine import Embeddings
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, PaiError
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.time import utc_now

TEXT = b"The blue cabinet is delivered on 14 March 2031. It goes to the harbour office."
QUESTION = "When is the blue cabinet delivered?"


class SlowEngine(WordEngine):
    """Once ``held``, it embeds the question, and what was found for it only when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.held, self.begun, self.go = False, asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        if self.held and texts != [QUESTION]:
            self.begun.set()
            await self.go.wait()
        return await super().embed(texts)


class House:
    def __init__(self, root: Path, parts: tuple) -> None:
        self.clock, self.cut = SetClock(utc_now()), []  # the keystore has a clock of its own
        self.people = People(*parts, self.clock)
        self.storage, originals = self.people.storage, SealedOriginals(root)
        access = Access(parts[1], self.people.policy)
        self.engine = SlowEngine()
        engines = OneEngine(self.engine)
        self.collections = Collections(self.storage, access, originals, self.clock)
        self.sharing = Sharing(self.storage, access, self.clock, self.cut.append)
        self.ingest = Ingest(self.storage, access, originals, LineParser(), engines, Disk(), self.clock)  # type: ignore[arg-type]
        self.answering = Answering(self.storage, access, engines, self.clock, RECEIPTS)  # type: ignore[arg-type]

    async def enter(self, name: str, role: Role = Role.MEMBER) -> Actor:
        user = (await self.people.add(name, role)).user
        return await self.people.sessions.authenticate((await self.people.log_in(user.email)).token)

    async def wrap(self, collection: Collection, actor: Actor) -> KeyWrap | None:
        return await self.storage.read(lambda unit: unit.wraps.key_wrap(context_of(collection.id), actor.id))

    async def refused(self, actor: Actor, collection: Collection, *, kind: type[PaiError] = NotFound) -> None:
        """Nothing of the collection opens for this actor, by no use case."""
        for act in (
            self.answering.ask(actor, collection.id, QUESTION),
            self.collections.documents(actor, collection.id),
            self.ingest.submit(actor, collection.id, [Upload("x.txt", [b"x"])]),
            self.sharing.share(actor, collection.id, actor.name),
            self.sharing.shares(actor, collection.id),
            self.sharing.unshare(actor, collection.id, collection.owner_id),
            self.collections.rename(actor, collection.id, "mine"),
            self.collections.delete(actor, collection.id),
        ):
            with pytest.raises(kind):
                await act
        assert collection.id not in [one.id for one in await self.collections.list(actor)]


@dataclasses.dataclass
class Cast:
    owner: Actor
    colleague: Actor
    stranger: Actor
    letters: Collection


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with identity_home(tmp_path / "home") as parts:
        yield House(tmp_path / "home", parts)


@pytest.fixture
async def cast(house: House) -> Cast:
    owner, colleague, stranger = [await house.enter(name) for name in ("owner", "colleague", "stranger")]
    letters = await house.collections.create(owner, "letters", Label.CONFIDENTIAL, "general")
    await house.ingest._work_off(await house.ingest.submit(owner, letters.id, [Upload("a.txt", [TEXT])]))
    return Cast(owner, colleague, stranger, letters)


async def test_shared_to_read_and_to_write(house: House, cast: Cast) -> None:
    await house.sharing.share(cast.owner, "letters", f" {cast.colleague.name.upper()} ")
    answer = await house.answering.ask(cast.colleague, "letters", QUESTION)
    assert not answer.abstained
    with pytest.raises(Denied):
        await house.ingest.submit(cast.colleague, "letters", [Upload("b.txt", [b"more"])])
    await house.sharing.share(cast.owner, "letters", cast.colleague.name, ShareAccess.WRITE)
    job = await house.ingest.submit(cast.colleague, "letters", [Upload("b.txt", [b"The lamp is green."])])
    await house.ingest._work_off(job)
    assert (await house.ingest.report(cast.colleague, job.id)).job.state is JobState.DONE
    document = next(one for one in await house.collections.documents(cast.owner, "letters") if one.name == "b.txt")
    await house.collections.delete_document(cast.colleague, document.id)
    for act in (
        house.sharing.share(cast.colleague, "letters", cast.stranger.name),
        house.sharing.shares(cast.colleague, "letters"),
        house.sharing.unshare(cast.colleague, "letters", cast.colleague.id),
        house.collections.rename(cast.colleague, "letters", "mine"),
        house.collections.delete(cast.colleague, "letters"),
    ):
        with pytest.raises(Denied):
            await act
    await house.refused(cast.stranger, cast.letters)


async def test_the_owner_sees_with_whom_and_the_log_says_it(house: House, cast: Cast) -> None:
    until = house.clock.now() + timedelta(days=1)
    await house.sharing.share(cast.owner, "letters", cast.stranger.name)
    await house.sharing.share(cast.owner, "letters", cast.colleague.name, ShareAccess.WRITE, until)
    told = [
        (one.email, one.access, one.expires_at, one.ended) for one in await house.sharing.shares(cast.owner, "letters")
    ]
    assert told == [
        (cast.colleague.name, ShareAccess.WRITE, until, False), (cast.stranger.name, ShareAccess.READ, None, False),
    ]  # fmt: skip
    listed = next(one for one in await house.collections.list(cast.colleague))
    assert listed.shared_with == {cast.colleague.id}, "whom else it is shared with is the owner's to know"
    await house.sharing.unshare(cast.owner, "letters", cast.colleague.name)
    for name in ("share", "shares", "unshare"):
        assert await house.people.events(f"knowledge:collection:{name}", cast.letters.id), name


async def test_an_expired_share_opens_nothing_at_the_next_request(house: House, cast: Cast) -> None:
    await house.sharing.share(
        cast.owner, "letters", cast.colleague.name, ShareAccess.WRITE, house.clock.now() + timedelta(minutes=10)
    )
    house.clock.later(minutes=9, seconds=59)
    colleague = await house.people.sessions.authenticate((await house.people.log_in(cast.colleague.name)).token)
    assert await house.answering.ask(colleague, "letters", QUESTION)
    house.clock.later(seconds=1)
    assert await house.wrap(cast.letters, colleague), "no sweep has been here: the decision alone refuses"
    await house.refused(colleague, cast.letters, kind=Denied)
    with pytest.raises(Denied) as caught:
        await house.answering.ask(colleague, cast.letters.id, QUESTION)
    assert caught.value.code == "share_ended"
    owner = await house.people.sessions.authenticate((await house.people.log_in(cast.owner.name)).token)
    assert (await house.sharing.shares(owner, "letters"))[0].ended
    await house.sharing.share(owner, "letters", colleague.name)
    assert await house.answering.ask(colleague, "letters", QUESTION)


async def test_a_share_that_would_have_ended_is_not_made(house: House, cast: Cast) -> None:
    with pytest.raises(Invalid):
        await house.sharing.share(cast.owner, "letters", cast.colleague.name, expires_at=house.clock.now())
    assert await house.wrap(cast.letters, cast.colleague) is None


async def test_what_is_taken_back_is_closed_also_with_the_old_wrap_kept(house: House, cast: Cast) -> None:
    await house.sharing.share(cast.owner, "letters", cast.colleague.name, ShareAccess.WRITE)
    kept = await house.wrap(cast.letters, cast.colleague)
    assert kept is not None
    await house.sharing.unshare(cast.owner, "letters", cast.colleague.id)
    assert await house.wrap(cast.letters, cast.colleague) is None
    assert house.cut == [cast.colleague.id]
    await house.refused(cast.colleague, cast.letters)
    await house.storage.run(lambda unit: unit.wraps.add_key_wrap(kept))  # an old row is put back
    await house.refused(cast.colleague, cast.letters)
    # The other half alone is worth nothing either: a row without a wrap opens no key.
    await house.sharing.share(cast.owner, "letters", cast.colleague.name)
    await house.storage.run(lambda unit: unit.wraps.remove_key_wraps(context_of(cast.letters.id), cast.colleague.id))
    with pytest.raises(Denied):
        await house.answering.ask(cast.colleague, "letters", QUESTION)


async def test_a_wrap_of_one_collection_or_member_does_not_open_another(house: House, cast: Cast) -> None:
    other = await house.collections.create(cast.owner, "salaries", Label.CONFIDENTIAL, "general")
    await house.sharing.share(cast.owner, "letters", cast.colleague.name)
    await house.sharing.share(cast.owner, "salaries", cast.stranger.name)
    wrap = await house.wrap(cast.letters, cast.colleague)
    assert wrap is not None
    # With hands in the database: the share of one collection, with the wrap of another; and somebody else's wrap.
    swapped = dataclasses.replace(wrap, id=new_id("wrp"), resource=context_of(other.id))
    stolen = dataclasses.replace(wrap, id=new_id("wrp"), recipient=cast.stranger.id)

    def forge(unit) -> None:  # type: ignore[no-untyped-def]
        unit.collections.share(other.id, Share(cast.colleague.id))
        unit.collections.share(cast.letters.id, Share(cast.stranger.id))
        unit.wraps.add_key_wrap(swapped)
        unit.wraps.add_key_wrap(stolen)

    await house.storage.run(forge)
    for actor, collection in ((cast.colleague, other), (cast.stranger, cast.letters)):
        with pytest.raises(PaiError):
            await house.collections.documents(actor, collection.id)


async def test_an_answer_that_was_begun_before_is_not_given_after(house: House, cast: Cast) -> None:
    await house.sharing.share(cast.owner, "letters", cast.colleague.name)
    house.engine.held = True
    asking = asyncio.create_task(house.answering.ask(cast.colleague, "letters", QUESTION))
    await asyncio.wait_for(house.engine.begun.wait(), 20)
    await house.sharing.unshare(cast.owner, "letters", cast.colleague.name)
    house.engine.go.set()
    with pytest.raises(NotFound):
        await asking
    assert await house.people.events("knowledge:collection:ask", cast.letters.id)
    assert not await house.people.events("knowledge:collection:answer", cast.letters.id)


async def test_what_a_writer_had_begun_to_add_stops(house: House, cast: Cast) -> None:
    await house.sharing.share(cast.owner, "letters", cast.colleague.name, ShareAccess.WRITE)
    job = await house.ingest.submit(cast.colleague, "letters", [Upload("b.txt", [b"The lamp is green."])])
    await house.sharing.share(cast.owner, "letters", cast.colleague.name)  # to read only, from now on
    await house.ingest._work_off(job)
    assert [one.name for one in await house.collections.documents(cast.owner, "letters")] == ["a.txt"]
    assert (await house.storage.read(lambda unit: unit.collections.job(job.id))).state is JobState.CANCELLED


async def test_addresses_are_told_to_nobody_who_may_not_share(house: House, cast: Cast) -> None:
    told = []
    for email in (cast.colleague.name, "nobody@pai.test"):
        with pytest.raises(NotFound) as caught:
            await house.sharing.share(cast.stranger, cast.letters.id, email)
        told.append((caught.value.message, caught.value.hint))
    assert told[0] == told[1]
    gone = await house.enter("gone")
    await house.storage.run(
        lambda unit: unit.users.update(dataclasses.replace(unit.users.get(gone.id), disabled_at=house.clock.now()))
    )
    for email in ("nobody@pai.test", gone.name):
        with pytest.raises(NotFound) as caught:
            await house.sharing.share(cast.owner, "letters", email)
        assert caught.value.message == f"the collection cannot be shared with {email}"
        assert caught.value.hint == ASK_AN_ADMINISTRATOR
    for who in (cast.stranger.name, cast.stranger.id, "nobody@pai.test"):
        with pytest.raises(NotFound, match="is not shared with"):
            await house.sharing.unshare(cast.owner, "letters", who)
    with pytest.raises(Conflict):
        await house.sharing.share(cast.owner, "letters", cast.owner.name)


async def test_streams_of_who_lost_something_are_told_and_no_others(cast: Cast) -> None:
    liveness = Liveness()
    with (
        liveness.stream(cast.colleague) as ends,
        liveness.stream(cast.owner) as goes_on,
        liveness.watch(cast.colleague) as lives,
    ):
        liveness.taken_back(cast.colleague.id)
        assert (ends.is_set(), goes_on.is_set(), lives.is_set()) == (True, False, False)
        assert not liveness.over(cast.colleague), "the session lives on"
    assert not liveness.streams


async def test_clearance_is_judged_against_the_label(house: House, cast: Cast) -> None:
    await house.sharing.share(cast.owner, "letters", cast.colleague.name)
    boss = await house.enter("boss", Role.ADMINISTRATOR)
    await house.people.others.set_clearance(boss, cast.colleague.name, Label.INTERNAL)
    low = await house.people.sessions.authenticate((await house.people.log_in(cast.colleague.name)).token)
    with pytest.raises(Denied, match="cleared for"):
        await house.answering.ask(low, "letters", QUESTION)
    with pytest.raises(Denied):
        await house.collections.documents(low, "letters")
    assert await house.collections.list(low) == []
    with pytest.raises(Conflict) as caught:
        await house.sharing.share(cast.owner, "letters", cast.colleague.name)
    assert caught.value.code == "clearance"
    with pytest.raises(Denied):
        await house.collections.create(low, "mine", Label.CONFIDENTIAL, "general")
