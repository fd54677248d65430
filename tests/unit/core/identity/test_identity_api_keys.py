from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from identity_home import PASSWORD, People, identity_home
from pai.core.identity.key_text import new_key_text
from pai.core.identity.liveness import REMEMBERED, Liveness
from pai.core.identity.refusals import Refusals
from pai.core.keys.values import Factor
from pai.foundation.actor import OPERATOR, Actor, ActorKind, Role, Scope
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from storage_home import NOW

INFERENCE = frozenset({Scope.INFERENCE})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("keys")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


async def session(people: People) -> Actor:
    user = (await people.add("ada")).user
    return await people.sessions.authenticate((await people.log_in(user.email)).token)


async def test_a_key_is_its_owner_within_scopes_ceiling_and_time(people: People) -> None:
    owner = await session(people)
    made = await people.keys.create(
        owner, owner=owner.name, name="n", scopes=frozenset({Scope.KNOWLEDGE}), ceiling=Label.INTERNAL,
        expires_at=NOW + timedelta(days=1),
    )  # fmt: skip
    actor = await people.keys.authenticate(made.text)
    assert (actor.id, actor.scopes, actor.ceiling) == (owner.id, frozenset({Scope.KNOWLEDGE}), Label.INTERNAL)
    assert actor.unlocked is not None
    people.clock.later(days=1)
    with pytest.raises(Unauthenticated):
        await people.keys.authenticate(made.text)
    with pytest.raises(Invalid) as past:
        await people.keys.create(owner, owner=owner.name, name="n", scopes=INFERENCE, expires_at=people.clock.now())
    assert past.value.code == "bad_expiry"


async def test_a_key_makes_no_key_that_may_more(people: People) -> None:
    owner = await session(people)
    narrow = replace(owner, session_id=None, key_id="key_x", scopes=frozenset({Scope.ADMIN}), ceiling=Label.INTERNAL)
    with pytest.raises(Denied, match="scopes"):
        await people.keys.create(narrow, owner=owner.name, name="n", scopes=INFERENCE, ceiling=Label.INTERNAL)
    with pytest.raises(Denied, match="ceiling"):
        await people.keys.create(narrow, owner=owner.name, name="n", scopes=frozenset({Scope.ADMIN}))
    made = await people.keys.create(
        narrow, owner=owner.name, name="n", scopes=frozenset({Scope.ADMIN}), ceiling=Label.PUBLIC
    )
    assert made.key.ceiling is Label.PUBLIC


async def test_the_console_makes_no_key_to_a_members_content(people: People) -> None:
    owner = await session(people)
    with pytest.raises(Conflict) as refused:
        await people.keys.create(OPERATOR, owner=owner.name, name="n", scopes=frozenset({Scope.KNOWLEDGE}))
    assert refused.value.code == "owner_password_needed"
    made = await people.keys.create(OPERATOR, owner=owner.name, name="n", scopes=INFERENCE)
    assert (await people.keys.authenticate(made.text)).unlocked is None
    with_password = await people.keys.create(
        OPERATOR, owner=owner.name, name="n", scopes=frozenset({Scope.KNOWLEDGE}), password=PASSWORD
    )
    assert (await people.keys.authenticate(with_password.text)).unlocked is not None


async def test_a_revoked_key_ends_its_streams_and_stays_dead(people: People) -> None:
    owner, other = await session(people), await session(people)
    made = await people.keys.create(owner, owner=owner.name, name="n", scopes=INFERENCE)
    actor = await people.keys.authenticate(made.text)
    with pytest.raises(NotFound):
        await people.keys.revoke(other, made.key.id)
    with people.keys.liveness.watch(actor) as ended:
        await people.keys.revoke(owner, made.key.id)
        assert ended.is_set()
    with people.keys.liveness.watch(actor) as later:
        assert later.is_set()
    with pytest.raises(Unauthenticated):
        await people.keys.authenticate(made.text)


async def test_a_flood_of_wrong_keys_does_not_fill_the_log(people: People) -> None:
    guesses = ["nonsense", new_key_text(new_id("key")).text()]
    before = len(await people.events("identity:credential:refuse"))
    for n in range(200):
        with pytest.raises(Unauthenticated):
            await people.keys.authenticate(guesses[n % 2])
    found = await people.events("identity:credential:refuse")
    assert len(found) - before == 30
    assert {event.body["credential"] for event in found[:2]} == {"", guesses[1].split("_")[1].join(("key_", ""))}
    people.clock.later(minutes=1)
    with pytest.raises(Unauthenticated):
        await people.keys.authenticate("nonsense")
    assert (await people.events("identity:credential:refuse"))[0].body["unrecorded"] == 170


def test_refusals_are_counted_by_the_minute() -> None:
    refusals = Refusals(each_minute=2)
    assert [refusals.admit(NOW) for _ in range(5)] == [0, 0, None, None, None]
    assert refusals.admit(NOW + timedelta(seconds=59)) is None
    assert [refusals.admit(NOW + timedelta(seconds=60)) for _ in range(3)] == [4, 0, None]


def test_what_ended_is_remembered_within_bounds() -> None:
    liveness = Liveness()
    actor = Actor("usr_x", "x", ActorKind.PERSON, session_id="ses_first")
    liveness.end("ses_first")
    assert liveness.over(actor)
    for n in range(REMEMBERED):
        liveness.end(f"ses_{n}")
    assert len(liveness.ended) == REMEMBERED
    assert not liveness.over(actor)


