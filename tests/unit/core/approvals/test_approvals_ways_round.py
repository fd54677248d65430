"""Ways round the two-person rule, on real storage, keystore, policies and use cases; only the clock is ours.

One way cannot be closed by a program: that one person has two accounts cannot be known.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from identity_home import OTHER, People, SetClock, identity_home
from pai.adapters.cryptography.originals import SealedOriginals
from pai.adapters.storage import tables as t
from pai.adapters.system.clock import SystemClock
from pai.bootstrap.acts import carriers
from pai.core.approvals.approvals import MOST_OPEN, Approvals
from pai.core.approvals.ports import ApprovalsUnit
from pai.core.approvals.values import Request, State
from pai.core.identity.values import User
from pai.core.knowledge.access import Access
from pai.core.knowledge.collections import BULK, Collections
from pai.core.knowledge.values import Document
from pai.core.operations.handing_out import EXPORT_SPAN, HandingOut
from pai.core.operations.shredding import Shredding
from pai.core.policy.gate import Gate, NeedsApproval, digest_of
from pai.core.policy.values import Act, Rule
from pai.foundation.actor import OPERATOR, Actor, Role, Scope
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret

DAY = timedelta(hours=24)


class House:
    """An installation of a team: an administrator, an officer, a member; the rule is in force from the second of them on."""

    def __init__(self, root: Path, parts: tuple, *, strict: bool = True) -> None:
        self.clock = SetClock()
        self.gate = Gate(strict=strict)
        self.people = People(*parts, self.clock, self.gate)
        storage, policy = self.people.storage, self.people.policy
        originals = SealedOriginals(root)
        self.collections = Collections(storage, Access(parts[1], policy), originals, self.clock, self.gate)
        self.shredding = Shredding(storage, policy, self.gate)
        self.handing = HandingOut(storage, policy, self.clock, self.gate)
        acts = carriers(self.people.others, self.people.setup, self.collections, self.shredding)
        self.approvals = Approvals(storage, policy, self.clock, self.gate, acts)

    async def enter(self, email: str) -> Actor:
        """Log in, freshly proved."""
        return await self.people.sessions.authenticate((await self.people.log_in(email)).token)

    async def person(self, name: str, role: Role) -> Actor:
        """Somebody with this role, however they came by it."""
        user = (await self.people.add(name)).user
        await self.set(user.id, role=role)
        return await self.enter(user.email)

    async def set(self, user_id: str, **fields: Any) -> None:
        def write(unit: ApprovalsUnit) -> None:
            user = unit.users.get(user_id)
            assert user is not None
            unit.users.update(dataclasses.replace(user, **fields))

        await self.people.storage.run(write)

    async def asked(self, actor: Actor, act: Any) -> Request:
        """Do what takes a second person, and ask for it as the ways in do."""
        with pytest.raises(NeedsApproval) as needed:
            await act
        return await self.approvals.ask(actor, needed.value)

    async def user(self, user_id: str) -> User:
        found = await self.people.storage.read(lambda unit: unit.users.get(user_id))
        assert isinstance(found, User)
        return found

    async def state(self, request: Request) -> State:
        found = await self.people.storage.read(lambda unit: unit.approvals.get(request.id))
        return State(found.state)


@dataclasses.dataclass
class Cast:
    boss: Actor
    olga: Actor
    mia: Actor


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with identity_home(tmp_path / "home") as parts:
        yield House(tmp_path / "home", parts)


@pytest.fixture
async def cast(house: House) -> Cast:
    boss = (await house.people.add("boss", Role.ADMINISTRATOR)).user
    olga = (await house.people.add("olga", Role.OFFICER)).user
    mia = (await house.people.add("mia")).user
    return Cast(await house.enter(boss.email), await house.enter(olga.email), await house.enter(mia.email))


async def promotion(house: House, cast: Cast) -> Request:
    """The administrator would make the member an administrator."""
    return await house.asked(cast.boss, house.people.others.set_role(cast.boss, cast.mia.name, Role.ADMINISTRATOR))


async def refused(code: str, act: Any, kind: type[Exception] = Conflict) -> None:
    with pytest.raises(kind) as caught:
        await act
    assert caught.value.code == code  # type: ignore[attr-defined]


async def test_what_was_approved_is_done_once_and_by_whom_is_recorded(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    assert (await house.user(cast.mia.id)).role is Role.MEMBER
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))
    told = await house.approvals.approve(cast.olga, request.id, request.digest, "seen the contract")
    assert told.standing.ready
    _, done = await house.approvals.execute(cast.boss, request.id)
    assert done["role"] == "administrator"
    assert (await house.user(cast.mia.id)).role is Role.ADMINISTRATOR
    [event] = await house.people.events("approvals:request:execute")
    assert event.body["approvers"] == [cast.olga.id]
    assert event.body["digest"] == request.digest
    names = {event.name for event in await house.people.events("", request.id)}
    assert {"approvals:request:make", "approvals:request:vote", "approvals:request:execute"} <= names
    change = await house.people.events("identity:user:role")
    assert change[0].body["actor"]["id"] == cast.boss.id


async def test_1_nobody_approves_what_they_asked_for(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    with pytest.raises(Denied):
        await house.approvals.approve(cast.boss, request.id, request.digest)
    again = await house.enter(cast.boss.name)  # from another browser
    with pytest.raises(Denied):
        await house.approvals.approve(again, request.id, request.digest)
    made = await house.people.keys.create(
        cast.boss, owner=cast.boss.name, name="n", scopes=frozenset({Scope.ADMIN})
    )  # or by a program
    with pytest.raises(Denied):
        await house.approvals.approve(await house.people.keys.authenticate(made.text), request.id, request.digest)
    assert not (await house.approvals.show(cast.boss, request.id)).standing.approvers


async def test_2_a_vote_for_oneself_written_into_the_table_does_not_count(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)

    def forge(unit: Any) -> None:
        [vote] = unit.approvals.votes(request.id)
        unit.approvals.vote(dataclasses.replace(vote, person=cast.boss.id))

    await house.people.storage.run(forge)
    assert (await house.approvals.show(cast.boss, request.id)).standing.approvers == (cast.olga.id,)


async def test_3_other_parameters_than_were_asked_for(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    warrant = dataclasses.replace(cast.boss, warrant=request.digest)
    for email, role in ((cast.mia.name, Role.OFFICER), (cast.olga.name, Role.MEMBER)):
        with pytest.raises(NeedsApproval):
            await house.people.others.set_role(warrant, email, role)
    with pytest.raises(NeedsApproval):
        await house.people.setup.invite(warrant, "new@pai.test", Role.ADMINISTRATOR)


async def _rewrite(house: House, request: Request, **fields: Any) -> None:
    def write(unit: Any) -> None:
        unit.approvals._db.execute(
            sa.update(t.approval_requests).where(t.approval_requests.c.id == request.id).values(**fields)
        )

    await house.people.storage.run(write)


async def test_4_parameters_swapped_between_approval_and_execution(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    swapped = request.parameters.replace(cast.mia.name, "eve@pai.test")
    await _rewrite(house, request, parameters=swapped)
    await refused("changed", house.approvals.execute(cast.boss, request.id))
    # With the digest made to fit, it is not what the officer approved.
    other = digest_of(request.act, json.loads(swapped))
    await _rewrite(house, request, digest=other)
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))
    assert (await house.user(cast.mia.id)).role is Role.MEMBER


async def test_5_an_approval_is_of_what_was_looked_at(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    await refused("changed", house.approvals.approve(cast.olga, request.id, "0" * 64))


async def test_6_an_approval_is_used_up(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.approvals.execute(cast.boss, request.id)
    await refused("approval_closed", house.approvals.execute(cast.boss, request.id))
    await refused("approval_closed", house.approvals.approve(cast.olga, request.id, request.digest))
    await house.set(cast.mia.id, role=Role.MEMBER)
    again = await promotion(house, cast)
    assert again.id != request.id
    await refused("not_approved", house.approvals.execute(cast.boss, again.id))


async def test_7_an_approval_that_came_too_late_and_one_that_waited_too_long(house: House, cast: Cast) -> None:
    request, other = await promotion(house, cast), None
    await house.approvals.approve(cast.olga, request.id, request.digest)
    other = await house.asked(cast.boss, house.people.setup.invite(cast.boss, "new@pai.test", Role.AUDITOR))
    house.clock.later(hours=72)
    boss, olga = await house.enter(cast.boss.name), await house.enter(cast.olga.name)
    await refused("approval_closed", house.approvals.execute(boss, request.id))
    await refused("approval_closed", house.approvals.approve(olga, other.id, other.digest))
    # Seen to be over, it stays over when the clock is set back.
    house.clock.set_back(hours=72)
    await refused("approval_closed", house.approvals.execute(boss, request.id))
    assert await house.state(request) is State.EXPIRED


async def test_8_the_approver_loses_the_role_before_it_is_carried_out(house: House, cast: Cast) -> None:
    await house.person("otto", Role.OFFICER)
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.set(cast.olga.id, role=Role.MEMBER)
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))


async def test_9_the_approver_is_disabled_before_it_is_carried_out(house: House, cast: Cast) -> None:
    await house.person("otto", Role.OFFICER)
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.people.others.disable(cast.boss, cast.olga.name)
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))
    with pytest.raises(Unauthenticated):
        await house.people.log_in(cast.olga.name)


async def test_10_who_asked_has_lost_the_right_meanwhile(house: House, cast: Cast) -> None:
    otto = await house.person("otto", Role.ADMINISTRATOR)
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.set(cast.boss.id, role=Role.MEMBER)
    stale = cast.boss  # an actor of before; the next request has the new role
    boss = await house.enter(cast.boss.name)
    assert boss.role is Role.MEMBER
    with pytest.raises(Denied):
        await house.approvals.execute(boss, request.id)
    assert (await house.user(cast.mia.id)).role is Role.MEMBER
    # It was begun, and so is used up.
    assert await house.state(request) is State.FAILED
    await refused("approval_closed", house.approvals.execute(stale, request.id))
    assert otto.role is Role.ADMINISTRATOR


async def test_11_two_executions_at_once(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    done = await asyncio.gather(
        *(house.approvals.execute(cast.boss, request.id) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in done) == 1
    assert all(
        isinstance(one, Conflict) and one.code == "approval_closed" for one in done if isinstance(one, Exception)
    )
    assert len(await house.people.events("identity:user:role")) == 1


async def test_12_one_person_is_no_quorum_of_two(house: House, cast: Cast) -> None:
    otto = await house.person("otto", Role.OFFICER)

    await house.people.storage.run(lambda unit: unit.rules.set_rule(Rule(Act.ROLE, 2)))
    request = await promotion(house, cast)
    votes = (house.approvals.approve(cast.olga, request.id, request.digest) for _ in range(3))
    await asyncio.gather(*votes)
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))
    await house.approvals.approve(otto, request.id, request.digest)
    await house.approvals.execute(cast.boss, request.id)


async def test_13_a_loosened_rule_does_not_loosen_what_was_asked_before(house: House, cast: Cast) -> None:
    await house.person("otto", Role.OFFICER)
    await house.people.storage.run(lambda unit: unit.rules.set_rule(Rule(Act.ROLE, 2)))
    request = await promotion(house, cast)
    await house.people.storage.run(lambda unit: unit.rules.set_rule(Rule(Act.ROLE, 1, ("officer", "member"))))
    mia = await house.enter(cast.mia.name)
    with pytest.raises(NotFound):
        await house.approvals.approve(mia, request.id, request.digest)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))


async def test_14_a_refusal_ends_it_whatever_else_was_said(house: House, cast: Cast) -> None:
    otto = await house.person("otto", Role.OFFICER)
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.approvals.refuse(otto, request.id, "not now")
    await refused("approval_closed", house.approvals.execute(cast.boss, request.id))
    await refused("approval_closed", house.approvals.approve(cast.olga, request.id, request.digest))


async def test_15_who_may_not_decide_does_not(house: House, cast: Cast) -> None:
    auditor = await house.person("audit", Role.AUDITOR)
    guest = await house.person("guest", Role.GUEST)
    request = await promotion(house, cast)
    await refused("not_an_approver", house.approvals.approve(auditor, request.id, request.digest), Denied)
    for nobody in (cast.mia, guest):
        with pytest.raises(NotFound):
            await house.approvals.approve(nobody, request.id, request.digest)
        with pytest.raises(NotFound):
            await house.approvals.show(nobody, request.id)
        assert await house.approvals.list(nobody) == []
    with pytest.raises(Denied):
        await house.approvals.approve(OPERATOR, request.id, request.digest)


async def test_16_somebody_else_carries_it_out(house: House, cast: Cast) -> None:
    otto = await house.person("otto", Role.ADMINISTRATOR)
    request = await promotion(house, cast)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    for other in (cast.olga, otto, OPERATOR, cast.mia):
        with pytest.raises(NotFound):
            await house.approvals.execute(other, request.id)
        with pytest.raises(NotFound):
            await house.approvals.withdraw(other, request.id)


async def test_17_a_second_person_of_ones_own_making(house: House, cast: Cast) -> None:
    """By the console with a password, by an invitation, by another role, by letting a disabled account in again."""
    await refused("invite_instead", house.people.add("puppet", Role.OFFICER))
    dormant = await house.person("dormant", Role.OFFICER)
    await house.set(dormant.id, disabled_at=house.clock.now())
    for act in (
        house.people.setup.invite(cast.boss, "puppet@pai.test", Role.OFFICER),
        house.people.others.set_role(cast.boss, cast.mia.name, Role.OFFICER),
        house.people.others.enable(cast.boss, dormant.name),
        house.people.others.set_role(OPERATOR, cast.mia.name, Role.ADMINISTRATOR),
        house.people.setup.invite(OPERATOR, "puppet@pai.test", Role.ADMINISTRATOR),
    ):
        with pytest.raises(NeedsApproval):
            await act
    # What gives no power takes nobody.
    await house.people.setup.invite(cast.boss, "friend@pai.test", Role.MEMBER)
    await house.people.others.set_role(cast.boss, cast.mia.name, Role.GUEST)


async def test_18_coming_in_as_the_second_person(house: House, cast: Cast) -> None:
    for who in (cast.boss, OPERATOR):
        with pytest.raises(NeedsApproval):
            await house.people.setup.link(who, cast.olga.name, clear_factors=True)
    await house.people.setup.link(cast.boss, cast.mia.name)


async def test_19_a_key_that_somebody_else_made_for_the_second_person(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    admin = frozenset({Scope.ADMIN})
    theirs = await house.people.keys.create(OPERATOR, owner=cast.olga.name, name="n", scopes=admin)
    actor = await house.people.keys.authenticate(theirs.text)
    await refused("not_your_key", house.approvals.approve(actor, request.id, request.digest), Denied)
    await refused("not_your_key", house.approvals.refuse(actor, request.id), Denied)

    def lend(unit: Any) -> None:  # what it would make, if it could: its hand stays the console's
        unit.users.add_key(
            dataclasses.replace(
                theirs.key, id="key_lent", secret_hash=b"x", made_by=unit.users.key(actor.key_id).made_by
            )
        )

    await house.people.storage.run(lend)
    lent = dataclasses.replace(actor, key_id="key_lent")
    await refused("not_your_key", house.approvals.approve(lent, request.id, request.digest), Denied)
    own = await house.people.keys.create(cast.olga, owner=cast.olga.name, name="n", scopes=admin)
    await house.approvals.approve(await house.people.keys.authenticate(own.text), request.id, request.digest)


async def test_20_an_unwatched_browser_and_a_key_of_less_scope(house: House, cast: Cast) -> None:
    request = await promotion(house, cast)
    stale = dataclasses.replace(cast.olga, fresh=False)
    await refused("step_up", house.approvals.approve(stale, request.id, request.digest), Denied)
    narrow = await house.people.keys.create(
        cast.olga, owner=cast.olga.name, name="n", scopes=frozenset({Scope.AUDIT, Scope.INFERENCE})
    )
    with pytest.raises((Denied, NotFound)):
        await house.approvals.approve(await house.people.keys.authenticate(narrow.text), request.id, request.digest)


async def test_21_putting_the_others_out_of_the_way(house: House, cast: Cast) -> None:
    """Disabling somebody takes nobody, since it may be urgent. It opens nothing at once: a day passes, and the log shows it."""
    await house.people.others.disable(cast.boss, cast.olga.name)
    request = await promotion(house, cast)
    assert request.opens_at == house.clock.now() + DAY
    await refused("not_approved", house.approvals.execute(cast.boss, request.id))
    [asked] = await house.people.events("approvals:request:make")
    assert asked.body["alone"] is True
    house.clock.later(hours=23, minutes=59)
    boss = await house.enter(cast.boss.name)
    await refused("not_approved", house.approvals.execute(boss, request.id))
    house.clock.later(minutes=2)
    boss = await house.enter(cast.boss.name)
    await house.approvals.execute(boss, request.id)
    [event] = await house.people.events("approvals:request:execute")
    assert event.body["approvers"] == []


async def test_22_a_time_lock_is_worth_nothing_once_there_is_somebody(house: House, cast: Cast) -> None:
    await house.people.others.disable(cast.boss, cast.olga.name)
    request = await promotion(house, cast)
    otto = await house.person("otto", Role.OFFICER)
    house.clock.later(hours=25)
    boss = await house.enter(cast.boss.name)
    await refused("not_approved", house.approvals.execute(boss, request.id))
    await house.approvals.refuse(await house.enter(otto.name), request.id)


async def test_23_one_who_runs_the_machine_and_administers_is_one_person(house: House) -> None:
    """Whose word as an administrator makes no second person of whoever holds the console."""
    boss = (await house.people.add("boss", Role.ADMINISTRATOR)).user
    request = await house.asked(OPERATOR, house.approvals.change_rule(OPERATOR, Rule(Act.RULE, 0)))
    assert request.opens_at is not None
    actor = await house.enter(boss.email)
    await house.approvals.approve(actor, request.id, request.digest)
    await refused("not_approved", house.approvals.execute(OPERATOR, request.id))
    house.clock.later(hours=24)
    await house.approvals.execute(OPERATOR, request.id)


async def test_24_switching_the_rule_off(house: House, cast: Cast) -> None:
    for who in (cast.boss, OPERATOR):
        for rule in (
            Rule(Act.ROLE, 0),
            Rule(Act.RULE, 0),
            Rule(Act.SHRED, 1, ("member",)),
            Rule(Act.ROLE, 1, lock_hours=1),
        ):
            with pytest.raises(NeedsApproval):
                await house.approvals.change_rule(who, rule)
    with pytest.raises(Denied):
        await house.approvals.change_rule(cast.mia, Rule(Act.ROLE, 0))
    for bad in (
        Rule(Act.ROLE, 6),
        Rule(Act.ROLE, 1, ()),
        Rule(Act.ROLE, 1, ("guest",)),
        Rule(Act.ROLE, 1, lock_hours=0),
    ):
        with pytest.raises(Invalid):
            await house.approvals.change_rule(OPERATOR, bad)


async def test_25_a_rule_for_one_act_is_a_rule_for_those_that_lead_round_it(tmp_path: Path) -> None:
    """Where nothing takes a second person, the first rule puts all acts in force: who grants roles alone is two persons soon."""
    with identity_home(tmp_path) as parts:
        house = House(tmp_path, parts, strict=False)
        boss = (await house.people.add("boss", Role.ADMINISTRATOR)).user
        await house.people.add("olga", Role.OFFICER)
        mia = (await house.people.add("mia")).user
        actor = await house.enter(boss.email)
        await house.people.others.set_role(actor, mia.email, Role.AUDITOR)
        await house.approvals.change_rule(OPERATOR, Rule(Act.SHRED, 1))
        with pytest.raises(NeedsApproval):
            await house.people.others.set_role(actor, mia.email, Role.OFFICER)
        with pytest.raises(NeedsApproval):
            await house.approvals.change_rule(OPERATOR, Rule(Act.SHRED, 0))


async def _filled(house: House, owner: Actor, documents: int) -> str:
    made = await house.collections.create(owner, "letters", Label.CONFIDENTIAL, "general")

    def fill(unit: Any) -> None:
        for n in range(documents):
            unit.collections.add_document(_document(made.id, n))

    await house.people.storage.run(fill)
    return made.id


def _document(collection: str, n: int) -> Document:
    return Document(
        new_id("doc"),
        collection,
        f"{n:064x}",
        "text/plain",
        1,
        1,
        1,
        SystemClock().now(),
        Label.CONFIDENTIAL,
        "general",
    )


async def test_26_more_than_was_there_when_it_was_approved(house: House, cast: Cast) -> None:
    collection = await _filled(house, cast.mia, BULK)
    request = await house.asked(cast.mia, house.collections.delete(cast.mia, collection))
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.people.storage.run(lambda unit: unit.collections.add_document(_document(collection, BULK)))
    await refused("changed", house.approvals.execute(cast.mia, request.id))
    assert await house.people.storage.read(lambda unit: unit.collections.get(collection)) is not None
    again = await house.asked(cast.mia, house.collections.delete(cast.mia, collection))
    await house.approvals.approve(cast.olga, again.id, again.digest)
    await house.approvals.execute(cast.mia, again.id)
    assert await house.people.storage.read(lambda unit: unit.collections.get(collection)) is None


async def test_27_the_console_destroys_no_key_alone(house: House, cast: Cast) -> None:
    collection = await _filled(house, cast.mia, 1)
    request = await house.asked(OPERATOR, house.shredding.shred(OPERATOR, collection))
    await refused("not_approved", house.approvals.execute(OPERATOR, request.id))
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.approvals.execute(OPERATOR, request.id)
    assert await house.people.storage.read(lambda unit: unit.wraps.recipients(f"collection:{collection}")) == []


async def test_28_an_export_that_goes_on_for_ever_or_by_another_hand(house: House, cast: Cast) -> None:
    request = await house.asked(cast.boss, house.handing.begin(cast.boss))
    with pytest.raises(NeedsApproval):
        await house.handing.page(cast.boss, 0)
    await house.approvals.approve(cast.olga, request.id, request.digest)
    await house.approvals.execute(cast.boss, request.id)
    await house.handing.begin(cast.boss)
    assert await house.handing.page(cast.boss, 0, 3)
    for other in (cast.olga, OPERATOR):
        with pytest.raises(NeedsApproval):
            await house.handing.page(other, 0)
    house.clock.later(seconds=EXPORT_SPAN.total_seconds() + 1)
    with pytest.raises(NeedsApproval):
        await house.handing.page(cast.boss, 0)
    house.clock.set_back(hours=3)
    with pytest.raises(NeedsApproval):
        await house.handing.page(cast.boss, 0)


async def test_29_a_flood_in_which_one_request_hides(house: House, cast: Cast) -> None:
    first = await promotion(house, cast)
    assert (await promotion(house, cast)).id == first.id, "the same again is the same request"
    for n in range(MOST_OPEN - 1):
        await house.asked(cast.boss, house.people.setup.invite(cast.boss, f"n{n}@pai.test", Role.AUDITOR))
    await refused(
        "too_many_requests",
        house.asked(cast.boss, house.people.setup.invite(cast.boss, "one-more@pai.test", Role.AUDITOR)),
    )
    await house.approvals.withdraw(cast.boss, first.id)
    await house.asked(cast.boss, house.people.setup.invite(cast.boss, "one-more@pai.test", Role.AUDITOR))


async def test_30_asking_for_what_one_may_not_do(house: House, cast: Cast) -> None:
    """The gate stands behind the policy: a member gets no request to make an administrator, to be approved by mistake."""
    with pytest.raises(Denied):
        await house.people.others.set_role(cast.mia, cast.mia.name, Role.ADMINISTRATOR)
    with pytest.raises(Denied):
        await house.shredding.shred(cast.boss, "col_x")


async def test_31_an_account_whose_invitation_was_approved_is_what_was_approved(house: House, cast: Cast) -> None:
    request = await house.asked(cast.boss, house.people.setup.invite(cast.boss, "new@pai.test", Role.OFFICER))
    await house.approvals.approve(cast.olga, request.id, request.digest)
    _, told = await house.approvals.execute(cast.boss, request.id)
    await house.people.setup.choose(Secret(told["token"].encode()), OTHER)
    user = await house.people.storage.read(lambda unit: unit.users.by_email("new@pai.test"))
    assert user.role is Role.OFFICER


async def test_a_rule_names_who_decides_and_they_see_what_is_asked_of_them_alone(house: House, cast: Cast) -> None:
    await house.people.storage.run(lambda unit: unit.rules.set_rule(Rule(Act.ROLE, 1, ("data-scientist",))))
    dora = await house.person("dora", Role.DATA_SCIENTIST)
    other = await house.asked(cast.boss, house.people.setup.invite(cast.boss, "new@pai.test", Role.AUDITOR))
    request = await promotion(house, cast)
    await refused("not_an_approver", house.approvals.approve(cast.olga, request.id, request.digest), Denied)
    assert [one.request.id for one in await house.approvals.list(dora)] == [request.id]
    with pytest.raises(NotFound):
        await house.approvals.show(dora, other.id)
    await house.approvals.approve(dora, request.id, request.digest)
    await house.approvals.execute(cast.boss, request.id)


async def test_a_first_and_a_second_person_are_made_without_a_second(house: House) -> None:
    boss = (await house.people.add("boss", Role.ADMINISTRATOR)).user
    actor = await house.enter(boss.email)
    mia = (await house.people.add("mia")).user
    await house.people.others.set_role(actor, mia.email, Role.OFFICER)
    with pytest.raises(NeedsApproval):
        await house.people.others.set_role(actor, mia.email, Role.MEMBER)
