from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from identity_home import OTHER, PASSWORD, WRONG, People, identity_home
from pai.core.identity.devices import Arrival
from pai.core.identity.login import Login
from pai.core.identity.second_factors import SecondFactors
from pai.core.identity.sessions import NewSession, csrf_matches, csrf_of, hash_of
from pai.core.keys.values import Factor
from pai.foundation.actor import OPERATOR, Role
from pai.foundation.errors import Denied, Invalid, NotFound, PaiError, Throttled, Unauthenticated
from pai.foundation.redaction import Secret


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("sessions")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


async def test_a_session_is_its_owner_with_the_content_key_open(people: People) -> None:
    user = (await people.add("ada", Role.OFFICER)).user
    begun = await people.log_in(f"  {user.email.upper()} ")
    actor = await people.sessions.authenticate(begun.token)
    assert (actor.id, actor.role, actor.session_id, actor.scopes) == (user.id, Role.OFFICER, begun.session.id, None)
    assert actor.unlocked is not None
    assert people.vault.new_data_key("collection:x", [user.public_key])  # the keystore is open
    [event] = await people.events("identity:session:login", user.id)
    assert event.body["content"] is True


async def test_only_hashes_of_the_token_are_kept(people: People, shared: tuple) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    assert len(begun.token.reveal()) == 43
    for other in (begun.token.reveal(), begun.csrf.encode()):
        files = [path for path in shared[0].home.rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if other in path.read_bytes()]
    held = await people.storage.read(lambda unit: unit.users.session_by_token(hash_of(begun.token)))
    assert begun.token.reveal() not in (held.token_hash, held.csrf_hash)
    assert begun.token.reveal().decode() not in repr(begun)
    assert begun.csrf not in repr(begun)


@pytest.mark.parametrize("case", ["wrong password", "no account", "disabled", "no password", "too long"])
async def test_every_failed_login_says_the_same_and_is_recorded(people: People, case: str) -> None:
    user = (await people.add("ada")).user
    email, password = user.email, PASSWORD
    if case == "wrong password":
        password = WRONG
    elif case == "no account":
        email = f"nobody-{user.email}"
    elif case == "disabled":
        await people.accounts.disable(OPERATOR, user.email)
    elif case == "no password":
        await people.storage.run(lambda unit: unit.wraps.remove_member_wraps(user.id, Factor.PASSWORD))
    else:
        password = Secret(b"x" * 5000)
    before = len(await people.events("identity:session:login-failed"))
    with pytest.raises(Unauthenticated) as refused:
        await people.log_in(email, password)
    assert refused.value.code == "wrong_login"
    assert refused.value.message == "the email or the password is wrong"
    found = await people.events("identity:session:login-failed")
    assert len(found) == before + 1
    assert found[0].body["outcome"] == "refused"
    assert email not in str(found[0])
    resource = found[0].body["resource"]
    assert (resource is None) == (case == "no account")


async def test_the_work_of_a_login_is_the_same_for_an_unknown_account(people: People) -> None:
    """Counted in Argon2id runs, which are what takes time."""
    user = (await people.add("ada")).user
    counts = []
    real = people.vault._stretching

    class Counting:
        def __enter__(self) -> None:
            counts[-1] += 1
            real.acquire()

        def __exit__(self, *_: object) -> None:
            real.release()

    people.vault._stretching = Counting()  # type: ignore[assignment]
    try:
        for email, password in ((user.email, WRONG), (f"no-{user.email}", WRONG), (user.email, PASSWORD)):
            counts.append(0)
            try:
                await people.log_in(email, password)
            except Unauthenticated:
                pass
    finally:
        people.vault._stretching = real
    assert counts == [1, 1, 1]


