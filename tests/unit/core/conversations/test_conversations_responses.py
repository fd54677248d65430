from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from test_conversations_chats import SpeakingEngine, member

from fakes.receipts import RECEIPTS
from fakes.word_engines import OneEngine, WordEngine
from identity_home import People, identity_home
from pai.core.conversations.looking_up import LookedUp, one_purpose
from pai.core.conversations.output import Piece
from pai.core.conversations.responses import Asked, Begun, Ended, Responses
from pai.core.conversations.values import Called, Citation, Item, Response, ResponseStatus, Result, Spoken, Thought
from pai.core.knowledge.access import Access
from pai.core.knowledge.searching import Found, Searching
from pai.core.knowledge.values import Collection
from pai.core.models.inference import Inference
from pai.core.ports.engine import ChatDelta, ChatRequest, TokenLogprob, Usage
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef
from storage_home import a_key


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("responses")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


class Disk:
    """A disk that can be full."""

    def __init__(self) -> None:
        self.full = False

    def require(self) -> None:
        if self.full:
            raise Unavailable("the disk is below the floor", code="disk_full")


def room(people: People, engine: WordEngine, disk: Disk | None = None) -> Responses:
    policy = people.accounts.policy
    engines: Any = OneEngine(engine)
    searching = Searching(people.storage, Access(people.vault, policy), engines)
    inference = Inference(people.storage, policy, engines, RECEIPTS, people.clock)
    return Responses(people.storage, people.vault, policy, inference, searching, people.clock, disk or Disk())


def asked(text: str, **options: object) -> Asked:
    return Asked("default", (Spoken(new_id("msg"), "user", text),), ChatRequest(), **options)  # type: ignore[arg-type]


async def respond(responses: Responses, actor: Actor, what: Asked) -> Response:
    events = [event async for event in responses.respond(actor, what)]
    assert isinstance(events[0], Begun)
    assert isinstance(events[-1], Ended)
    return events[-1].response


