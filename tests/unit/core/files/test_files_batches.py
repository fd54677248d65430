"""Batches on the real storage, keystore and policy; only the clock and what answers are ours."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from identity_home import People, identity_home
from pai.adapters.cryptography.originals import SealedOriginals
from pai.core.conversations.own_file import OwnFile, context_of
from pai.core.files import batch_work
from pai.core.files.batch_lines import BatchReading
from pai.core.files.batch_work import BatchWork
from pai.core.files.batches import Batches, recipient_of
from pai.core.files.files import Files
from pai.core.files.values import Batch, BatchState, Use, batch_context
from pai.core.knowledge.values import JobState
from pai.core.models.traffic import Traffic
from pai.foundation.actor import OPERATOR, Actor, Scope
from pai.foundation.errors import Conflict, Denied, NotFound, Unauthenticated, Unavailable
from pai.foundation.redaction import Secret

CHAT = "/v1/chat/completions"


class Disk:
    full = False

    def require(self) -> None:
        if self.full:
            raise Unavailable("the disk is full", code="disk_full")


@dataclasses.dataclass
class Answering:
    """Answers with the request's own words; ``held`` waits at the gate, ``odd`` raises."""

    asked: list[str] = dataclasses.field(default_factory=list)
    gate: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def answer(self, actor: Actor, endpoint: str, body: str) -> tuple[int, str]:
        assert actor.unlocked is None
        word = json.loads(body)["word"]
        self.asked.append(word)
        if word == "held":
            await self.gate.wait()
        if word == "odd":
            raise ZeroDivisionError
        return (400 if word == "bad" else 200), json.dumps({"said": word})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    root = tmp_path_factory.mktemp("batches")
    with identity_home(root) as parts:
        yield (*parts, root)


class Room:
    """A process of its own over the same home."""

    def __init__(self, people: People, root: Path) -> None:
        self.people, self.root, self.disk = people, root, Disk()
        policy, own = people.accounts.policy, OwnFile(people.vault, people.clock)
        self.files = Files(people.storage, own, policy, SealedOriginals(root, "files"), self.disk)
        self.batches = Batches(people.storage, own, policy, self.files)
        self.answers, self.traffic = Answering(), Traffic()
        self.work = BatchWork(self.batches, people.keys, self.answers, self.traffic)
        self.sessions: dict[str, Actor] = {}

    def again(self) -> Room:
        return Room(People(self.people.storage, self.people.vault, self.people.clock), self.root)

    async def member(self) -> Actor:
        user = (await self.people.add("ada")).user
        person = await self.people.sessions.authenticate((await self.people.log_in(user.email)).token)
        made = await self.people.keys.create(
            person, owner=user.email, name="k", scopes=frozenset({Scope.INFERENCE, Scope.ADMIN})
        )
        self.sessions[person.id] = person
        return await self.people.keys.authenticate(made.text)

    async def submit(self, actor: Actor, *words: str) -> Batch:
        lines = [
            json.dumps({"custom_id": f"{n}", "method": "POST", "url": CHAT, "body": {"word": word}}).encode()
            for n, word in enumerate(words)
        ]
        file = await self.files.add(actor, "a.jsonl", [b"\n".join(lines)], lambda: Use.BATCH)
        return await self.batches.submit(actor, CHAT, file.id, {"case": "7"})

    async def steps(self, most: int = 100) -> None:
        for _ in range(most):
            jobs = await self.people.storage.read(batch_work._open_jobs)
            if not jobs:
                return
            for job in reversed(jobs):
                await self.work._step(job)

    async def read(self, actor: Actor, file_id: str) -> dict[str, Any]:
        data = b"".join((await self.files.content(actor, file_id))[1])
        return {one["custom_id"]: one for one in map(json.loads, data.splitlines())}

    def own_files(self) -> list[str]:
        return [path.name for path in (self.root / "batches").glob("*.db")]


