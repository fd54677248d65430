from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from fakes.receipts import RECEIPTS
from fakes.word_engines import OneEngine, WordEngine
from identity_home import People, identity_home
from pai.core.conversations.chats import Begun, Conversations, Ended, Said
from pai.core.ports.engine import Capabilities, Capability, ChatDelta, ChatRequest, Usage
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import Denied, Invalid, NotFound, Unavailable, Unsupported

CHAT = Capabilities(frozenset({Capability.CHAT}), 400)


@dataclass
class SpeakingEngine(WordEngine):
    """Says its words one at a time; ``waits`` holds it back after the second, ``breaks`` lets its worker die there."""

    capabilities: Capabilities = CHAT
    waits: bool = False
    breaks: bool = False
    closed: list[bool] = field(default_factory=list)

    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        self.prompts.append(request)
        words = self.says.split()
        try:
            for n, word in enumerate(words):
                if n == 2 and self.breaks:
                    raise Unavailable("the worker is gone", code="worker_gone")
                if n == 2 and self.waits:
                    await asyncio.sleep(60)
                yield ChatDelta(f"{word} ")
            yield ChatDelta("", "stop", Usage(7, len(words)))
        finally:
            self.closed.append(True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    with identity_home(tmp_path_factory.mktemp("chats")) as parts:
        yield parts


@pytest.fixture
def people(shared: tuple) -> People:
    return People(*shared)


def room(people: People, engine: WordEngine) -> Conversations:
    return Conversations(
        people.storage, people.vault, people.accounts.policy, OneEngine(engine), people.clock, RECEIPTS
    )  # type: ignore[arg-type]


async def member(people: People, role: Role = Role.MEMBER) -> Actor:
    user = (await people.add("ada", role)).user
    return await people.sessions.authenticate((await people.log_in(user.email)).token)


async def say(chats: Conversations, actor: Actor, text: str, conversation: str | None = None) -> list:
    return [event async for event in chats.say(actor, text, conversation)]


async def test_what_is_said_is_kept_and_goes_on_where_it_was_left(people: People) -> None:
    engine = SpeakingEngine("an answer of words")
    chats, ada = room(people, engine), await member(people)
    begun, *pieces, ended = await say(chats, ada, "first question")
    assert isinstance(begun, Begun)
    assert begun.conversation.title == "first question"
    assert "".join(piece.text for piece in pieces if isinstance(piece, Said)) == "an answer of words "
    assert isinstance(ended, Ended)
    assert (ended.finish, ended.usage) == ("stop", Usage(7, 4))
    people.clock.later(minutes=1)
    await say(chats, ada, "second question", begun.conversation.id)
    first = engine.prompts[-1].messages[0]
    assert first.role == "system"
    assert "cannot see documents in this chat" in first.content
    asked = [(message.role, message.content) for message in engine.prompts[-1].messages][1:]
    assert asked == [
        ("user", "first question"), ("assistant", "an answer of words "), ("user", "second question"),
    ]  # fmt: skip
    assert engine.prompts[-1].cache_key == ada.id
    found, messages = await chats.get(ada, begun.conversation.id)
    assert [message.role for message in messages] == ["user", "assistant"] * 2
    assert found.updated_at > begun.conversation.updated_at
    names = [event.name for event in await people.events("", begun.conversation.id)]
    assert names.count("conversations:message:send") == names.count("conversations:message:answer") == 2
    assert "conversations:conversation:read" in names
    sent = await people.events("conversations:message:send", begun.conversation.id)
    assert "question" not in str(sent)


async def test_the_newest_conversation_stands_first(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("yes")), await member(people)
    ids = []
    for n in range(3):
        people.clock.later(minutes=1)
        ids.append((await say(chats, ada, f"subject {n}"))[0].conversation.id)
    assert [one.id for one in await chats.list(ada)] == ids[::-1]
    people.clock.later(minutes=1)
    await say(chats, ada, "again", ids[0])
    assert [one.id for one in await chats.list(ada)] == [ids[0], ids[2], ids[1]]


async def test_nobody_elses_conversation_can_be_read_continued_or_deleted(people: People) -> None:
    engine = SpeakingEngine("yes")
    chats, ada = room(people, engine), await member(people)
    conversation = (await say(chats, ada, "mine"))[0].conversation.id
    fresh, used, admin = await member(people), await member(people), await member(people, Role.ADMINISTRATOR)
    await say(chats, used, "something of my own")
    prompts = len(engine.prompts)
    for stranger in (fresh, used, admin):
        with pytest.raises(NotFound):
            await chats.get(stranger, conversation)
        with pytest.raises(NotFound):
            await say(chats, stranger, "go on", conversation)
        with pytest.raises(NotFound):
            await chats.delete(stranger, conversation)
        assert conversation not in [one.id for one in await chats.list(stranger)]
    assert len(engine.prompts) == prompts
    assert len((await chats.get(ada, conversation))[1]) == 2


async def test_without_the_content_key_nothing_opens(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("yes")), await member(people)
    conversation = (await say(chats, ada, "mine"))[0].conversation.id
    locked = Actor(ada.id, ada.name, ada.kind, ada.role, ada.session_id)
    for attempt in (
        chats.list(locked), chats.get(locked, conversation), chats.delete(locked, conversation),
        say(chats, locked, "more", conversation), say(chats, locked, "new"),
    ):  # fmt: skip
        with pytest.raises(Denied) as refused:
            await attempt
        assert refused.value.code == "locked"
    auditor = await member(people, Role.AUDITOR)
    with pytest.raises(Denied):
        await chats.list(auditor)


async def test_deleting_leaves_no_message_behind(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("yes")), await member(people)
    conversation = (await say(chats, ada, "mine"))[0].conversation.id
    await chats.delete(ada, conversation)
    with pytest.raises(NotFound):
        await chats.get(ada, conversation)
    with pytest.raises(NotFound):
        await chats.delete(ada, conversation)
    assert list(await chats.list(ada)) == []
    assert len(await people.events("conversations:conversation:delete", conversation)) == 1


@pytest.mark.parametrize("after", [Begun, Said])
async def test_a_reader_who_stops_keeps_what_was_said(people: People, after: type) -> None:
    engine = SpeakingEngine("one two three four", waits=True)
    chats, ada = room(people, engine), await member(people)
    conversation, said = "", []
    async with aclosing(chats.say(ada, "count")) as answer:
        async for event in answer:
            if isinstance(event, Begun):
                conversation = event.conversation.id
            else:
                said.append(event)
            if isinstance(event, after) and len(said) in (0, 2):
                break
    messages = (await chats.get(ada, conversation))[1]
    kept = [message.content for message in messages]
    assert kept == (["count"] if after is Begun else ["count", "one two "])
    assert engine.closed == ([] if after is Begun else [True])
    [ended] = await people.events("conversations:message:answer", conversation)
    assert (ended.body["outcome"], ended.body["reason"]) == ("failed", "stopped by its reader")


async def test_a_worker_that_dies_leaves_what_it_said_and_its_reason(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("one two three", breaks=True)), await member(people)
    events = []
    with pytest.raises(Unavailable):
        async for event in chats.say(ada, "count"):
            events += [event]
    messages = (await chats.get(ada, events[0].conversation.id))[1]
    assert [message.content for message in messages] == ["count", "one two "]
    [ended] = await people.events("conversations:message:answer", events[0].conversation.id)
    assert ended.body["reason"] == "worker_gone"


async def test_an_answer_to_a_conversation_that_is_deleted_meanwhile_is_dropped(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("one two three")), await member(people)
    conversation = ""
    async for event in chats.say(ada, "count"):
        if isinstance(event, Begun):
            conversation = event.conversation.id
            await chats.delete(ada, conversation)
    with pytest.raises(NotFound):
        await chats.get(ada, conversation)
    assert list(await chats.list(ada)) == []


async def test_an_answer_is_kept_when_the_session_ends_meanwhile(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("one two three", waits=True)), await member(people)
    async with aclosing(chats.say(ada, "count")) as answer:
        begun = await anext(answer)
        assert isinstance(begun, Begun)
        await anext(answer)
        await people.sessions.logout(ada)
    again = await people.sessions.authenticate((await people.log_in(ada.name)).token)
    messages = (await chats.get(again, begun.conversation.id))[1]
    assert [message.content for message in messages] == ["count", "one "]


async def test_what_cannot_be_answered_leaves_nothing(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("yes")), await member(people)
    for text in ("", "  \n", "x" * 100_001, "word " * 500):
        with pytest.raises(Invalid):
            await say(chats, ada, text)
    with pytest.raises(Unsupported):
        silent = WordEngine("yes", capabilities=Capabilities(frozenset({Capability.EMBED}), 4096, 64))
        await say(room(people, silent), ada, "hello")
    assert list(await chats.list(ada)) == []


async def test_the_oldest_turns_make_room(people: People) -> None:
    engine = SpeakingEngine("word " * 40)
    chats, ada = room(people, engine), await member(people)
    conversation = None
    for n in range(6):
        conversation = (await say(chats, ada, f"question{n} " + "x " * 40, conversation))[0].conversation.id
    roles = [message.role for message in engine.prompts[-1].messages]
    assert roles[:2] == ["system", "user"]
    assert 4 <= len(roles) < 12
    assert "question5" in engine.prompts[-1].messages[-1].content
    assert "question0" not in engine.prompts[-1].messages[1].content


async def test_titles_are_one_short_line(people: People) -> None:
    chats, ada = room(people, SpeakingEngine("yes")), await member(people)
    told = (await say(chats, ada, "  many\n\nlines\tand " + "words " * 40))[0].conversation.title
    assert told.startswith("many lines and words")
    assert len(told) <= 60
    assert "\n" not in told
