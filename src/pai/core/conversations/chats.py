"""Conversations with a model, kept in each member's own sealed file, whose key only the member's credential opens."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pai.core.audit.receipts import TEXT, Answered, Draft, Receipts
from pai.core.audit.values import Outcome
from pai.core.conversations.events import ConversationDeleted, ConversationsRead, MessageAnswered, MessageSent
from pai.core.conversations.history import answer_tokens, fitting
from pai.core.conversations.own_file import OwnFile
from pai.core.conversations.ports import ConversationStore, ConversationsUnit
from pai.core.conversations.values import Conversation, Message
from pai.core.keys.ports import Keystore
from pai.core.models.generation import generation
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import Capability, ChatDelta, ChatRequest, Engine, Engines, Usage
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, NotFound, PaiError, Unsupported
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

MAX_MESSAGE = 100_000
TITLE = 60
LABEL = Label.CONFIDENTIAL
SYSTEM = (
    "You are a helpful assistant that runs on the user's own machine. Answer in the language of the user, plainly and briefly. "
    "You have no access to any document, letter, file or collection of the user, nor to the internet. If the user asks what a "
    "document says, reply that you cannot see documents in this chat and that the page Ask answers from them. Never invent what a "
    "document says. Text that the user pastes into the chat you can use."
)


@dataclass(frozen=True, slots=True)
class Begun:
    """First event of an answer: where it is kept, and which model gives it."""

    conversation: Conversation
    model: str


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Last event: the answer is kept. ``finish`` is ``stop`` or ``length``."""

    message: Message
    finish: str
    usage: Usage
    receipt: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The answer's turn has not come; ``before`` requests come first."""

    before: int


ChatEvent = Begun | Waiting | Said | Ended


@dataclass(slots=True)
class _Answer:
    """An answer while it grows. ``started`` is the leaf index of the event that was written before the model was asked; ``key``
    opens the member's file until the answer is kept, also when the session ends meanwhile.
    """

    conversation: Conversation
    engine: Engine
    started: int
    key: Secret
    asked: str
    text: str = ""
    finish: str = ""
    reason: str = "stopped by its reader"
    usage: Usage = field(default_factory=lambda: Usage(0, 0))