async def test_what_is_kept_comes_back_as_it_was_told(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one two")), await member(people)
    told = await respond(responses, ada, asked("count", store=True, settings={"metadata": {"a": "b"}}))
    assert told.status is ResponseStatus.COMPLETED
    assert told.usage == Usage(7, 2)
    assert await responses.get(ada, told.id) == told
    [said] = await responses.inputs(ada, told.id)
    assert isinstance(said, Spoken)
    assert said.text == "count"
    names = [event.name for event in await people.events("", told.id)][::-1]
    assert names == [f"conversations:response:{act}" for act in ("keep", "end", "read", "read")]
    assert "count" not in str(await people.events("", told.id))


async def test_without_store_nothing_is_kept(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one")), await member(people)
    told = await respond(responses, ada, asked("count"))
    with pytest.raises(NotFound):
        await responses.get(ada, told.id)
    assert await people.events("", told.id) == []


async def test_below_the_floor_of_the_disk_nothing_is_kept_and_no_model_asked_for_it(people: People) -> None:
    disk, engine = Disk(), SpeakingEngine("one two")
    responses, ada = room(people, engine, disk), await member(people)
    kept = await respond(responses, ada, asked("count", store=True))
    disk.full = True
    put = len(engine.prompts)
    with pytest.raises(Unavailable) as refused:
        await respond(responses, ada, asked("count", store=True))
    assert refused.value.code == "disk_full"
    assert len(engine.prompts) == put
    assert (await respond(responses, ada, asked("count"))).status is ResponseStatus.COMPLETED
    assert (await respond(responses, ada, asked("on", previous_id=kept.id))).status is ResponseStatus.COMPLETED
    assert (await responses.get(ada, kept.id)).id == kept.id


async def test_a_response_goes_on_where_the_one_before_ended(people: People) -> None:
    engine = SpeakingEngine("an answer")
    responses, ada = room(people, engine), await member(people)
    first = await respond(responses, ada, asked("first", store=True, instructions="Be brief."))
    second = await respond(responses, ada, asked("second", store=True, previous_id=first.id))
    await respond(responses, ada, asked("third", previous_id=second.id))
    told = [(message.role, message.content) for message in engine.prompts[-1].messages]
    assert told == [
        ("user", "first"), ("assistant", "an answer "), ("user", "second"), ("assistant", "an answer "), ("user", "third"),
    ]  # fmt: skip
    [*_, read] = (await people.events("conversations:response:read", second.id))[::-1]
    assert read.body["responses"] == 2
    await responses.delete(ada, first.id)
    with pytest.raises(NotFound) as gone:
        await respond(responses, ada, asked("fourth", previous_id=second.id))
    assert gone.value.code == "previous_response_not_found"


async def test_nobody_elses_response_can_be_read_continued_or_deleted(people: People) -> None:
    engine = SpeakingEngine("yes")
    responses, ada = room(people, engine), await member(people)
    kept = await respond(responses, ada, asked("mine", store=True))
    fresh, used, admin = await member(people), await member(people), await member(people, Role.ADMINISTRATOR)
    await respond(responses, used, asked("something of my own", store=True))
    prompts = len(engine.prompts)
    for stranger in (fresh, used, admin):
        for attempt in (
            responses.get(stranger, kept.id), responses.inputs(stranger, kept.id), responses.delete(stranger, kept.id),
            responses.cancel(stranger, kept.id), respond(responses, stranger, asked("go on", previous_id=kept.id)),
        ):  # fmt: skip
            with pytest.raises(NotFound):
                await attempt
    assert len(engine.prompts) == prompts
    assert (await responses.get(ada, kept.id)).id == kept.id


async def test_without_the_content_key_nothing_is_kept_or_opened(people: People) -> None:
    engine = SpeakingEngine("yes")
    responses, ada = room(people, engine), await member(people)
    kept = await respond(responses, ada, asked("mine", store=True))
    locked = dataclasses.replace(ada, unlocked=None)
    prompts = len(engine.prompts)
    for what in (asked("x", store=True), asked("x", previous_id=kept.id)):
        with pytest.raises(Denied) as denied:
            await respond(responses, locked, what)
        assert denied.value.code == "locked"
    with pytest.raises(Denied):
        await responses.get(locked, kept.id)
    assert len(engine.prompts) == prompts, "the model was not asked"
    assert (await respond(responses, locked, asked("x"))).status is ResponseStatus.COMPLETED
    low = dataclasses.replace(ada, ceiling=Label.INTERNAL)
    with pytest.raises(Denied):
        await responses.get(low, kept.id)


async def test_a_response_that_is_stopped_or_fails_is_kept_as_far_as_it_came(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one two three", waits=True)), await member(people)
    async with aclosing(responses.respond(ada, asked("count", store=True))) as coming:
        begun = await anext(coming)
        assert isinstance(begun, Begun)
        assert (await responses.get(ada, begun.response.id)).status is ResponseStatus.IN_PROGRESS
        while not isinstance(await anext(coming), Piece):
            pass
    kept = await responses.get(ada, begun.response.id)
    assert (kept.status, kept.reason) == (ResponseStatus.CANCELLED, "stopped by its reader")
    assert [(item.text, item.whole) for item in kept.output if isinstance(item, Spoken)] == [("one ", False)]
    broken = room(people, SpeakingEngine("one two three", breaks=True))
    with pytest.raises(Unavailable):
        async for event in broken.respond(ada, asked("count", store=True)):
            if isinstance(event, Begun):
                begun = event
    kept = await broken.get(ada, begun.response.id)
    assert (kept.status, kept.reason) == (ResponseStatus.FAILED, "worker_gone")
    [ended] = await people.events("conversations:response:end", kept.id)
    assert (ended.body["outcome"], ended.body["reason"]) == ("failed", "worker_gone")


async def test_one_that_a_crash_cut_off_is_told_as_failed(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one two three", waits=True)), await member(people)
    coming = responses.respond(ada, asked("count", store=True))
    begun = await anext(coming)
    assert isinstance(begun, Begun)
    later = room(people, SpeakingEngine(""))  # as after a restart: nobody is answering
    found = await later.get(ada, begun.response.id)
    assert (found.status, found.reason) == (ResponseStatus.FAILED, "stopped")
    await coming.aclose()


async def test_one_that_is_deleted_meanwhile_is_gone(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one two three")), await member(people)
    async for event in responses.respond(ada, asked("count", store=True)):
        if isinstance(event, Begun):
            begun = event
            await responses.delete(ada, event.response.id)
    with pytest.raises(NotFound):
        await responses.get(ada, begun.response.id)
    with pytest.raises(NotFound):
        await responses.inputs(ada, begun.response.id)


async def test_there_is_nothing_to_cancel(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one")), await member(people)
    kept = await respond(responses, ada, asked("count", store=True))
    with pytest.raises(Invalid) as refused:
        await responses.cancel(ada, kept.id)
    assert refused.value.code == "not_background"


def test_every_kind_of_item_is_kept_as_it_was(people: People) -> None:
    user, key = new_id("usr"), a_key()
    logprob = TokenLogprob("a", -0.5, b"a", (TokenLogprob("b", -1.0, b"b"),))
    items: list[Item] = [
        Spoken("1", "user", "hi", (b"\x89PNG",)), Thought("2", "hm", whole=False), Called("3", "call", "clock", "{}"),
        Result("4", "call", "noon"), Spoken("5", "assistant", "so", logprobs=(logprob,)),
    ]  # fmt: skip
    response = Response(
        new_id("resp"),
        user,
        "m",
        people.clock.now(),
        settings={"tools": [{"a": 1}]},
        label=Label.RESTRICTED,
        purpose="care",
    )
    ended = dataclasses.replace(
        response, status=ResponseStatus.INCOMPLETE, output=tuple(items[1:]), usage=Usage(1, 2, 3, 4), reason="max_output_tokens",
        completed_at=people.clock.now() + timedelta(seconds=1),
    )  # fmt: skip
    people.storage.run_sync(lambda unit: unit.open_responses(user, key).begin(response, items))
    assert people.storage.run_sync(lambda unit: unit.open_responses(user, key).end(ended))

    def look(unit) -> tuple:
        store = unit.open_responses(user, key)
        return store.get(response.id), list(store.inputs(response.id)), store.get("resp_x")

    assert people.storage.read_sync(look) == (ended, items, None)


async def test_what_continues_has_the_label_and_the_purpose_of_what_it_continues(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one")), await member(people)
    now = people.clock.now()
    begun = Response(new_id("resp"), ada.id, "m", now, label=Label.RESTRICTED, purpose="care")
    first = await respond(responses, ada, asked("count", store=True))  # so that the file is there
    key = await people.storage.read(lambda unit: responses._own.key(unit, ada))
    assert key is not None
    await people.storage.run(lambda unit: unit.open_responses(ada.id, key).begin(begun, ()))
    second = await respond(responses, ada, asked("go on", store=True, previous_id=begun.id))
    assert (second.label, second.purpose) == (Label.RESTRICTED, "care")
    assert (first.label, first.purpose) == (Label.CONFIDENTIAL, "general")
    low = dataclasses.replace(ada, ceiling=Label.CONFIDENTIAL)
    with pytest.raises(Denied):
        await respond(responses, low, asked("go on", previous_id=second.id))


async def test_one_that_is_being_answered_is_not_continued(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one two three", waits=True)), await member(people)
    async with aclosing(responses.respond(ada, asked("count", store=True))) as coming:
        begun = await anext(coming)
        assert isinstance(begun, Begun)
        with pytest.raises(Conflict) as refused:
            await respond(responses, ada, asked("go on", previous_id=begun.response.id))
    assert refused.value.code == "response_in_progress"


async def test_the_log_does_not_call_kept_what_was_deleted_meanwhile(people: People) -> None:
    responses, ada = room(people, SpeakingEngine("one two three")), await member(people)
    async for event in responses.respond(ada, asked("count", store=True)):
        if isinstance(event, Begun):
            name = event.response.id
            await responses.delete(ada, name)
    [ended] = await people.events("conversations:response:end", name)
    assert (ended.body["outcome"], ended.body["reason"], ended.body["items"]) == ("failed", "deleted meanwhile", 0)


async def test_what_nobody_foresaw_is_a_failure_and_no_reader_that_left(people: People) -> None:
    class Odd(SpeakingEngine):
        async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
            yield ChatDelta("one ")
            raise ZeroDivisionError("secret words")

    responses, ada = room(people, Odd("")), await member(people)
    with pytest.raises(ZeroDivisionError):
        async for event in responses.respond(ada, asked("count", store=True)):
            if isinstance(event, Begun):
                name = event.response.id
    kept = await responses.get(ada, name)
    assert (kept.status, kept.reason, kept.message) == (
        ResponseStatus.FAILED,
        "internal",
        "an unexpected error happened",
    )


def test_purposes_of_what_is_put_together() -> None:
    assert one_purpose(set()) == one_purpose({"general"}) == one_purpose({"care", "billing"}) == "general"
    assert one_purpose({"care"}) == one_purpose({"care", "general"}) == "care"


def found(document: str, text: str) -> Found:
    return Found(document, f"{document}.txt", 1, "", text, 0.9)


async def test_each_collection_is_told_of_its_own_documents_only() -> None:
    now = datetime(2031, 5, 1, tzinfo=UTC)
    one, two = (Collection(name, name, "usr", Label.INTERNAL, "travel", now) for name in ("col_1", "col_2"))
    looked = LookedUp("when", (one, two), (found("doc_1", "It leaves at noon."),), {"doc_1": "col_1"})
    said = Spoken(
        "m", "assistant", "It leaves at noon.", citations=(Citation(18, "doc_1", "d", 1, "It leaves at noon."),)
    )
    events = looked.answered(ModelRef("m", ""), [said])
    assert [(event.resource.id, event.sources, event.abstained) for event in events if event.resource] == [
        ("col_1", ("doc_1",), False), ("col_2", (), True),
    ]  # fmt: skip
