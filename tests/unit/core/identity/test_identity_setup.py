from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from identity_home import OTHER, PASSWORD, WRONG, People, identity_home
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.setup import LIFE
from pai.foundation.actor import OPERATOR, Actor, Role, Scope
from pai.foundation.errors import Denied, Invalid, NotFound, Throttled, Unauthenticated
from pai.foundation.redaction import Secret


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("setup")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


async def test_the_first_administrator_is_made_once_by_whoever_holds_the_link(tmp_path: Path) -> None:
    with identity_home(tmp_path) as parts:
        people = People(*parts)
        mistyped = await people.setup.link(OPERATOR, "onwer@pai.test")
        token = await people.setup.link(OPERATOR, "Owner@pai.test")
        with pytest.raises(Invalid) as weak:
            await people.setup.choose(token, Secret(b"password1234"))
        assert weak.value.code == "weak_password"
        code = await people.setup.choose(token, PASSWORD)
        assert code is not None
        actor = await people.sessions.authenticate((await people.log_in("owner@pai.test")).token)
        assert actor.role is Role.ADMINISTRATOR
        # Neither the used link nor one for another address makes a second administrator.
        with pytest.raises(Unauthenticated):
            await people.setup.choose(token, OTHER)
        with pytest.raises((NotFound, Unauthenticated)):
            await people.setup.choose(mistyped, OTHER)
        with pytest.raises(NotFound):
            await people.setup.link(OPERATOR, "second@pai.test")
        assert [user.email for user in await people.accounts.list(OPERATOR)] == ["owner@pai.test"]
        [made] = await people.events("identity:user:add")
        assert made.body["role"] == "administrator"


async def test_only_the_console_and_administrators_make_links(people: People) -> None:
    user = (await people.add("ada")).user
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    with pytest.raises(Denied):
        await people.setup.link(actor, user.email)


async def test_a_link_ends_by_time_by_use_by_a_newer_one_and_with_the_account(people: People) -> None:
    user = (await people.add("ada")).user

    async def refused(token: Secret) -> None:
        with pytest.raises(Unauthenticated) as error:
            await people.setup.choose(token, OTHER)
        assert error.value.code == "bad_setup_link"

    first = await people.setup.link(OPERATOR, user.email)
    second = await people.setup.link(OPERATOR, user.email)
    await refused(first)
    await people.setup.choose(second, OTHER)
    await refused(second)
    late = await people.setup.link(OPERATOR, user.email)
    people.clock.later(seconds=LIFE.total_seconds())
    await refused(late)
    gone = await people.setup.link(OPERATOR, user.email)
    await people.accounts.disable(OPERATOR, user.email)
    await refused(gone)
    with pytest.raises(NotFound):
        await people.setup.link(OPERATOR, user.email)
    await refused(Secret(b""))


