"""Passkeys as attackers meet them: replays, other sites, other accounts, copies, guesses at what opens the content."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from collections.abc import Iterator

import pytest

from identity_home import OTHER, PASSWORD, People, identity_home
from pai.adapters.identity.webauthn import WebAuthnPasskeys
from pai.core.identity.devices import Arrival
from pai.core.identity.login import SecondStep
from pai.core.identity.passkeys import Passkeys
from pai.core.identity.ports import Place
from pai.core.identity.requirement import Requirement
from pai.core.identity.sessions import NewSession
from pai.core.identity.values import User
from pai.core.keys.values import Factor
from pai.foundation.actor import OPERATOR, Actor, Role, Scope
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.redaction import Secret
from software_passkey import SoftwarePasskey, text

HERE = Place("localhost", "https://localhost:8443")
ARRIVAL = Arrival("127.0.0.1", "Firefox")
PRF = Secret(b"\x07" * 32)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("passkeys")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


@pytest.fixture
def passkeys(people: People) -> Passkeys:
    return Passkeys(people.sessions, people.factors, people.login, WebAuthnPasskeys())


async def member(people: People) -> tuple[User, Actor]:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    return user, await people.sessions.authenticate(begun.token)


async def enrolled(
    people: People, passkeys: Passkeys, prf: Secret | None = PRF, *, server_holds: bool = False
) -> tuple[User, Actor, SoftwarePasskey]:
    user, actor = await member(people)
    device = SoftwarePasskey(HERE.origin, HERE.name)
    options = await passkeys.begin_registration(actor, HERE)
    await passkeys.finish_registration(actor, HERE, "mine", device.make(options), prf, server_holds=server_holds)
    return user, actor, device


async def log_in(passkeys: Passkeys, device: SoftwarePasskey, prf: Secret | None = PRF) -> NewSession:
    options = await passkeys.begin_login(HERE, None)
    return await passkeys.finish_login(HERE, device.use(options), prf, None, ARRIVAL)


async def test_a_passkey_alone_is_a_session_with_the_content_open(people: People, passkeys: Passkeys) -> None:
    user, _, device = await enrolled(people, passkeys)
    begun = await log_in(passkeys, device)
    actor = await people.sessions.authenticate(begun.token)
    assert (actor.id, begun.session.methods, actor.fresh) == (user.id, ("passkey",), True)
    assert actor.unlocked is not None
    made = people.vault.new_data_key("collection:x", [user.public_key])
    assert people.vault.open_data_key(actor.unlocked, "collection:x", made.wraps[0]).reveal() == made.key.reveal()


@pytest.mark.parametrize("prf", [None, Secret(b"\x08" * 32), Secret(b"short")])
async def test_without_the_right_prf_the_content_stays_closed(
    people: People, passkeys: Passkeys, prf: Secret | None
) -> None:
    _, _, device = await enrolled(people, passkeys)
    actor = await people.sessions.authenticate((await log_in(passkeys, device, prf)).token)
    assert actor.unlocked is None
    with pytest.raises(Unauthenticated):
        await people.password.open_content(actor, Secret(b"not the password"))
    await people.password.open_content(actor, PASSWORD)
    again = people.sessions.opened[
        next(k for k, v in people.sessions.opened.items() if v.session_id == actor.session_id)
    ]
    assert again.handle is not None


async def test_this_server_holds_the_key_only_when_asked(people: People, passkeys: Passkeys) -> None:
    for asked in (False, True):
        user, actor, device = await enrolled(people, passkeys, None, server_holds=asked)
        assert (await people.factors.own(actor)).server_holds is asked
        assert (user.id in (await people.others.everyone(OPERATOR)).server_holds) is asked
        begun = await people.sessions.authenticate((await log_in(passkeys, device, None)).token)
        assert (begun.unlocked is not None) is asked
        if asked:
            [held] = (await people.factors.own(begun)).passkeys
            await passkeys.remove(begun, held.id)
            wrap = await people.storage.read(lambda unit, who=user.id: unit.wraps.member_wrap(who, Factor.CONSOLE))
            assert wrap is None, "what was given to the server for the passkey goes with it"


async def test_what_this_server_holds_opens_for_the_passkey_it_was_given_for_and_no_other(
    people: People, passkeys: Passkeys
) -> None:
    """Nor for one of the first administrator, whose key this server holds for the console."""
    user, actor, trusted = await enrolled(people, passkeys, None, server_holds=True)
    other = SoftwarePasskey(HERE.origin, HERE.name)
    options = await passkeys.begin_registration(actor, HERE)
    await passkeys.finish_registration(actor, HERE, "other", other.make(options), None)
    first = await people.storage.read(lambda unit: unit.users.get(user.id))
    for administrator in (False, True):
        row = dataclasses.replace(first, first_administrator=administrator)
        await people.storage.run(lambda unit, row=row: unit.users.update(row))
        opened = await people.sessions.authenticate((await log_in(passkeys, trusted, None)).token)
        closed = await people.sessions.authenticate((await log_in(passkeys, other, None)).token)
        assert opened.unlocked is not None
        assert closed.unlocked is None, administrator
    held = {one.name: one.id for one in (await people.factors.own(opened)).passkeys}
    await people.storage.run(lambda unit: unit.users.update(first))
    await passkeys.remove(opened, held["mine"])
    wrap = await people.storage.read(lambda unit: unit.wraps.member_wrap(user.id, Factor.CONSOLE))
    assert wrap is None, "no passkey is left that it was given for"


async def test_an_answer_is_good_once_and_for_what_it_was_asked(people: People, passkeys: Passkeys) -> None:
    _, actor, device = await enrolled(people, passkeys)
    options = await passkeys.begin_login(HERE, None)
    answer = device.use(options)
    await passkeys.finish_login(HERE, answer, PRF, None, ARRIVAL)
    with pytest.raises(Unauthenticated):
        await passkeys.finish_login(HERE, answer, PRF, None, ARRIVAL)
    for given in (
        await passkeys.begin_step_up(actor, HERE), await passkeys.begin_login(Place("localhost", "https://localhost:9"), None),
        {"challenge": text(b"A" * 32)},
    ):  # fmt: skip
        with pytest.raises(Unauthenticated):
            await passkeys.finish_login(HERE, device.use(given), PRF, None, ARRIVAL)
    late = device.use(await passkeys.begin_login(HERE, None))
    people.clock.later(minutes=5, seconds=1)
    with pytest.raises(Unauthenticated):
        await passkeys.finish_login(HERE, late, PRF, None, ARRIVAL)
    with pytest.raises(Unauthenticated):  # a log-in's answer is no step-up
        await passkeys.finish_step_up(actor, HERE, device.use(await passkeys.begin_login(HERE, None)))


@pytest.mark.parametrize(
    "lie",
    [
        "origin",
        "name",
        "unverified",
        "signature",
        "cross-origin",
        "user handle",
        "another key",
        "no response",
        "garbage",
        "deep",
    ],
)
async def test_a_lie_in_an_answer_is_refused(people: People, passkeys: Passkeys, lie: str) -> None:
    _, _, device = await enrolled(people, passkeys)
    other = SoftwarePasskey(HERE.origin, HERE.name, identity=device.identity, user=device.user)
    options = await passkeys.begin_login(HERE, None)
    if lie == "origin":
        device.origin = "https://localhost.evil.example:8443"
    elif lie == "name":
        device.name = "evil.example"
    elif lie == "unverified":
        device.verified = False
    elif lie == "user handle":
        device.user = b"usr_another"
    answer = device.use(options, **({"crossOrigin": True} if lie == "cross-origin" else {}))
    if lie == "signature":
        answer["response"]["signature"] = text(b"\x30\x06\x02\x01\x01\x02\x01\x01")
    elif lie == "another key":
        answer = other.use(options)
    elif lie == "no response":
        del answer["response"]
    elif lie == "garbage":
        answer["response"]["authenticatorData"] = "!!!"
    elif lie == "deep":
        answer["response"]["clientDataJSON"] = text(b"[" * 100_000)
    with pytest.raises(Unauthenticated) as refused:
        await passkeys.finish_login(HERE, answer, PRF, None, ARRIVAL)
    assert refused.value.code == "wrong_passkey"
    [event, *_] = await people.events("identity:session:login-failed")
    assert event.body["reason"] == "passkey"


async def test_a_copy_is_taken_out_of_use_and_nobody_without_the_key_can_cause_that(
    people: People, passkeys: Passkeys
) -> None:
    user, _, device = await enrolled(people, passkeys)
    twin = copy.copy(device)
    device.count = 10
    await log_in(passkeys, device)
    forger = SoftwarePasskey(HERE.origin, HERE.name, identity=device.identity, user=device.user)
    with pytest.raises(Unauthenticated):
        await log_in(passkeys, forger)
    await log_in(passkeys, device)  # a counter that stood too low in an unsigned answer did no harm
    with pytest.raises(Unauthenticated):
        await log_in(passkeys, twin)
    [event] = await people.events("identity:passkey:suspend", user.id)
    assert event.body["outcome"] == "refused"
    with pytest.raises(Unauthenticated):
        await log_in(passkeys, device)


async def test_whoever_copied_a_passkey_has_not_made_the_password_enough(people: People, passkeys: Passkeys) -> None:
    user, actor = await member(people)
    device = SoftwarePasskey(HERE.origin, HERE.name)
    added = await passkeys.finish_registration(
        actor, HERE, "mine", device.make(await passkeys.begin_registration(actor, HERE)), PRF
    )
    twin = copy.copy(device)
    device.count = 10
    await log_in(passkeys, device)
    with pytest.raises(Unauthenticated):
        await log_in(passkeys, twin)
    step = await people.login.with_password(user.email, PASSWORD, ARRIVAL)
    assert isinstance(step, SecondStep), "the password alone lets nobody in"
    options = await passkeys.begin_login(HERE, step.ticket)
    assert not options.get("allowCredentials"), "what is out of use is not asked for"
    for one in (device, twin):
        with pytest.raises(Unauthenticated):
            await passkeys.finish_login(
                HERE, one.use(await passkeys.begin_login(HERE, step.ticket)), PRF, step.ticket, ARRIVAL
            )
    with pytest.raises(Unauthenticated):  # nor is it a proof for what is dangerous
        await people.factors.step_up(actor, PASSWORD)
    begun = await people.login.with_code(step.ticket, added.backup_codes[0])
    assert begun.session.methods == ("password", "backup-code")
    # And an administrator's reset lets in whoever has no code left.
    await people.setup.choose(await people.setup.link(OPERATOR, user.email, clear_factors=True), OTHER)
    assert isinstance(await people.login.with_password(user.email, OTHER, ARRIVAL), NewSession)


async def test_an_administrator_whose_only_passkey_was_copied_sets_up_another_one(
    people: People, passkeys: Passkeys
) -> None:
    user, _, device = await enrolled(people, passkeys)
    twin = copy.copy(device)
    device.count = 10
    await log_in(passkeys, device)
    with pytest.raises(Unauthenticated):
        await log_in(passkeys, twin)
    chief = dataclasses.replace(user, role=Role.ADMINISTRATOR)
    assert await people.storage.read(lambda unit: Requirement(of_administrators=True).lacks(unit, chief))


async def test_a_synced_passkey_that_does_not_count_goes_on_working(people: People, passkeys: Passkeys) -> None:
    _, _, device = await enrolled(people, passkeys)
    for _ in range(3):
        options = await passkeys.begin_login(HERE, None)
        assert await passkeys.finish_login(HERE, device.use(options, grow=0), PRF, None, ARRIVAL)


async def test_one_answer_used_twice_at_once_gives_one_session(people: People, passkeys: Passkeys) -> None:
    _, _, device = await enrolled(people, passkeys)
    answer = device.use(await passkeys.begin_login(HERE, None))
    done = await asyncio.gather(
        *(passkeys.finish_login(HERE, answer, PRF, None, ARRIVAL) for _ in range(5)), return_exceptions=True
    )
    assert [type(one) for one in done].count(NewSession) == 1


async def test_as_second_step_it_is_the_passkey_of_the_same_account(people: People, passkeys: Passkeys) -> None:
    user, _, device = await enrolled(people, passkeys)
    _, _, strange = await enrolled(people, passkeys)
    step = await people.login.with_password(user.email, PASSWORD, ARRIVAL)
    assert isinstance(step, SecondStep)
    assert step.kinds == ("passkey",)
    with pytest.raises(Unauthenticated):
        options = await passkeys.begin_login(HERE, step.ticket)
        await passkeys.finish_login(HERE, strange.use(options), PRF, step.ticket, ARRIVAL)
    options = await passkeys.begin_login(HERE, step.ticket)
    assert [one["id"] for one in options["allowCredentials"]] == [text(device.identity)]
    begun = await passkeys.finish_login(HERE, device.use(options), None, step.ticket, ARRIVAL)
    assert begun.session.methods == ("password", "passkey")
    assert (await people.sessions.authenticate(begun.token)).unlocked is not None


async def test_nobody_adds_uses_or_removes_for_another_and_no_key_does(people: People, passkeys: Passkeys) -> None:
    user, actor, device = await enrolled(people, passkeys)
    _, stranger, _ = await enrolled(people, passkeys)
    [held] = (await people.factors.own(actor)).passkeys
    with pytest.raises(NotFound):
        await passkeys.remove(stranger, held.id)
    options = await passkeys.begin_registration(actor, HERE)
    mine = SoftwarePasskey(HERE.origin, HERE.name)
    with pytest.raises(Invalid):  # another session's options
        await passkeys.finish_registration(stranger, HERE, "x", mine.make(options), PRF)
    with pytest.raises(Conflict):  # a passkey belongs to one account
        await passkeys.finish_registration(
            stranger, HERE, "x", device.make(await passkeys.begin_registration(stranger, HERE)), PRF
        )
    with pytest.raises(Unauthenticated):  # a stranger's passkey is no proof of mine
        await passkeys.finish_step_up(stranger, HERE, device.use(await passkeys.begin_step_up(stranger, HERE)))
    made = await people.keys.create(OPERATOR, owner=user.email, name="k", scopes=frozenset({Scope.ADMIN}))
    key = await people.keys.authenticate(made.text)
    for act in (
        passkeys.begin_registration(key, HERE), passkeys.remove(key, held.id), passkeys.begin_step_up(key, HERE),
        passkeys.finish_step_up(key, HERE, {}),
    ):  # fmt: skip
        with pytest.raises(Denied):
            await act


async def test_a_disabled_account_is_not_let_in(people: People, passkeys: Passkeys) -> None:
    user, _, device = await enrolled(people, passkeys)
    await people.others.disable(OPERATOR, user.email)
    with pytest.raises(Unauthenticated):
        await log_in(passkeys, device)


async def test_a_reset_by_link_gives_nobody_the_key_that_this_server_holds(people: People, passkeys: Passkeys) -> None:
    """Else an administrator reads a member: resets the login, enrols a passkey of their own, and comes in with it."""
    user, _, _ = await enrolled(people, passkeys, None, server_holds=True)
    link = await people.setup.link(OPERATOR, user.email, clear_factors=True)
    await people.setup.choose(link, PASSWORD)
    thief = await people.sessions.authenticate((await people.log_in(user.email)).token)
    assert thief.unlocked is None
    device = SoftwarePasskey(HERE.origin, HERE.name)
    await passkeys.finish_registration(
        thief, HERE, "theirs", device.make(await passkeys.begin_registration(thief, HERE)), None
    )
    again = await people.sessions.authenticate((await log_in(passkeys, device, None)).token)
    assert again.id == user.id
    assert again.unlocked is None


async def test_strangers_make_nobodys_challenge_void(people: People, passkeys: Passkeys) -> None:
    user, actor, device = await enrolled(people, passkeys)
    step = await people.login.with_password(user.email, PASSWORD, ARRIVAL)
    assert isinstance(step, SecondStep)
    alone = await passkeys.begin_login(HERE, None, "192.0.2.7")
    second, proof = (
        await passkeys.begin_login(HERE, step.ticket, "192.0.2.7"),
        await passkeys.begin_step_up(actor, HERE),
    )
    new = await passkeys.begin_registration(actor, HERE)
    for n in range(2500):  # one host, which has a whole network of IPv6, and twenty others
        flood = f"2001:db8::{n:x}" if n % 2 else f"198.51.100.{n % 20}"
        await passkeys.begin_login(HERE, None, flood)
    assert len(passkeys.strangers.held) <= 2000
    assert sum(one.asker == "2001:db8::/64" for one in passkeys.strangers.held.values()) <= 200
    assert await passkeys.finish_login(HERE, device.use(alone), PRF, None, ARRIVAL)
    assert await passkeys.finish_login(HERE, device.use(second), None, step.ticket, ARRIVAL)
    await passkeys.finish_step_up(actor, HERE, device.use(proof))
    added = SoftwarePasskey(HERE.origin, HERE.name)
    assert await passkeys.finish_registration(actor, HERE, "another", added.make(new), PRF)


async def test_a_full_pool_takes_from_whoever_has_most(people: People, passkeys: Passkeys) -> None:
    _, _, device = await enrolled(people, passkeys)
    mine = await passkeys.begin_login(HERE, None, "192.0.2.7")
    for n in range(3000):
        await passkeys.begin_login(HERE, None, f"198.51.100.{n % 100}")
    assert len(passkeys.strangers.held) == 2000
    assert await passkeys.finish_login(HERE, device.use(mine), PRF, None, ARRIVAL)
