"""Second factors as attackers meet them: replays, races, guesses across log-ins, other people's codes, stolen tickets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import threading
from collections.abc import Iterator

import pytest

from identity_home import PASSWORD, WRONG, People, identity_home
from pai.core.identity import login as login_module
from pai.core.identity.devices import Arrival
from pai.core.identity.login import SecondStep
from pai.core.identity.own_password import OwnPassword
from pai.core.identity.requirement import Requirement
from pai.core.identity.sessions import NewSession, Sessions
from pai.core.identity.totp import code_at, step_of
from pai.core.identity.values import User
from pai.foundation.actor import OPERATOR, Actor, Role, Scope
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, PaiError, Throttled, Unauthenticated
from pai.foundation.redaction import Secret

HERE = Arrival("127.0.0.1", "Firefox")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("factors")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


class Phone:
    """An authenticator app."""

    def __init__(self, people: People, text: str) -> None:
        self.people, self.secret = people, Secret(base64.b32decode(text.replace(" ", "")))

    def code(self, steps: int = 0) -> str:
        return code_at(self.secret, step_of(self.people.clock.now()) + steps)

    def next(self) -> str:
        self.people.clock.later(seconds=30)
        return self.code()


async def enrolled(people: People, role: Role = Role.MEMBER) -> tuple[User, Actor, Phone, tuple[str, ...]]:
    user = (await people.add("ada", role)).user
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    phone = Phone(people, (await people.factors.begin_totp(actor)).text)
    codes = await people.factors.confirm_totp(actor, phone.code())
    return user, actor, phone, codes


async def first_step(people: People, user: User) -> SecondStep:
    step = await people.login.with_password(user.email, PASSWORD, HERE)
    assert isinstance(step, SecondStep)
    return step


async def test_two_steps_make_a_session_with_the_content_open(people: People) -> None:
    user, _, phone, codes = await enrolled(people)
    assert len(set(codes)) == 10
    step = await first_step(people, user)
    assert step.kinds == ("totp",)
    begun = await people.login.with_code(step.ticket, phone.next())
    actor = await people.sessions.authenticate(begun.token)
    assert actor.unlocked is not None
    assert actor.fresh
    assert begun.session.methods == ("password", "totp")
    [event, *_] = await people.events("identity:session:login", user.id)
    assert event.body["methods"] == ["password", "totp"]


async def test_the_password_alone_opens_nothing(people: People, shared: tuple) -> None:
    user, _, phone, _ = await enrolled(people)
    step = await first_step(people, user)
    with pytest.raises(Unauthenticated):
        await people.sessions.authenticate(step.ticket)  # the ticket is no session
    before = len(people.vault._open)
    people.clock.later(minutes=5, seconds=1)
    with pytest.raises(Unauthenticated) as late:
        await people.login.with_code(step.ticket, phone.code())
    assert late.value.code == "login_expired"
    assert len(people.vault._open) == before - 1, "the content key that the first step opened is closed again"
    for ticket in (Secret(b"A" * 43), step.ticket):
        with pytest.raises(Unauthenticated):
            await people.login.with_code(ticket, phone.code())
    other = People(*shared, people.clock)  # a restart
    with pytest.raises(Unauthenticated):
        await other.login.with_code((await first_step(people, user)).ticket, phone.code())


async def test_a_code_is_good_once_in_log_in_and_step_up_together(people: People) -> None:
    user, _, phone, _ = await enrolled(people)
    code = phone.next()
    begun = await people.login.with_code((await first_step(people, user)).ticket, code)
    actor = await people.sessions.authenticate(begun.token)
    with pytest.raises(Unauthenticated) as replayed:
        await people.login.with_code((await first_step(people, user)).ticket, code)
    assert replayed.value.code == "wrong_code"
    with pytest.raises(Unauthenticated):
        await people.factors.step_up(actor, Secret(code.encode()))
    with pytest.raises(Unauthenticated):  # and none that is older
        await people.login.with_code((await first_step(people, user)).ticket, phone.code(-1))
    await people.factors.step_up(actor, Secret(phone.next().encode()))


async def test_the_code_that_confirmed_the_app_does_not_log_in(people: People) -> None:
    user, _, phone, _ = await enrolled(people)
    with pytest.raises(Unauthenticated):
        await people.login.with_code((await first_step(people, user)).ticket, phone.code())


async def test_of_two_uses_at_once_one_wins(people: People) -> None:
    user, _, phone, codes = await enrolled(people)
    for code in (phone.next(), codes[0]):
        tickets = [(await first_step(people, user)).ticket for _ in range(4)]
        done = await asyncio.gather(
            *(people.login.with_code(ticket, code) for ticket in tickets), return_exceptions=True
        )
        assert [type(one) for one in done].count(NewSession) == 1, done
        people.clock.later(hours=25)
    ticket = (await first_step(people, user)).ticket
    done = await asyncio.gather(
        people.login.with_code(ticket, codes[1]), people.login.with_code(ticket, codes[2]), return_exceptions=True
    )
    assert [type(one) for one in done].count(NewSession) == 1, "one ticket makes one session"


async def test_backup_codes_work_once_each_and_for_their_owner_only(people: People) -> None:
    user, _, _, codes = await enrolled(people)
    other, _, _, theirs = await enrolled(people)
    typed = codes[3].upper().replace("-", " ")
    begun = await people.login.with_code((await first_step(people, user)).ticket, typed)
    assert begun.session.methods == ("password", "backup-code")
    for wrong in (codes[3], theirs[0], "", "0000-0000-0000-0000"):
        with pytest.raises(Unauthenticated):
            await people.login.with_code((await first_step(people, user)).ticket, wrong)
    assert (await people.factors.own(await people.sessions.authenticate(begun.token))).backup_codes == 9
    assert await people.login.with_code((await first_step(people, other)).ticket, theirs[0])


async def test_new_backup_codes_void_the_old_ones(people: People) -> None:
    user, actor, _, codes = await enrolled(people)
    fresh = await people.factors.renew_backup_codes(actor)
    assert not set(fresh) & set(codes)
    with pytest.raises(Unauthenticated):
        await people.login.with_code((await first_step(people, user)).ticket, codes[0])
    assert await people.login.with_code((await first_step(people, user)).ticket, fresh[0])


async def test_neither_secret_nor_codes_lie_in_any_file(people: People, shared: tuple) -> None:
    _, _, phone, codes = await enrolled(people)
    held = await people.storage.read(lambda unit: list(unit.factors.backup_codes(_user_of(unit))))
    assert len(held) == 10
    secrets = [phone.secret.reveal(), base64.b32encode(phone.secret.reveal()), *(c.encode() for c in codes)]
    files = [path for path in shared[0].home.rglob("*") if path.is_file()]
    assert files
    assert not [(path, one) for path in files for one in secrets if one in path.read_bytes()]
    rows = await people.storage.read(lambda unit: unit.factors.totp(_user_of(unit)))
    assert rows is not None
    assert phone.secret.reveal() not in rows.sealed, "sealed also inside the encrypted database"


def _user_of(unit: object) -> str:
    return unit.users.list()[-1].id  # type: ignore[attr-defined, no-any-return]


async def test_a_sealed_secret_moved_to_another_account_opens_nothing(people: People) -> None:
    """Who can write the database gives their own app to somebody else's account: its seal names the account."""
    user, _, phone, _ = await enrolled(people)
    victim, _, _, _ = await enrolled(people)
    mine = await people.storage.read(lambda unit: unit.factors.totp(user.id))
    theirs = await people.storage.read(lambda unit: unit.factors.totp(victim.id))
    assert mine is not None
    assert theirs is not None
    moved = dataclasses.replace(theirs, sealed=mine.sealed, last_step=0)
    await people.storage.run(lambda unit: unit.factors.set_totp(moved))
    with pytest.raises(PaiError) as refused:
        await people.login.with_code((await first_step(people, victim)).ticket, phone.next())
    assert refused.value.code == "corrupt"