async def test_a_chosen_password_ends_all_sessions(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    actor = await people.sessions.authenticate(begun.token)
    with people.sessions.liveness.watch(actor) as ended:
        await people.setup.choose(await people.setup.link(OPERATOR, user.email), OTHER)
        assert ended.is_set()
    with pytest.raises(Unauthenticated):
        await people.sessions.authenticate(begun.token)
    with pytest.raises(Unauthenticated):
        await people.log_in(user.email, PASSWORD)


async def test_a_reset_of_login_is_no_reset_of_content(people: People) -> None:
    added = await people.add("ada")
    user, secret = added.user, people.vault.new_data_key("collection:x", [added.user.public_key])
    await people.setup.choose(await people.setup.link(OPERATOR, user.email), OTHER)
    begun = await people.log_in(user.email, OTHER)
    actor = await people.sessions.authenticate(begun.token)
    assert actor.unlocked is None
    for code, password, kind in (
        (added.recovery_code, WRONG, Unauthenticated),
        (Secret(b"not a code"), OTHER, Invalid),
        ((await people.add("bea")).recovery_code, OTHER, Unauthenticated),
    ):
        with pytest.raises(kind):
            await people.setup.recover(actor, code, password)
        assert (await people.sessions.authenticate(begun.token)).unlocked is None
    refused = await people.events("identity:session:login-failed", user.id)
    assert [event.body["reason"] for event in refused] == ["wrong_recovery", "wrong_password"]

    await people.setup.recover(actor, added.recovery_code, OTHER)
    opened = await people.sessions.authenticate(begun.token)
    assert opened.unlocked is not None
    assert people.vault.open_data_key(opened.unlocked, "collection:x", secret.wraps[0]).reveal() == secret.key.reveal()
    again = await people.sessions.authenticate((await people.log_in(user.email, OTHER)).token)
    assert again.unlocked is not None
    with pytest.raises(Invalid) as not_locked:
        await people.setup.recover(opened, added.recovery_code, OTHER)
    assert not_locked.value.code == "not_locked"
    set_ = [event.body["content"] for event in await people.events("identity:password:set", user.id)]
    assert set_ == [True, False]


async def test_recovery_needs_a_session(people: People) -> None:
    added = await people.add("ada")
    actor = await people.sessions.authenticate((await people.log_in(added.user.email)).token)
    key = type(actor)(actor.id, actor.name, actor.kind, actor.role, key_id="key_x")
    with pytest.raises(Denied):
        await people.setup.recover(key, added.recovery_code, PASSWORD)


async def test_this_server_opens_the_first_administrators_content_with_a_new_password(tmp_path: Path) -> None:
    with identity_home(tmp_path) as parts:
        people = People(*parts)
        await people.setup.choose(await people.setup.link(OPERATOR, "owner@pai.test"), PASSWORD)
        await people.setup.choose(await people.setup.link(OPERATOR, "owner@pai.test"), OTHER)
        actor = await people.sessions.authenticate((await people.log_in("owner@pai.test", OTHER)).token)
        assert actor.unlocked is not None


async def test_a_flood_of_wrong_links_does_not_fill_the_log(people: People) -> None:
    before = len(await people.events("identity:session:login-failed"))
    for _ in range(100):
        with pytest.raises(Unauthenticated):
            await people.setup.choose(Secret(b"guess"), OTHER, address="192.0.2.9")
    found = await people.events("identity:session:login-failed")
    assert len(found) - before == 30
    assert found[0].body["address"] == "192.0.2.9"
    people.clock.later(minutes=1)
    with pytest.raises(Unauthenticated):
        await people.setup.choose(Secret(b"guess"), OTHER)
    assert (await people.events("identity:session:login-failed"))[0].body["unrecorded"] == 70


async def test_the_first_administrators_login_is_reset_at_the_console_only(people: People) -> None:
    """Its password opens its content through this server, so that no other administrator may choose one."""
    first = (await people.add("first", Role.ADMINISTRATOR)).user
    held = dataclasses.replace(first, first_administrator=True)
    await people.storage.run(lambda unit: unit.users.update(held))
    other = (await people.add("other", Role.ADMINISTRATOR)).user
    actor = await people.sessions.authenticate((await people.log_in(other.email)).token)
    with pytest.raises(Denied) as caught:
        await people.setup.link(actor, first.email)
    assert caught.value.code == "console_only"
    assert await people.setup.link(OPERATOR, first.email)


async def test_keys_end_with_a_reset_of_the_login(people: People) -> None:
    user = (await people.add("ada")).user
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    made = await people.keys.create(actor, owner=user.email, name="kept", scopes=frozenset({Scope.INFERENCE}))
    await people.setup.choose(await people.setup.link(OPERATOR, user.email), PASSWORD)
    held = await people.storage.read(lambda unit: unit.users.key(made.key.id))
    assert held is not None
    assert held.revoked_at is not None


async def test_recovery_is_no_oracle_for_the_password(people: People) -> None:
    added = await people.add("ada")
    await people.setup.choose(await people.setup.link(OPERATOR, added.user.email), OTHER)
    actor = await people.sessions.authenticate((await people.log_in(added.user.email, OTHER)).token)
    answers = []
    for n in range(12):
        with pytest.raises((Unauthenticated, Throttled)) as refused:
            await people.setup.recover(actor, added.recovery_code, Secret(b"guess number %d at it" % n))
        answers.append(type(refused.value))
    assert answers == [Unauthenticated] * 5 + [Throttled] * 7
    with pytest.raises(Throttled):  # the right one tells no more during a pause
        await people.setup.recover(actor, added.recovery_code, OTHER)
    people.clock.later(hours=1)
    await people.setup.recover(actor, added.recovery_code, OTHER)


async def test_a_reset_during_a_recovery_counts_and_the_writer_stays_free(people: People) -> None:
    added = await people.add("ada")
    await people.setup.choose(await people.setup.link(OPERATOR, added.user.email), OTHER)
    actor = await people.sessions.authenticate((await people.log_in(added.user.email, OTHER)).token)
    token = await people.setup.link(OPERATOR, added.user.email)
    before, inside, go_on = set(people.vault._open), threading.Event(), threading.Event()

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(people.vault, name)

        def wrap_for_password(self, *args: object) -> object:
            inside.set()
            assert go_on.wait(10)
            return people.vault.wrap_for_password(*args)  # type: ignore[arg-type]

    slow = replace(people.setup, accounts=replace(people.accounts, keystore=Slow()))  # type: ignore[arg-type]
    attempt = asyncio.create_task(slow.recover(actor, added.recovery_code, OTHER))
    assert await asyncio.to_thread(inside.wait, 10)
    # The one writer takes this while the recovery stretches.
    await asyncio.wait_for(people.setup.choose(token, PASSWORD), 5)
    go_on.set()
    with pytest.raises(Unauthenticated) as refused:
        await attempt
    assert refused.value.code == "wrong_password"
    assert set(people.vault._open) <= before
    with pytest.raises(Unauthenticated):
        await people.log_in(added.user.email, OTHER)
    assert (await people.log_in(added.user.email, PASSWORD)).user.id == added.user.id


async def administrator(people: People) -> tuple[Actor, str]:
    user = (await people.add("boss", Role.ADMINISTRATOR)).user
    return await people.sessions.authenticate((await people.log_in(user.email)).token), user.email


@pytest.mark.parametrize("end", ["disable", "role", "behind our back"])
async def test_what_an_administrator_handed_out_ends_with_their_right_to(people: People, end: str) -> None:
    boss, email = await administrator(people)
    ada = (await people.add("ada")).user
    await people.add("other", Role.ADMINISTRATOR)
    invited = await people.setup.invite(boss, f"new-{ada.id[-6:].lower()}@pai.test", Role.MEMBER)
    reset = await people.setup.link(boss, ada.email)
    if end == "disable":
        await people.others.disable(OPERATOR, email)
        await people.others.enable(OPERATOR, email)  # links do not live again either
    elif end == "role":
        await people.others.set_role(OPERATOR, email, Role.MEMBER)
    else:  # the row alone, as from a backup or another way in: the link is judged when it is used, too

        def demote(unit: IdentityUnit) -> None:
            user = unit.users.by_email(email)
            assert user is not None
            unit.users.update(replace(user, role=Role.AUDITOR))

        await people.storage.run(demote)
    for token in (invited, reset):
        with pytest.raises(Unauthenticated) as refused:
            await people.setup.choose(token, OTHER)
        assert refused.value.code == "bad_setup_link"


async def test_the_log_names_who_invited_whom(people: People) -> None:
    boss, _ = await administrator(people)
    for maker, told in ((boss, boss.id), (OPERATOR, "operator@console")):
        address = f"new-{told[-4:].lower()}@pai.test"
        await people.setup.choose(await people.setup.invite(maker, address, Role.MEMBER), OTHER)
        user = await people.storage.read(lambda unit, address=address: unit.users.by_email(address))
        [made] = await people.events("identity:user:add", user.id)
        assert (made.body["actor"]["id"], made.body["invited_by"]) == (user.id, told)
        await people.setup.choose(await people.setup.link(maker, address), PASSWORD)
        [chosen] = await people.events("identity:password:set", user.id)
        assert chosen.body["link_by"] == told