@dataclass(frozen=True, slots=True)
class Conversations:
    """Use cases on a member's own conversations. Nobody else's can be named: the file is found by the actor's id."""

    work: Work[ConversationsUnit]
    keystore: Keystore
    policy: Policy
    engines: Engines
    clock: Clock
    receipts: Receipts

    async def list(self, actor: Actor) -> Sequence[Conversation]:
        """Return the newest hundred conversations. Raises Denied (``locked``) when this credential opens no content."""
        self._decide(actor)

        def look(unit: ConversationsUnit) -> Sequence[Conversation]:
            store = self._open(unit, actor)
            found = store.list() if store is not None else ()
            unit.audit.record(actor, ConversationsRead(resource=_all(actor), label=LABEL, conversations=len(found)))
            return found

        return await self.work.run(look)

    async def get(self, actor: Actor, conversation_id: str) -> tuple[Conversation, Sequence[Message]]:
        """Return a conversation and its messages. Raises NotFound, Denied."""
        self._decide(actor)

        def look(unit: ConversationsUnit) -> tuple[Conversation, Sequence[Message]]:
            store, found = self._found(unit, actor, conversation_id)
            unit.audit.record(actor, ConversationsRead(resource=_one(found), label=found.label, conversations=1))
            return found, store.messages(found.id)

        return await self.work.run(look)

    async def delete(self, actor: Actor, conversation_id: str) -> None:
        """Delete a conversation. Raises NotFound, Denied."""
        self._decide(actor)

        def write(unit: ConversationsUnit) -> None:
            store, found = self._found(unit, actor, conversation_id)
            store.delete(found.id)
            unit.audit.record(actor, ConversationDeleted(resource=_one(found), label=found.label))

        await self.work.run(write)

    async def say(
        self, actor: Actor, text: str, conversation_id: str | None = None, *, model: str = "default"
    ) -> AsyncGenerator[ChatEvent, None]:
        """Keep a message and yield its answer as it comes; the answer is kept too, also when its reader stops it.

        Without an id a new conversation begins. Raises Invalid, NotFound, Denied, Unsupported, Unavailable; before the first
        event nothing was kept.
        """
        self._decide(actor)
        if not text.strip() or len(text) > MAX_MESSAGE:
            raise Invalid(f"a message has 1 to {MAX_MESSAGE} characters", code="bad_message")
        engine = await self.engines.get(model)
        if Capability.CHAT not in engine.capabilities.supports:
            raise Unsupported(
                f"{engine.model.name} cannot chat", code="missing_capability", hint="see `pai models list`"
            )
        earlier = await self._earlier(actor, conversation_id)
        new = Message(new_id("msg"), conversation_id or "", "user", text, "", self.clock.now())
        messages = await fitting(engine, SYSTEM, [*earlier, new])
        answer = await self.work.run(lambda unit: self._keep_question(unit, actor, engine, new, len(messages)))
        request = ChatRequest(messages, max_tokens=answer_tokens(engine), cache_key=actor.id)
        try:
            # Inside the try: a reader who leaves at the first event has the end recorded as well.
            yield Begun(answer.conversation, engine.model.name)
            async with generation(engine, request) as deltas:
                async for delta in deltas:
                    _take(answer, delta)
                    if delta.waiting is not None:
                        yield Waiting(delta.waiting)
                    if delta.text:
                        yield Said(delta.text)
        except PaiError as error:
            answer.reason = error.code
            raise
        finally:
            kept, receipt = await self.work.run(lambda unit: self._keep_answer(unit, actor, answer))
        yield Ended(kept, answer.finish or "stop", answer.usage, receipt)

    async def _earlier(self, actor: Actor, conversation_id: str | None) -> Sequence[Message]:
        if conversation_id is None:
            return ()

        def look(unit: ConversationsUnit) -> Sequence[Message]:
            store, found = self._found(unit, actor, conversation_id)
            return store.messages(found.id)

        return await self.work.run(look)

    def _keep_question(
        self, unit: ConversationsUnit, actor: Actor, engine: Engine, new: Message, messages: int
    ) -> _Answer:
        key, fresh = self._own.key_or_new(unit, actor)
        store = unit.open_conversations(actor.id, key, fresh=fresh)
        if new.conversation_id:
            conversation = dataclasses.replace(_found(store, new.conversation_id), updated_at=new.created_at)
        else:
            now = new.created_at
            conversation = Conversation(new_id("cnv"), actor.id, _title(new.content), LABEL, now, now)
        store.put(conversation)
        store.add_message(dataclasses.replace(new, conversation_id=conversation.id))
        event = MessageSent(
            resource=_one(conversation),
            label=conversation.label,
            model=engine.model,
            messages=messages,
            outcome=Outcome.STARTED,
        )
        return _Answer(conversation, engine, unit.audit.record(actor, event), key, new.content)

    def _keep_answer(
        self, unit: ConversationsUnit, actor: Actor, answer: _Answer
    ) -> tuple[Message, Mapping[str, Any] | None]:
        model, now = answer.engine.model, self.clock.now()
        message = Message(new_id("msg"), answer.conversation.id, "assistant", answer.text, model.name, now)
        store = unit.open_conversations(actor.id, answer.key)
        if answer.text and store.get(answer.conversation.id) is not None:  # it may have been deleted meanwhile
            store.add_message(message)
        done = bool(answer.finish)
        draft = self._draft(answer, now) if done else None
        event = MessageAnswered(
            resource=_one(answer.conversation), label=answer.conversation.label, model=model, started=answer.started,
            outcome=Outcome.DONE if done else Outcome.FAILED, reason="" if done else answer.reason,
            prompt_tokens=answer.usage.prompt_tokens, completion_tokens=answer.usage.completion_tokens,
            receipt=draft.commitment if draft else "",
        )  # fmt: skip
        return message, self.receipts.recorded(unit.audit, actor, event, draft)

    def _draft(self, answer: _Answer, at: datetime) -> Draft:
        """A receipt binds what its reader has: their last message, not the instructions and earlier turns that the model saw too."""
        asked = " ".join(answer.asked.split()).encode()
        return self.receipts.draft(
            Answered(
                "conversation", at, asked, TEXT, answer.text, answer.engine.model, Permission.CONVERSATIONS.value,
                answer.conversation.label,
            )
        )  # fmt: skip

    @property
    def _own(self) -> OwnFile:
        return OwnFile(self.keystore, self.clock)

    def _decide(self, actor: Actor) -> None:
        self.policy.decide(actor, Permission.CONVERSATIONS, _all(actor))

    def _open(self, unit: ConversationsUnit, actor: Actor) -> ConversationStore | None:
        """Open the actor's file, None when nothing was ever kept."""
        key = self._own.key(unit, actor)
        return unit.open_conversations(actor.id, key) if key is not None else None

    def _found(
        self, unit: ConversationsUnit, actor: Actor, conversation_id: str
    ) -> tuple[ConversationStore, Conversation]:
        store = self._open(unit, actor)
        if store is None:
            raise NotFound("no such conversation")
        return store, _found(store, conversation_id)


def _take(answer: _Answer, delta: ChatDelta) -> None:
    answer.text += delta.text
    answer.finish = delta.finish_reason or answer.finish
    answer.usage = delta.usage or answer.usage


def _found(store: ConversationStore, conversation_id: str) -> Conversation:
    found = store.get(conversation_id)
    if found is None:
        raise NotFound("no such conversation")
    return found


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE else line[: TITLE - 1].rsplit(" ", 1)[0] + "\N{HORIZONTAL ELLIPSIS}"


def _one(conversation: Conversation) -> ResourceRef:
    return ResourceRef("conversation", conversation.id, conversation.owner_id, conversation.label)


def _all(actor: Actor) -> ResourceRef:
    return ResourceRef("conversations", actor.id, actor.id, LABEL)