async def test_guesses_count_over_all_log_ins_of_an_account(people: People) -> None:
    user, _, phone, _ = await enrolled(people)
    tried = 0
    with pytest.raises(Throttled) as slowed:
        while tried < 50:
            tried += 1
            address = Arrival(f"192.0.2.{tried}", "x")
            step = await people.login.with_password(user.email, PASSWORD, address)
            assert isinstance(step, SecondStep)
            with pytest.raises(Unauthenticated):
                await people.login.with_code(step.ticket, f"{tried:06d}")
    assert tried == 6
    assert slowed.value.retry_after >= 1
    with pytest.raises(Throttled):  # not even the right one
        await people.login.with_code((await first_step(people, user)).ticket, phone.code(1))
    for _ in range(12):  # pauses grow, and a quiet hour does not wipe the count out
        people.clock.later(hours=1)
        assert await people.factors.check(user.id, "000000") is None
    with pytest.raises(Throttled) as long:
        await people.factors.check(user.id, "000000")
    assert long.value.retry_after > 600
    people.clock.later(minutes=15, seconds=1)
    assert await people.factors.check(user.id, phone.code()) == "totp", "nobody is locked out for good"


async def test_who_knows_the_password_keeps_its_owner_from_nothing(people: People) -> None:
    user, actor, phone, codes = await enrolled(people)
    for number in range(6):
        with contextlib.suppress(Unauthenticated, Throttled):
            await people.login.with_code((await first_step(people, user)).ticket, f"{number:06d}")
    with pytest.raises(Throttled):
        await people.factors.check(user.id, "000000")
    await people.factors.step_up(actor, Secret(phone.code(1).encode()))
    await OwnPassword(people.sessions).change(actor, PASSWORD, Secret(b"another long password"))
    await OwnPassword(people.sessions).change(actor, Secret(b"another long password"), PASSWORD)
    with pytest.raises(Throttled):  # ... and none of these wiped the count of wrong codes out
        await people.factors.check(user.id, "000000")
    step = await people.login.with_password(user.email, PASSWORD, Arrival("192.0.2.9", "Firefox"))
    assert isinstance(step, SecondStep)
    begun = await people.login.with_code(step.ticket, codes[0])
    assert (await people.sessions.authenticate(begun.token)).fresh