@pytest.fixture
async def room(shared: tuple, monkeypatch: pytest.MonkeyPatch) -> Room:
    storage, vault, root = shared
    people = People(storage, vault)
    monkeypatch.setattr(vault, "_now", lambda: people.clock.now())
    found = Room(people, root)
    await found.steps()  # what another test left
    found.answers.asked.clear()
    return found


async def test_the_grant_of_a_batch_opens_that_batch_alone(room: Room) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one")
    wrap = await room.people.storage.read(
        lambda unit: unit.wraps.key_wrap(batch_context(batch.id), recipient_of(batch.id))
    )
    opened = room.people.vault.open_job_grant(batch_context(batch.id), wrap.blob, job_id=batch.id)
    own = await room.people.storage.read(lambda unit: room.batches.own.key(unit, ada))
    assert isinstance(opened, Secret)
    assert own is not None
    assert opened.reveal() != own.reveal()
    for context, job in ((context_of(ada.id), batch.id), (batch_context(batch.id), "batch_x")):
        with pytest.raises(Unauthenticated):
            room.people.vault.open_job_grant(context, wrap.blob, job_id=job)
    await room.steps()
    assert (await room.batches.list(ada))[0].state is BatchState.FINALIZING, "answered, and waits for its owner"
    done = await room.batches.get(ada, batch.id)
    assert (done.state, done.done) == (BatchState.COMPLETED, 1)
    assert room.own_files() == []
    assert await room.people.storage.read(lambda unit: unit.wraps.recipients(batch_context(batch.id))) == []


async def test_what_was_answered_before_the_grant_ended_is_its_owners(room: Room) -> None:
    """PAI was off for two days: nobody can go on with the batch, and its owner can still open it."""
    ada = await room.member()
    batch = await room.submit(ada, "one", "bad", "late")
    await room.steps(2)
    room.people.clock.later(hours=26)
    later = room.again()
    await later.steps()
    assert later.answers.asked == []
    [ended] = await room.people.events("files:batch:end", batch.id)
    assert (ended.body["outcome"], ended.body["reason"]) == ("failed", "the job's grant has expired")
    done = await later.batches.get(ada, batch.id)
    assert (done.state, done.done, done.failed) == (BatchState.EXPIRED, 1, 1)
    assert list(await later.read(ada, done.output_id)) == ["0"]
    left = await later.read(ada, done.error_id)
    assert left["1"]["response"]["status_code"] == 400
    assert left["2"]["error"]["code"] == "batch_expired"


async def test_one_whose_time_is_over_asks_no_more(room: Room) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one", "two")
    await room.steps(1)
    room.people.clock.later(hours=24)
    await room.steps()
    done = await room.batches.get(ada, batch.id)
    assert (done.state, room.answers.asked) == (BatchState.EXPIRED, ["one"])


async def test_what_a_crash_left_of_a_submission_is_told_and_removed(room: Room) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one")

    def lose(unit: Any) -> None:
        # As if the main database had never committed, after both sealed files had.
        unit.wraps.remove_key_wraps(batch_context(batch.id))
        job = unit.collections.job(batch.id)
        unit.collections.update_job(dataclasses.replace(job, state="failed"))

    await room.people.storage.run(lose)
    assert [one.state for one in await room.batches.list(ada)] == [BatchState.FAILED]
    assert room.own_files() == [f"{batch.id}.db"]
    await asyncio.to_thread(room.people.storage.remove_leftovers)
    assert room.own_files() == []
    assert (await room.batches.get(ada, batch.id)).state is BatchState.FAILED


async def test_what_a_crash_left_of_its_writing_is_removed(room: Room) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one")
    await room.steps()
    key = await room.people.storage.read(lambda unit: room.batches.own.key(unit, ada))
    assert key is not None
    written = dataclasses.replace(batch, state=BatchState.COMPLETED)
    await room.people.storage.run(lambda unit: unit.open_batches(ada.id, key).put(written))
    assert await room.batches.get(ada, batch.id) == written
    assert room.own_files() == []