async def test_idle_sessions_end_and_use_keeps_them(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    for _ in range(4):
        people.clock.later(minutes=14)
        assert (await people.sessions.authenticate(begun.token)).id == user.id
    people.clock.later(minutes=15, seconds=1)
    with pytest.raises(Unauthenticated) as ended:
        await people.sessions.authenticate(begun.token)
    assert ended.value.code == "session_ended"
    [event] = await people.events("identity:session:end", begun.session.id)
    assert event.body["how"] == "idle"
    assert people.caches.forgotten == [user.id]


async def test_the_absolute_end_comes_however_busy_the_session_is(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    for _ in range(12 * 6 - 1):
        people.clock.later(minutes=10)
        await people.sessions.authenticate(begun.token)
    people.clock.later(minutes=10)
    with pytest.raises(Unauthenticated):
        await people.sessions.authenticate(begun.token)
    [event] = await people.events("identity:session:end", begun.session.id)
    assert event.body["how"] == "expired"


async def test_a_sweep_ends_open_streams_of_idle_sessions_when_nobody_asks(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    actor = await people.sessions.authenticate(begun.token)
    with people.sessions.liveness.watch(actor) as ended:
        await people.sessions.sweep()
        assert not ended.is_set()
        people.clock.later(minutes=16)
        await people.sessions.sweep()
        assert ended.is_set()
    assert [s.id for s in await people.sessions.list(OPERATOR, user.id)] == []
    with pytest.raises(PaiError, match="not open any more"):
        people.vault.open_data_key(actor.unlocked or "", "collection:x", b"")


async def test_settings_of_both_limits_are_obeyed(shared: tuple) -> None:
    people = People(*shared)
    user = (await people.add("ada")).user
    for limits in ({"idle": timedelta(minutes=1)}, {"absolute": timedelta(minutes=1), "idle": timedelta(hours=1)}):
        sessions = type(people.sessions)(people.storage, people.vault, people.accounts.policy, people.clock, **limits)
        begun = await Login(sessions, SecondFactors(sessions)).with_password(user.email, PASSWORD, Arrival("a", "b"))
        assert isinstance(begun, NewSession)
        people.clock.later(seconds=59)
        await sessions.authenticate(begun.token)
        people.clock.later(seconds=61)
        with pytest.raises(Unauthenticated):
            await sessions.authenticate(begun.token)


async def test_logout_and_kill_work_at_once_and_on_open_streams(people: People) -> None:
    user = (await people.add("ada")).user
    one, two, three = [await people.log_in(user.email) for _ in range(3)]
    actors = [await people.sessions.authenticate(begun.token) for begun in (one, two, three)]
    with (
        people.sessions.liveness.watch(actors[0]) as first,
        people.sessions.liveness.watch(actors[1]) as second,
        people.sessions.liveness.watch(actors[2]) as third,
    ):
        await people.sessions.logout(actors[0])
        assert (first.is_set(), second.is_set()) == (True, False)
        assert people.caches.forgotten == []  # the person is still here with another session
        await people.sessions.kill(actors[1], two.session.id)
        assert (second.is_set(), third.is_set()) == (True, False)
        assert await people.sessions.end_all(OPERATOR, user.email) == 1
        assert third.is_set()
    assert people.caches.forgotten == [user.id]
    for begun in (one, two, three):
        with pytest.raises(Unauthenticated):
            await people.sessions.authenticate(begun.token)
    named = [event.body["how"] for event in await people.events("identity:session:end", one.session.id)]
    assert named == ["logout"]


async def test_a_stream_that_begins_after_the_end_ends_too(people: People) -> None:
    """The body of a request can take its time; the session may end while it comes in."""
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    actor = await people.sessions.authenticate(begun.token)
    assert not people.sessions.liveness.over(actor)
    await people.sessions.logout(actor)
    assert people.sessions.liveness.over(actor)
    with people.sessions.liveness.watch(actor) as ended:
        assert ended.is_set()
    assert people.sessions.liveness.watchers == {}


async def test_sessions_of_others_cannot_be_seen_or_ended(people: People) -> None:
    mine, other = (await people.add("ada")).user, (await people.add("bea")).user
    begun = await people.log_in(mine.email)
    stranger = await people.sessions.authenticate((await people.log_in(other.email)).token)
    with pytest.raises(NotFound):
        await people.sessions.kill(stranger, begun.session.id)
    with pytest.raises(Denied):
        await people.sessions.list(stranger, mine.id)
    with pytest.raises(Denied):
        await people.sessions.end_all(stranger, mine.email)
    assert {session.user_id for session in await people.sessions.list(stranger)} == {other.id}
    assert (await people.sessions.authenticate(begun.token)).id == mine.id


async def test_a_key_is_no_session(people: People) -> None:
    user = (await people.add("ada")).user
    actor = await people.sessions.authenticate((await people.log_in(user.email)).token)
    key = type(actor)(actor.id, actor.name, actor.kind, actor.role, key_id="key_x")
    with pytest.raises(Invalid):
        await people.sessions.logout(key)


async def test_a_chosen_token_opens_nothing(people: People) -> None:
    user = (await people.add("ada")).user
    await people.log_in(user.email)
    for token in (b"A" * 43, b"", b"' OR 1=1 --", user.id.encode()):
        with pytest.raises(Unauthenticated):
            await people.sessions.authenticate(Secret(token))


async def test_a_restart_ends_what_the_keystore_forgot(people: People, shared: tuple) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    with pytest.raises(Unauthenticated):
        await People(*shared).sessions.authenticate(begun.token)


async def test_a_disabled_account_is_out_at_once(people: People) -> None:
    user = (await people.add("ada")).user
    begun = await people.log_in(user.email)
    actor = await people.sessions.authenticate(begun.token)
    with people.sessions.liveness.watch(actor) as ended:
        await people.accounts.disable(OPERATOR, user.email)
        await people.sessions.close_owner(user.id)
        assert ended.is_set()
    assert people.caches.forgotten == [user.id]
    with pytest.raises(Unauthenticated):
        await people.sessions.authenticate(begun.token)


async def test_a_password_that_changes_while_it_is_checked_does_not_let_in(people: People) -> None:
    user = (await people.add("ada")).user
    token = await people.setup.link(OPERATOR, user.email)
    checking, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    check = people.sessions.keystore.unlock_with_password

    class Slow:
        def __getattr__(self, name: str) -> object:
            return getattr(people.vault, name)

        def unlock_with_password(self, *args: object, **kwargs: object) -> str:
            handle = check(*args, **kwargs)  # type: ignore[arg-type]
            loop.call_soon_threadsafe(checking.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
            return handle

    slow = type(people.sessions)(people.storage, Slow(), people.accounts.policy, people.clock)  # type: ignore[arg-type]
    login = Login(slow, SecondFactors(slow))
    attempt = asyncio.create_task(login.with_password(user.email, PASSWORD, Arrival("a", "b")))
    await asyncio.wait({attempt, asyncio.create_task(checking.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert not attempt.done(), attempt.exception()
    await people.setup.choose(token, OTHER)
    go_on.set()
    with pytest.raises(Unauthenticated):
        await attempt
    assert slow.opened == {}
    assert await people.sessions.list(OPERATOR, user.id) == []


def test_csrf_tokens_belong_to_one_cookie() -> None:
    one, two = Secret(b"a" * 43), Secret(b"b" * 43)
    assert csrf_matches(one, csrf_of(one))
    assert csrf_of(one) == csrf_of(Secret(b"a" * 43))
    for given in ("", csrf_of(two), csrf_of(one)[:-1], csrf_of(one) + "A", "é", one.reveal().decode()):
        assert not csrf_matches(one, given)


async def test_guesses_are_slowed_and_a_right_login_forgives(people: People) -> None:
    user = (await people.add("ada")).user
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await people.log_in(user.email, WRONG, "192.0.2.7")
    with pytest.raises(Throttled) as slowed:
        await people.log_in(user.email, PASSWORD, "192.0.2.7")
    assert slowed.value.retry_after >= 1
    await people.log_in(user.email, PASSWORD, "192.0.2.8")  # the owner, elsewhere, is not kept out
    people.clock.later(seconds=slowed.value.retry_after)
    await people.log_in(user.email, PASSWORD, "192.0.2.7")
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            await people.log_in(user.email, WRONG, "192.0.2.7")