async def test_a_right_password_does_not_forgive_wrong_codes_in_a_session(people: People) -> None:
    _, actor, phone, _ = await enrolled(people)
    own, tried = OwnPassword(people.sessions), 0
    with pytest.raises(Throttled):
        while tried < 50:
            tried += 1
            await own.open_content(actor, PASSWORD)
            with pytest.raises(Unauthenticated):
                await people.factors.step_up(actor, Secret(f"{tried:06d}".encode()))
    assert tried == 6
    with pytest.raises(Throttled):
        await people.factors.step_up(actor, Secret(phone.code(1).encode()))


async def test_parallel_guesses_are_all_counted(people: People) -> None:
    user, _, _, _ = await enrolled(people)
    done = await asyncio.gather(*(people.factors.check(user.id, f"{n:06d}") for n in range(40)), return_exceptions=True)
    assert len([one for one in done if one is None]) <= 5
    assert all(one is None or isinstance(one, Throttled) for one in done)


async def test_an_app_is_in_force_only_with_its_first_code_and_in_time(people: People) -> None:
    user = (await people.add("ada")).user
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    phone = Phone(people, (await people.factors.begin_totp(actor)).text)
    with pytest.raises(Invalid):
        await people.factors.confirm_totp(actor, "000000")
    assert isinstance(await people.login.with_password(user.email, PASSWORD, HERE), NewSession)
    older = phone
    phone = Phone(people, (await people.factors.begin_totp(actor)).text)
    with pytest.raises(Invalid):
        await people.factors.confirm_totp(actor, older.code())
    people.clock.later(minutes=4)
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    people.clock.later(minutes=6, seconds=1)
    people.sessions.proved(actor)
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    with pytest.raises(Invalid):
        await people.factors.confirm_totp(actor, phone.code())