async def test_one_that_cannot_go_on_keeps_no_other_back(room: Room) -> None:
    ada = await room.member()
    odd, good = await room.submit(ada, "one", "odd"), await room.submit(ada, "good")
    for _ in range(2):
        try:
            await room.steps()
        except ZeroDivisionError:
            pass  # told to the log, and the loop begins anew
    assert (await room.batches.get(ada, good.id)).state is BatchState.COMPLETED
    failed = await room.batches.get(ada, odd.id)
    assert (failed.state, failed.done, failed.reason) == (BatchState.FAILED, 1, "an unexpected error happened")
    assert list(await room.read(ada, failed.output_id)) == ["0"]


async def test_a_damaged_one_is_told_as_such_and_hides_no_other(room: Room) -> None:
    ada = await room.member()
    batch, good = await room.submit(ada, "damaged"), await room.submit(ada, "good")
    path = room.root / "batches" / f"{batch.id}.db"
    for name in (path.name, f"{path.name}-wal"):
        path.with_name(name).write_bytes(b"x" * 8192)
    for lane in room.people.storage._lanes:
        room.people.storage._writer.submit(lane.forget, path).result()
    await room.steps()
    told = {one.id: one for one in await room.batches.list(ada)}
    assert (told[batch.id].state, told[batch.id].reason) == (BatchState.FAILED, "its file is damaged")
    assert (await room.batches.get(ada, good.id)).state is BatchState.COMPLETED


async def test_two_who_look_at_once_write_it_once(room: Room) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one")
    await room.steps()
    both = await asyncio.gather(room.batches.get(ada, batch.id), room.batches.get(ada, batch.id))
    assert sorted(one.state for one in both) == [BatchState.COMPLETED, BatchState.FINALIZING]
    outputs = await room.files.list(ada, Use.BATCH_OUTPUT)
    assert [one.id for one in outputs] == [(await room.batches.get(ada, batch.id)).output_id]


async def test_without_room_nothing_is_asked_or_lost(room: Room) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one")
    room.disk.full = True
    with pytest.raises(Unavailable):
        await room.steps()
    assert room.answers.asked == []
    room.disk.full = False
    await room.steps()
    assert (await room.batches.get(ada, batch.id)).state is BatchState.COMPLETED


async def test_as_many_may_be_open_and_only_by_a_key_that_opens_content(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await room.member()
    monkeypatch.setattr("pai.core.files.batches.MOST_OPEN", 1)
    batch = await room.submit(ada, "one")
    with pytest.raises(Conflict) as many:
        await room.submit(ada, "two")
    assert many.value.code == "too_many_batches"
    await room.steps()
    await room.batches.get(ada, batch.id)
    await room.submit(ada, "two")
    for other in (dataclasses.replace(ada, unlocked=None), dataclasses.replace(ada, key_id=None)):
        with pytest.raises(Denied):
            await room.batches.submit(other, CHAT, batch.input_id, {})
    bea = await room.member()
    for attempt in (room.batches.get, room.batches.cancel):
        with pytest.raises(NotFound):
            await attempt(bea, batch.id)
    assert await room.batches.list(bea) == []


async def test_it_waits_for_people_and_stops_when_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_work, "PATIENCE", 60)
    ada = await room.member()
    batch = await room.submit(ada, "one", "held", "never")
    loop = asyncio.create_task(room.work.run_forever())
    with room.traffic.answering():
        await asyncio.sleep(0.2)
        assert room.answers.asked == []
    for _ in range(100):
        if room.answers.asked == ["one", "held"]:
            break
        await asyncio.sleep(0.02)
    assert (await room.batches.cancel(ada, batch.id)).state is BatchState.CANCELLING
    for _ in range(100):
        if (found := await room.batches.get(ada, batch.id)).state is BatchState.CANCELLED:
            break
        await asyncio.sleep(0.02)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert (found.done, room.answers.asked) == (1, ["one", "held"])
    assert {one["error"]["code"] for one in (await room.read(ada, found.error_id)).values()} == {"batch_cancelled"}


