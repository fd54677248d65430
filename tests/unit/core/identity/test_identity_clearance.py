"""What people are cleared for, and ways to be cleared for more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from identity_home import People, SetClock, identity_home
from pai.core.approvals.approvals import Approvals
from pai.core.identity.values import User
from pai.core.policy.gate import Gate, NeedsApproval
from pai.core.policy.values import Act
from pai.foundation.actor import OPERATOR, Actor, Role, Scope
from pai.foundation.errors import Conflict, Denied
from pai.foundation.labels import Label


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with identity_home(tmp_path / "home") as parts:
        yield People(*parts, SetClock(), Gate(strict=True))


async def enter(people: People, name: str, role: Role = Role.MEMBER) -> Actor:
    user = (await people.add(name, role)).user
    return await people.sessions.authenticate((await people.log_in(user.email)).token)


async def clearance(people: People, actor: Actor) -> Label:
    found = await people.storage.read(lambda unit: unit.users.get(actor.id))
    assert isinstance(found, User)
    return found.clearance


async def test_it_binds_sessions_and_keys_whatever_their_ceiling(people: People) -> None:
    boss, ada = await enter(people, "boss", Role.ADMINISTRATOR), await enter(people, "ada")
    made = await people.keys.create(ada, owner=ada.name, name="k", scopes=frozenset({Scope.INFERENCE}))
    assert (await people.keys.authenticate(made.text)).ceiling is Label.RESTRICTED
    await people.others.set_clearance(boss, ada.name, Label.INTERNAL)
    key = await people.keys.authenticate(made.text)
    assert (key.ceiling, key.clearance) == (Label.INTERNAL, Label.INTERNAL)
    behalf = await people.keys.behalf(made.key.id)
    assert behalf is not None
    assert behalf.clearance is Label.INTERNAL
    session = await people.sessions.authenticate((await people.log_in(ada.name)).token)
    assert (session.ceiling, session.clearance) == (Label.INTERNAL, Label.INTERNAL)
    [event] = await people.events("identity:user:clearance", ada.id)
    assert (event.body["before"], event.body["clearance"]) == ("restricted", "internal")


async def test_a_request_that_was_let_in_before_is_over(people: People) -> None:
    boss, ada = await enter(people, "boss", Role.ADMINISTRATOR), await enter(people, "ada")
    liveness = people.sessions.liveness
    with liveness.stream(ada) as over:
        await people.others.set_clearance(boss, ada.name, Label.INTERNAL)
        await asyncio.wait_for(over.wait(), 1)
    assert liveness.over(ada)
    again = await people.sessions.authenticate((await people.log_in(ada.name)).token)
    assert not liveness.over(again)
    assert not liveness.over(boss)


async def test_raising_takes_a_second_person_and_lowering_nobody(people: People) -> None:
    boss, olga = await enter(people, "boss", Role.ADMINISTRATOR), await enter(people, "olga", Role.OFFICER)
    ada = await enter(people, "ada")
    await people.others.set_clearance(boss, ada.name, Label.PUBLIC)
    for actor in (boss, OPERATOR):
        with pytest.raises(NeedsApproval) as needed:
            await people.others.set_clearance(actor, ada.name, Label.CONFIDENTIAL)
        assert needed.value.act is Act.CLEARANCE
    assert await clearance(people, ada) is Label.PUBLIC

    async def carry(actor: Actor, told: dict) -> dict:
        return {"id": (await people.others.set_clearance(actor, told["email"], Label(told["clearance"]))).id}

    approvals = Approvals(people.storage, people.policy, people.clock, people.gate, {Act.CLEARANCE: carry})
    with pytest.raises(NeedsApproval) as needed:
        await people.others.set_clearance(boss, ada.name, Label.CONFIDENTIAL)
    request = await approvals.ask(boss, needed.value)
    with pytest.raises(Denied):
        await approvals.approve(boss, request.id, request.digest)
    await approvals.approve(olga, request.id, request.digest)
    await approvals.execute(boss, request.id)
    assert await clearance(people, ada) is Label.CONFIDENTIAL
    with pytest.raises(Conflict):
        await approvals.execute(boss, request.id)
    with pytest.raises(NeedsApproval):
        await people.others.set_clearance(boss, ada.name, Label.RESTRICTED)


async def test_nobody_clears_themselves(people: People) -> None:
    boss, ada = await enter(people, "boss", Role.ADMINISTRATOR), await enter(people, "ada")
    with pytest.raises(Conflict) as caught:
        await people.others.set_clearance(boss, boss.name, Label.PUBLIC)
    assert caught.value.code == "own_clearance"
    for name in (ada.name, boss.name):
        with pytest.raises(Denied):
            await people.others.set_clearance(ada, name, Label.RESTRICTED)
    stale = await people.keys.create(boss, owner=boss.name, name="k", scopes=frozenset(Scope))
    with pytest.raises(Denied):
        await people.others.set_clearance(await people.keys.authenticate(stale.text), ada.name, Label.INTERNAL)