async def test_a_new_app_replaces_the_old_and_ends_other_sessions(people: People) -> None:
    user, actor, old, _ = await enrolled(people)
    other = await people.login.with_code((await first_step(people, user)).ticket, old.next())
    new = Phone(people, (await people.factors.begin_totp(actor)).text)
    assert await people.factors.confirm_totp(actor, new.code()) == (), "backup codes that are left stay good"
    with pytest.raises(Unauthenticated):
        await people.sessions.authenticate(other.token)
    with pytest.raises(Unauthenticated):
        await people.login.with_code((await first_step(people, user)).ticket, old.next())
    assert await people.login.with_code((await first_step(people, user)).ticket, new.code())


async def test_a_stale_session_and_a_key_change_no_factors(people: People) -> None:
    user, _, phone, _ = await enrolled(people)
    begun = await people.login.with_code((await first_step(people, user)).ticket, phone.next())
    people.clock.later(minutes=5, seconds=1)
    stale = await people.sessions.authenticate(begun.token)
    assert not stale.fresh
    made = await people.keys.create(OPERATOR, owner=user.email, name="k", scopes=frozenset({Scope.ADMIN}))
    key = await people.keys.authenticate(made.text)
    for who in (stale, key):
        for act in (
            people.factors.begin_totp(who), people.factors.confirm_totp(who, phone.code()), people.factors.remove_totp(who),
            people.factors.renew_backup_codes(who), people.password.change(who, PASSWORD, Secret(b"quite another password here")),
            people.keys.create(who, owner=user.email, name="k2", scopes=frozenset({Scope.ADMIN})),
        ):  # fmt: skip
            with pytest.raises(Denied) as caught:
                await act
            assert caught.value.code == "step_up"
    with pytest.raises(Denied):
        await people.factors.step_up(key, Secret(phone.next().encode()))
    with pytest.raises(Unauthenticated):  # the password is no second factor
        await people.factors.step_up(stale, PASSWORD)
    await people.factors.step_up(stale, Secret(phone.next().encode()))
    assert (await people.sessions.authenticate(begun.token)).fresh
    await people.factors.remove_totp(await people.sessions.authenticate(begun.token))
    names = [event.name for event in await people.events("", user.id)]
    assert "identity:session:step-up" in names
    assert "identity:session:step-up-failed" in names
    assert "identity:factor:remove" in names