@pytest.mark.parametrize("how", ["disable", "revoke"])
async def test_a_key_that_ends_while_it_is_being_opened_opens_nothing(people: People, how: str) -> None:
    owner = await session(people)
    made = await people.keys.create(owner, owner=owner.name, name="k", scopes=frozenset({Scope.KNOWLEDGE}))
    before, opened, go_on = set(people.vault._open), threading.Event(), threading.Event()

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(people.vault, name)

        def unlock_with_api_key(self, *args: object) -> str:
            handle = people.vault.unlock_with_api_key(*args)  # type: ignore[arg-type]
            opened.set()
            assert go_on.wait(10)
            return handle

    keys = replace(people.keys, keystore=Slow())  # type: ignore[arg-type]
    attempt = asyncio.create_task(keys.authenticate(made.text))
    assert await asyncio.to_thread(opened.wait, 10)
    if how == "disable":
        await replace(people.others, keys=keys).disable(OPERATOR, owner.name)
    else:
        await keys.revoke(owner, made.key.id)
    go_on.set()
    with pytest.raises(Unauthenticated):
        await attempt
    assert keys.opened == {}
    assert set(people.vault._open) <= before


async def test_an_idle_key_is_closed_without_another_request(people: People) -> None:
    owner = await session(people)
    made = await people.keys.create(owner, owner=owner.name, name="k", scopes=frozenset({Scope.KNOWLEDGE}))
    actor = await people.keys.authenticate(made.text)
    people.clock.later(minutes=15, seconds=1)
    with people.keys.liveness.watch(actor):
        people.keys.sweep()
        assert actor.unlocked in people.vault._open, "a stream runs with it"
    people.keys.sweep()
    assert actor.unlocked not in people.vault._open


async def test_a_browser_left_alone_makes_no_key(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    actor = await people.sessions.authenticate(begun.token)
    assert actor.fresh
    stale = replace(actor, fresh=False)
    with pytest.raises(Denied) as caught:
        await people.keys.create(stale, owner=user.email, name="carried away", scopes=frozenset({Scope.INFERENCE}))
    assert caught.value.code == "step_up"
    assert await people.keys.create(actor, owner=user.email, name="own", scopes=frozenset({Scope.INFERENCE}))


async def test_a_key_made_in_a_browser_ends_after_thirty_days_unless_told(people: People) -> None:
    owner = await session(people)
    made = await people.keys.create(owner, owner=owner.name, name="n", scopes=INFERENCE)
    assert made.key.expires_at == people.clock.now() + timedelta(days=30)
    console = await people.keys.create(OPERATOR, owner=owner.name, name="n", scopes=INFERENCE)
    assert console.key.expires_at is None


@pytest.mark.parametrize("noticed", ["by its use", "by the round that ends what is due"])
async def test_a_key_that_ended_by_time_does_not_live_again_when_the_clock_is_set_back(
    people: People, noticed: str
) -> None:
    owner = await session(people)
    made = await people.keys.create(
        owner, owner=owner.name, name="n", scopes=frozenset({Scope.KNOWLEDGE}), expires_at=NOW + timedelta(hours=1)
    )
    lasting = await people.keys.create(OPERATOR, owner=owner.name, name="n", scopes=INFERENCE)
    await people.keys.authenticate(made.text)
    await people.keys.expire()
    await people.keys.authenticate(made.text)
    people.clock.later(hours=1)
    if noticed == "by its use":
        with pytest.raises(Unauthenticated):
            await people.keys.authenticate(made.text)
    else:
        await people.keys.expire()
    people.clock.set_back(hours=1)
    for process in (people, People(people.storage, people.vault)):  # also after a restart
        with pytest.raises(Unauthenticated):
            await process.keys.authenticate(made.text)
        await process.keys.authenticate(lasting.text)
    assert await people.keys.behalf(made.key.id) is None
    wrap = await people.storage.read(lambda unit: unit.wraps.member_wrap(owner.id, Factor.API_KEY, made.key.id))
    assert wrap is None, "what it opened content with is gone"
    events = await people.events("identity:key:expire")
    assert [event.body["keys"] for event in events if made.key.id in event.body["keys"]] == [[made.key.id]]


async def test_what_streams_to_a_key_ends_when_its_owners_role_changes_and_the_key_lives_on(people: People) -> None:
    owner = await session(people)
    made = await people.keys.create(owner, owner=owner.name, name="n", scopes=INFERENCE)
    before = await people.keys.authenticate(made.text)
    with people.keys.liveness.watch(before) as ended:
        await people.others.set_role(OPERATOR, owner.name, Role.AUDITOR)
        assert ended.is_set()
    # A request that was let in before, and whose body came in slowly.
    assert people.keys.liveness.over(before)
    with people.keys.liveness.watch(before) as late:
        assert late.is_set()
    after = await people.keys.authenticate(made.text)
    assert after.role is Role.AUDITOR
    with people.keys.liveness.watch(after) as alive:
        assert not alive.is_set()
    assert not people.keys.liveness.over(after)


async def test_all_keys_of_an_account_end_at_once_and_nobody_elses(people: People) -> None:
    owner, other = await session(people), await session(people)
    mine = [await people.keys.create(owner, owner=owner.name, name="n", scopes=INFERENCE) for _ in range(3)]
    theirs = await people.keys.create(other, owner=other.name, name="n", scopes=INFERENCE)
    actor = await people.keys.authenticate(mine[0].text)
    with pytest.raises(Denied):
        await people.keys.revoke_all(other, owner.name)
    with people.keys.liveness.watch(actor) as ended:
        assert await people.keys.revoke_all(owner) == 3
        assert ended.is_set()
    for key in mine:
        with pytest.raises(Unauthenticated):
            await people.keys.authenticate(key.text)
    await people.keys.authenticate(theirs.text)
    assert await people.keys.revoke_all(OPERATOR, other.name) == 1
    with pytest.raises(Unauthenticated):
        await people.keys.authenticate(theirs.text)
    [event] = await people.events("identity:key:revoke", owner.id)
    assert event.body["keys"] == 3
