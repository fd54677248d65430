"""Open streams end with the credential they were opened with, on every way in that streams."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect

import pai
from pai.core.identity.liveness import Liveness
from pai.core.ports.engine import ChatDelta
from pai.entrypoints.http.streams import PieceResponse, while_valid, with_silences
from pai.entrypoints.openai_api.chat import chat_completions
from pai.entrypoints.openai_api.dialect import DIALECT
from pai.entrypoints.openai_api.schemas import ChatCompletion
from pai.foundation.actor import Actor, ActorKind, Role
from pai.foundation.errors import Unauthenticated, Unavailable
from pai.foundation.refs import ModelRef
from pai.foundation.time import utc_now

KEY = Actor("usr_1", "a@pai.test", ActorKind.PERSON, Role.MEMBER, key_id="key_1")
SESSION = Actor("usr_1", "a@pai.test", ActorKind.PERSON, Role.MEMBER, session_id="ses_1")


class Endless:
    """An answer that gives one piece, then waits. ``closed`` tells that the model was stopped."""

    def __init__(self) -> None:
        self.closed = False

    async def pieces(self) -> AsyncGenerator[ChatDelta, None]:
        try:
            yield ChatDelta("one ")
            await asyncio.Event().wait()
        finally:
            self.closed = True


def request_with(answer: Endless) -> tuple[Request, SimpleNamespace]:
    async def start_chat(*_: object, **_named: object) -> tuple[Any, AsyncIterator[ChatDelta]]:
        return SimpleNamespace(model=ModelRef("echo", "")), answer.pieces()

    services = SimpleNamespace(
        keys=SimpleNamespace(liveness=Liveness()), sessions=SimpleNamespace(liveness=Liveness()),
        inference=SimpleNamespace(start_chat=start_chat),
    )  # fmt: skip
    state = SimpleNamespace(services=services)
    found = SimpleNamespace(
        app=SimpleNamespace(state=state), state=SimpleNamespace(dialect=DIALECT, request_id="req_1"),
        receive=asyncio.Event().wait,
    )  # fmt: skip
    return cast("Request", found), services


@pytest.mark.parametrize("actor", [KEY, SESSION])
async def test_a_piece_that_is_waited_for_ends_with_the_credential(actor: Actor) -> None:
    answer = Endless()
    request, services = request_with(answer)
    pieces = while_valid(request, actor, answer.pieces())
    assert (await anext(pieces)).text == "one "
    waiting = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    services.keys.liveness.end("key_2")
    services.sessions.liveness.end("ses_2")
    await asyncio.sleep(0.01)
    assert not waiting.done()
    services.keys.liveness.end("key_1")
    services.sessions.liveness.end("ses_1")
    with pytest.raises(Unauthenticated):
        await asyncio.wait_for(waiting, 5)
    assert answer.closed


async def test_a_stream_ends_when_its_key_does_by_itself() -> None:
    answer = Endless()
    request, _ = request_with(answer)
    short = dataclasses.replace(KEY, until=utc_now() + timedelta(seconds=0.3))
    pieces = while_valid(request, short, answer.pieces())
    assert (await anext(pieces)).text == "one "
    with pytest.raises(Unauthenticated):
        await asyncio.wait_for(anext(pieces), 5)
    assert answer.closed


async def test_a_reader_who_goes_away_stops_the_model() -> None:
    answer = Endless()
    request, _ = request_with(answer)
    pieces = while_valid(request, KEY, answer.pieces())
    await anext(pieces)
    await pieces.aclose()
    assert answer.closed


async def test_a_reader_who_has_gone_before_the_first_byte_stops_the_model() -> None:
    answer = Endless()
    request, _ = request_with(answer)
    asked = {"model": "default", "messages": [{"role": "user", "content": "x"}], "stream": True}
    response = await chat_completions(request, ChatCompletion.model_validate(asked), KEY)

    async def send(_message: object) -> None:
        raise OSError

    with pytest.raises(ClientDisconnect):
        await response({"type": "http", "asgi": {"spec_version": "2.4"}}, request.receive, send)
    assert answer.closed


async def test_a_revoked_key_ends_its_streams_in_openais_dialect() -> None:
    answer = Endless()
    request, services = request_with(answer)
    body = ChatCompletion.model_validate(
        {"model": "default", "messages": [{"role": "user", "content": "x"}], "stream": True}
    )
    response = await chat_completions(request, body, KEY)
    assert isinstance(response, PieceResponse)
    events = cast("AsyncGenerator[bytes, None]", response.body_iterator)
    assert b"assistant" in await anext(events)
    assert b"one " in await anext(events)
    services.keys.liveness.end("key_1")
    last = await asyncio.wait_for(anext(events), 5)
    assert b"session_ended" in last
    assert answer.closed


async def test_when_a_later_answer_cannot_begin_the_earlier_ones_end() -> None:
    begun: list[Endless] = []

    async def start_chat(*_: object, **_named: object) -> tuple[Any, AsyncIterator[ChatDelta]]:
        if len(begun) == 2:
            raise Unavailable("the worker stopped")
        begun.append(Endless())
        pieces = begun[-1].pieces()
        await anext(pieces)  # as the real one: its end is recorded from here on
        return SimpleNamespace(model=ModelRef("echo", "")), pieces

    request, services = request_with(Endless())
    services.inference.start_chat = start_chat
    body = ChatCompletion.model_validate({"model": "default", "n": 3, "messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(Unavailable):
        await chat_completions(request, body, KEY)
    assert [answer.closed for answer in begun] == [True, True]


async def test_an_end_that_cannot_be_recorded_keeps_no_other_from_being_recorded() -> None:
    closed: list[int] = []

    async def start_chat(*_: object, **_named: object) -> tuple[Any, AsyncIterator[ChatDelta]]:
        if len(answers) == 3:
            raise Unavailable("the worker stopped")
        number = len(answers)

        async def pieces() -> AsyncGenerator[ChatDelta, None]:
            try:
                yield ChatDelta()
            finally:
                closed.append(number)
                if number == 0:
                    raise Unavailable("the disk is full")

        answers.append(pieces())
        await anext(answers[-1])
        return SimpleNamespace(model=ModelRef("echo", "")), answers[-1]

    answers: list[AsyncGenerator[ChatDelta, None]] = []
    request, services = request_with(Endless())
    services.inference.start_chat = start_chat
    body = ChatCompletion.model_validate({"model": "default", "n": 4, "messages": [{"role": "user", "content": "x"}]})
    with pytest.raises(Unavailable, match="the worker stopped"):
        await chat_completions(request, body, KEY)
    assert sorted(closed) == [0, 1, 2]


async def test_silence_is_told_and_its_end_stops_the_model() -> None:
    answer = Endless()
    pieces = with_silences(ChatDelta("zero "), answer.pieces(), 0.01)
    told = [await anext(pieces) for _ in range(4)]
    assert [piece and piece.text for piece in told] == ["zero ", "one ", None, None]
    await pieces.aclose()
    assert answer.closed


async def test_what_ends_is_no_silence() -> None:
    async def two() -> AsyncGenerator[ChatDelta, None]:
        yield ChatDelta("two")

    assert [piece async for piece in with_silences(ChatDelta("one"), two(), 5)] == [ChatDelta("one"), ChatDelta("two")]
    assert [piece async for piece in with_silences(None, two(), 5)] == []


async def test_a_revoked_key_ends_a_whole_answer_too() -> None:
    answer = Endless()
    request, services = request_with(answer)
    body = ChatCompletion.model_validate({"model": "default", "messages": [{"role": "user", "content": "x"}]})
    coming = asyncio.ensure_future(chat_completions(request, body, KEY))
    await asyncio.sleep(0.01)
    services.keys.liveness.end("key_1")
    with pytest.raises(Unauthenticated):
        await asyncio.wait_for(coming, 5)
    assert answer.closed


def test_no_way_in_streams_past_the_credential() -> None:
    folder = Path(pai.__file__).parent / "entrypoints"
    for path in folder.rglob("*.py"):
        if path.name == "streams.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            assert called not in {"StreamingResponse", "EventSourceResponse"}, path