async def test_without_a_second_factor_the_password_is_the_proof(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    people.clock.later(minutes=6)
    actor = await people.sessions.authenticate(begun.token)
    with pytest.raises(Unauthenticated):
        await people.factors.step_up(actor, WRONG)
    await people.factors.step_up(actor, PASSWORD)
    assert (await people.sessions.authenticate(begun.token)).fresh


async def test_step_up_is_for_this_session_alone(people: People) -> None:
    user = (await people.add("ada")).user
    one, two = await people.log_in(user.email), await people.log_in(user.email)
    people.clock.later(minutes=6)
    await people.factors.step_up(await people.sessions.authenticate(one.token), PASSWORD)
    assert (await people.sessions.authenticate(one.token)).fresh
    assert not (await people.sessions.authenticate(two.token)).fresh


async def test_the_clock_set_back_makes_no_proof_fresh_and_no_session_alive(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    people.clock.later(minutes=6)
    people.clock.set_back(minutes=6)
    assert not (await people.sessions.authenticate(begun.token)).fresh
    people.clock.later(minutes=16)
    people.clock.set_back(hours=3)
    with pytest.raises(Unauthenticated):
        await people.sessions.authenticate(begun.token)


async def test_the_last_factor_of_an_administrator_stays_where_one_is_required(people: People) -> None:
    people.sessions = Sessions(
        people.storage, people.vault, people.accounts.policy, people.clock, requirement=Requirement(True)
    )
    people.factors = type(people.factors)(people.sessions)
    people.login = type(people.login)(people.sessions, people.factors)
    user = (await people.add("root", Role.ADMINISTRATOR)).user
    begun = await people.log_in(user.email)
    due = await people.sessions.authenticate(begun.token)
    assert due.must_enrol
    with pytest.raises(Denied) as caught:
        await people.accounts.list(due)
    assert caught.value.code == "second_factor_needed"
    phone = Phone(people, (await people.factors.begin_totp(due)).text)
    await people.factors.confirm_totp(due, phone.code())
    actor = await people.sessions.authenticate(begun.token)
    assert not actor.must_enrol
    assert await people.accounts.list(actor)
    with pytest.raises(Conflict) as last:
        await people.factors.remove_totp(actor)
    assert last.value.code == "last_factor"
    assert await people.storage.read(lambda unit: unit.factors.totp(user.id)) is not None


async def test_a_reset_with_the_second_factor_takes_it_away_and_one_without_leaves_it(people: People) -> None:
    user, _, _, codes = await enrolled(people)
    await people.setup.choose(await people.setup.link(OPERATOR, user.email), PASSWORD)
    await first_step(people, user)
    link = await people.setup.link(OPERATOR, user.email, clear_factors=True)
    await people.setup.choose(link, PASSWORD)
    begun = await people.login.with_password(user.email, PASSWORD, HERE)
    assert isinstance(begun, NewSession)
    actor = await people.sessions.authenticate(begun.token)
    assert actor.unlocked is None, "a reset of login is not a reset of content"
    own = await people.factors.own(actor)
    assert (own.totp, own.backup_codes) == (None, 0)
    with pytest.raises(NotFound):
        await people.factors.remove_totp(actor)
    assert codes


async def test_waiting_log_ins_are_bounded(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_module, "MOST_WAITING", 2)
    user, _, _, _ = await enrolled(people)
    for _ in range(2):
        await first_step(people, user)
    held = len(people.vault._open)
    with pytest.raises(PaiError, match="second step"):
        await first_step(people, user)
    assert len(people.vault._open) == held


@pytest.mark.parametrize("how", ["time", "disable", "end all", "role", "password"])
async def test_the_content_key_of_a_half_log_in_does_not_outlive_what_ends_it(people: People, how: str) -> None:
    user, actor, _, _ = await enrolled(people)
    step = await first_step(people, user)
    [held] = people.login.waiting.values()
    assert held.handle in people.vault._open
    if how == "time":
        people.clock.later(minutes=5)
        people.login.sweep()  # the rounds of the gateway: nobody logs in
    elif how == "disable":
        await people.others.disable(OPERATOR, user.email)
    elif how == "end all":
        await people.sessions.end_all(OPERATOR, user.email)
    elif how == "role":
        await people.others.set_role(OPERATOR, user.email, Role.OFFICER)
    else:
        await people.password.change(actor, PASSWORD, WRONG)
    assert held.handle not in people.vault._open
    assert people.login.user_of(step.ticket) is None


async def test_a_log_in_that_is_checked_while_its_account_is_disabled_holds_nothing_open(people: People) -> None:
    user, _, _, _ = await enrolled(people)
    before, checked, go_on = set(people.vault._open), threading.Event(), threading.Event()
    real = people.vault.unlock_with_password

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(people.vault, name)

        def unlock_with_password(self, *args: object, **kwargs: object) -> str:
            handle = real(*args, **kwargs)  # type: ignore[arg-type]
            checked.set()
            assert go_on.wait(10)
            return handle

    slow = dataclasses.replace(people.sessions, keystore=Slow())  # type: ignore[arg-type]
    login = type(people.login)(slow, people.factors)
    attempt = asyncio.create_task(login.with_password(user.email, PASSWORD, HERE))
    assert await asyncio.to_thread(checked.wait, 10)
    await people.others.disable(OPERATOR, user.email)
    go_on.set()
    with pytest.raises(Unauthenticated):
        await attempt
    assert login.waiting == {}
    assert set(people.vault._open) <= before
