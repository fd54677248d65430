"""Responses: a model's answer to items, as items that come while it answers. They are kept only when their asker wishes it, in the
member's own sealed file."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from pai.core.audit.values import Outcome
from pai.core.conversations.events import ResponseDeleted, ResponseEnded, ResponseKept, ResponseRead
from pai.core.conversations.items import chat_of
from pai.core.conversations.looking_up import Lookup, look_up, one_purpose
from pai.core.conversations.output import Output, Step
from pai.core.conversations.own_file import OwnFile
from pai.core.conversations.ports import ConversationsUnit, ResponseStore
from pai.core.conversations.values import Item, Response, ResponseStatus
from pai.core.keys.ports import Keystore
from pai.core.knowledge.events import QuestionAnswered
from pai.core.knowledge.ports import DiskSpace
from pai.core.knowledge.searching import Searching
from pai.core.models.inference import Inference
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.engine import ChatDelta, ChatRequest
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Invalid, NotFound, PaiError
from pai.foundation.ids import new_id
from pai.foundation.labels import Label, highest
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

LABEL: Final = Label.CONFIDENTIAL
LONGEST_CHAIN: Final = 500
"""Responses that one may continue, each the one before it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a model. ``request`` says how to answer, without messages; ``settings`` is what the response repeats of it.

    With ``store`` the response is kept; ``previous_id`` names a kept one that it continues; ``lookup`` says what is searched first.
    """

    model: str
    items: tuple[Item, ...]
    request: ChatRequest
    instructions: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    store: bool = False
    previous_id: str = ""
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """First event: the response, still empty."""

    response: Response


@dataclass(frozen=True, slots=True)
class Ended:
    """Last event: the whole response."""

    response: Response


ResponseEvent = Begun | Step | Ended


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What was said before, and what governs it."""

    items: tuple[Item, ...] = ()
    label: Label = LABEL
    purposes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Responses:
    """Use cases on responses. Nobody else's can be named: the file is found by the actor's id."""

    work: Work[ConversationsUnit]
    keystore: Keystore
    policy: Policy
    inference: Inference
    searching: Searching
    clock: Clock
    disk: DiskSpace
    running: set[str] = field(default_factory=set)
    """Kept responses that are being answered now, by id."""

    async def respond(self, actor: Actor, asked: Asked) -> AsyncGenerator[ResponseEvent, None]:
        """Yield a response as it comes. The start is durable in the audit log before the model is asked; what is kept is kept also
        when its reader stops it.

        Raises Invalid, Denied, NotFound, Unsupported, Unavailable (``disk_full``: it was to be kept, and the disk is below the floor);
        before the first event nothing was kept.
        """
        earlier = await self._earlier(actor, asked)
        items, found = [*earlier.items, *asked.items], None
        if asked.lookup is not None:
            # Nothing is retrieved for a model that is not there or may not be asked.
            await self.inference.ready(actor, asked.model)
            found = await look_up(self.searching, actor, asked.lookup, items)
        messages = chat_of(asked.instructions, items, found.shown() if found else ())
        request = dataclasses.replace(asked.request, messages=messages, cache_key=actor.id)
        engine, deltas = await self.inference.start_chat(actor, asked.model, request)
        output, last = Output(found.cite) if found else Output(), ChatDelta()
        async with aclosing(deltas) as coming:
            # What refuses the prompt raises here, before the response has begun.
            delta = await anext(coming, None)
            response = Response(
                new_id("resp"), actor.id, engine.model.name, self.clock.now(), settings=asked.settings,
                previous_id=asked.previous_id, label=highest([earlier.label, *([found.label] if found else [])]),
                purpose=one_purpose(earlier.purposes | (found.purposes if found else frozenset())),
            )  # fmt: skip
            key = await self._begin(actor, response, asked)
            end = dataclasses.replace(response, status=ResponseStatus.CANCELLED, reason="stopped by its reader")
            try:
                yield Begun(response)
                if found is not None:
                    for step in output.put(found.item()):
                        yield step
                while delta is not None:
                    last = delta
                    for step in output.take(delta):
                        yield step
                    delta = await anext(coming, None)
                if found is not None:
                    await self.searching.still_may(actor, found.collections)
                for step in output.end(whole=last.finish_reason != "length"):
                    yield step
                end = self._complete(response, output, last)
            except PaiError as error:
                end = dataclasses.replace(
                    response, status=ResponseStatus.FAILED, reason=error.code, message=error.message
                )
                raise
            except Exception:
                end = dataclasses.replace(
                    response, status=ResponseStatus.FAILED, reason="internal", message="an unexpected error happened"
                )
                raise
            finally:
                list(output.close(whole=False))
                answered = found.answered(engine.model, output.items) if found else []
                await self._end(actor, dataclasses.replace(end, output=tuple(output.items)), key, answered)
        yield Ended(end)

    def _complete(self, response: Response, output: Output, last: ChatDelta) -> Response:
        cut = last.finish_reason == "length"
        return dataclasses.replace(
            response, status=ResponseStatus.INCOMPLETE if cut else ResponseStatus.COMPLETED, output=tuple(output.items),
            usage=last.usage, completed_at=None if cut else self.clock.now(), reason="max_output_tokens" if cut else "",
        )  # fmt: skip

    async def _earlier(self, actor: Actor, asked: Asked) -> _Earlier:
        """Return what a response continues. Raises before the model is asked when the response could not be kept."""
        if not (asked.store or asked.previous_id):
            return _Earlier()
        self._decide(actor)
        if asked.store:
            self.disk.require()

        def look(unit: ConversationsUnit) -> _Earlier:
            if not asked.previous_id:
                self._own.key(unit, actor)
                return _Earlier()
            store, found = self._found(unit, actor, asked.previous_id, code="previous_response_not_found")
            chain = [found]
            while chain[-1].previous_id and len(chain) <= LONGEST_CHAIN:
                before = store.get(chain[-1].previous_id)
                if before is None:
                    raise NotFound("a response before the previous one is gone", code="previous_response_not_found")
                chain.append(before)
            if len(chain) > LONGEST_CHAIN:
                raise Invalid(f"at most {LONGEST_CHAIN} responses can be continued", code="chain_too_long")
            if found.status is ResponseStatus.IN_PROGRESS and found.id in self.running:
                raise Conflict(
                    "the previous response is still being answered", code="response_in_progress", hint="wait for it"
                )
            label = highest([one.label for one in chain])
            unit.audit.record(actor, ResponseRead(resource=_ref(found), label=label, responses=len(chain)))
            items = [item for one in reversed(chain) for item in (*store.inputs(one.id), *one.output)]
            return _Earlier(tuple(items), label, frozenset(one.purpose for one in chain))

        return await self.work.run(look)

    async def _begin(self, actor: Actor, response: Response, asked: Asked) -> Secret | None:
        if not asked.store:
            return None

        def write(unit: ConversationsUnit) -> Secret:
            key, fresh = self._own.key_or_new(unit, actor)
            unit.open_responses(actor.id, key, fresh=fresh).begin(response, asked.items)
            count = len(asked.items)
            event = ResponseKept(resource=_ref(response), label=response.label, outcome=Outcome.STARTED, items=count)
            unit.audit.record(actor, event)
            return key

        self.running.add(response.id)
        try:
            return await self.work.run(write)
        except BaseException:
            self.running.discard(response.id)
            raise

    async def _end(self, actor: Actor, end: Response, key: Secret | None, answered: Sequence[QuestionAnswered]) -> None:
        if key is None and not answered:
            return

        def write(unit: ConversationsUnit) -> None:
            for one in answered:
                unit.audit.record(actor, one)
            if key is None:
                return
            kept = unit.open_responses(actor.id, key).end(end)
            done = kept and end.status in (ResponseStatus.COMPLETED, ResponseStatus.INCOMPLETE)
            event = ResponseEnded(
                resource=_ref(end), label=end.label, outcome=Outcome.DONE if done else Outcome.FAILED,
                reason=end.reason if kept else "deleted meanwhile", items=len(end.output) if kept else 0,
            )  # fmt: skip
            unit.audit.record(actor, event)

        try:
            await self.work.run(write)
        finally:
            self.running.discard(end.id)

    async def get(self, actor: Actor, response_id: str) -> Response:
        """Return a kept response. Raises NotFound, Denied."""
        return (await self._read(actor, response_id))[0]

    async def inputs(self, actor: Actor, response_id: str) -> Sequence[Item]:
        """Return what a kept response was made from: its own items, not those of the responses it continues. Raises as ``get``."""
        return (await self._read(actor, response_id))[1]

    async def _read(self, actor: Actor, response_id: str) -> tuple[Response, Sequence[Item]]:
        self._decide(actor)

        def look(unit: ConversationsUnit) -> tuple[Response, Sequence[Item]]:
            store, found = self._found(unit, actor, response_id)
            unit.audit.record(actor, ResponseRead(resource=_ref(found), label=found.label, responses=1))
            return self._as_it_is(found), store.inputs(found.id)

        return await self.work.run(look)

    async def delete(self, actor: Actor, response_id: str) -> None:
        """Delete a kept response. One that is being answered stops being kept. Raises NotFound, Denied."""
        self._decide(actor)

        def write(unit: ConversationsUnit) -> None:
            store, found = self._found(unit, actor, response_id)
            store.delete(found.id)
            unit.audit.record(actor, ResponseDeleted(resource=_ref(found), label=found.label))

        await self.work.run(write)

    async def cancel(self, actor: Actor, response_id: str) -> Response:
        """Refuse: nothing is answered in the background, so who stops reading has cancelled. Raises NotFound, Denied, Invalid."""
        await self._read(actor, response_id)
        raise Invalid(
            "only responses in the background can be cancelled",
            code="not_background",
            hint="close the connection instead",
        )

    @property
    def _own(self) -> OwnFile:
        return OwnFile(self.keystore, self.clock)

    def _decide(self, actor: Actor) -> None:
        self.policy.decide(actor, Permission.CONVERSATIONS, ResourceRef("responses", actor.id, actor.id, LABEL))

    def _found(
        self, unit: ConversationsUnit, actor: Actor, response_id: str, code: str | None = None
    ) -> tuple[ResponseStore, Response]:
        key = self._own.key(unit, actor)
        store = unit.open_responses(actor.id, key) if key is not None else None
        found = store.get(response_id) if store is not None else None
        if store is None or found is None:
            raise NotFound("no such response", code=code, hint="only responses asked for with store are kept")
        self.policy.decide(actor, Permission.CONVERSATIONS, _ref(found))
        return store, found

    def _as_it_is(self, found: Response) -> Response:
        if found.status is not ResponseStatus.IN_PROGRESS or found.id in self.running:
            return found
        return dataclasses.replace(
            found, status=ResponseStatus.FAILED, reason="stopped", message="PAI was stopped while it answered"
        )


def _ref(response: Response) -> ResourceRef:
    return ResourceRef("response", response.id, response.owner_id, response.label)