async def test_one_that_is_cancelled_as_its_turn_comes_ends_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await room.member()
    batch = await room.submit(ada, "one")
    behalf = room.people.keys.behalf

    async def late(_: object, key_id: str) -> Actor | None:
        await room.batches.cancel(ada, batch.id)
        return await behalf(key_id)

    monkeypatch.setattr(type(room.people.keys), "behalf", late)
    await room.steps()
    job = await room.people.storage.read(lambda unit: unit.collections.job(batch.id))
    assert job.state is JobState.CANCELLED
    assert (await room.batches.get(ada, batch.id)).state is BatchState.CANCELLED


async def test_nobody_is_waited_for_longer_than_patience_lasts() -> None:
    traffic = Traffic()
    with traffic.answering():
        await asyncio.wait_for(traffic.quiet(0.01), 5)
    await asyncio.wait_for(traffic.quiet(60), 5)


async def test_work_on_behalf_of_a_key_ends_with_it(room: Room) -> None:
    ada = await room.member()
    assert ada.key_id is not None
    actor = await room.people.keys.behalf(ada.key_id)
    assert actor == dataclasses.replace(ada, unlocked=None)
    assert await room.people.keys.behalf("key_none") is None
    batch = await room.submit(ada, "one", "two")
    await room.steps(1)
    await room.people.keys.revoke(room.sessions[ada.id], ada.key_id)
    assert await room.people.keys.behalf(ada.key_id) is None
    await room.steps()
    done = await room.batches.get(room.sessions[ada.id], batch.id)
    assert (done.state, done.done, room.answers.asked) == (BatchState.FAILED, 1, ["one"])
    bea = await room.member()
    assert bea.key_id is not None
    await room.people.accounts.disable(OPERATOR, bea.name)
    assert await room.people.keys.behalf(bea.key_id) is None


def test_lines_are_read_in_bounded_pieces() -> None:
    def line(n: int, size: int) -> bytes:
        told = {"custom_id": f"{n}", "method": "POST", "url": CHAT, "body": {"x": "y" * size}}
        return json.dumps(told).encode() + b"\r\n"

    reading = BatchReading(CHAT)
    data = b"".join(line(n, 1 << 20) for n in range(10)) + b"".join(line(n, 1) for n in range(10, 1300))
    sizes = [len(piece) for piece in reading.pieces(data[at : at + 65_536] for at in range(0, len(data), 65_536))]
    assert (sum(sizes), reading.total, reading.wrong) == (1300, 1300, [])
    assert max(sizes) <= 500
    assert sizes[0] <= 4
    endless = BatchReading(CHAT)
    assert list(endless.pieces(b"x" * 65_536 for _ in range(200))) == []
    assert [(one.line, one.code) for one in endless.wrong] == [(1, "line_too_long")]
    many = BatchReading(CHAT)
    assert list(many.pieces([b"{\n" * 1000])) == []
    assert len(many.wrong) == 50


async def test_each_owner_has_a_turn_and_a_waiting_batch_is_stopped_at_once(room: Room) -> None:
    ada, bea = await room.member(), await room.member()
    many = [await room.submit(ada, f"a{n}", f"b{n}") for n in range(3)]
    await room.submit(bea, "theirs")
    jobs = await room.people.storage.read(batch_work._open_jobs)
    assert [(job.owner_id, job.total) for job in batch_work._turns(jobs)] == [(ada.id, 2), (bea.id, 1)]
    assert (await room.batches.cancel(ada, many[2].id)).state is BatchState.CANCELLING
    assert room.answers.asked == []
    assert (await room.batches.get(ada, many[2].id)).state is BatchState.CANCELLED
    await room.steps()
    assert "a2" not in room.answers.asked
