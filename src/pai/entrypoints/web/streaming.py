"""Answers as newline-delimited JSON: one event a line, blocks already sanitised."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from fastapi.responses import StreamingResponse

from pai.core.ports.engine import ChatDelta
from pai.entrypoints.web.markdown import GrowingText
from pai.foundation.errors import PaiError, Unauthenticated

Event = dict[str, Any]
RENDER_SECONDS = 0.06
"""Text is rendered at most this often: an eye sees no more, and the event loop has other streams to serve."""
_QUEUE = 64
_running: set[asyncio.Task[None]] = set()


def lines(events: AsyncIterator[Event]) -> StreamingResponse:
    """Return the events as a response. A reader who goes away closes ``events``, and with them the generation."""
    return StreamingResponse(
        _encoded(_carried(events)), media_type="application/x-ndjson", headers={"x-accel-buffering": "no"}
    )


def error_event(error: PaiError) -> Event:
    """Return an error that came after the stream had begun."""
    return {"type": "error", "status": error.status, "code": error.code, "message": error.message, "hint": error.hint}


async def answer_events(deltas: AsyncIterator[ChatDelta], alive: Callable[[], bool]) -> AsyncIterator[Event]:
    """Yield block events of an answer as it grows, then ``done``. Ends when ``alive`` says that the session has."""
    growing, waiting, rendered, finish = GrowingText(), "", 0.0, "stop"
    try:
        async for delta in deltas:
            if not alive():
                raise Unauthenticated("your session has ended", hint="log in again")
            waiting += delta.text
            finish = delta.finish_reason or finish
            if waiting and time.monotonic() - rendered >= RENDER_SECONDS:
                yield _blocks(growing, waiting)
                waiting, rendered = "", time.monotonic()
        if waiting:
            yield _blocks(growing, waiting)
        yield {"type": "done", "finish": finish}
    except PaiError as error:
        yield error_event(error)
    finally:
        await deltas.aclose()  # type: ignore[attr-defined]  # every engine's answer is an asynchronous generator


def _blocks(growing: GrowingText, piece: str) -> Event:
    start, blocks = growing.add(piece)
    return {"type": "blocks", "from": start, "blocks": blocks}


async def _encoded(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        yield msgspec.json.encode(event) + b"\n"


async def _carried(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Yield the events from a task of their own.

    When the reader goes away, the server cancels the response again at each await, so that clean-up there could not
    wait for anything. A task that is cancelled once can: it stops the model and keeps what was said.
    """
    queue: asyncio.Queue[Event] = asyncio.Queue(_QUEUE)

    async def carry() -> None:
        try:
            async for event in events:
                await queue.put(event)
        finally:
            await events.aclose()  # type: ignore[attr-defined]  # an asynchronous generator

    task = asyncio.create_task(carry())
    _running.add(task)
    task.add_done_callback(_running.discard)
    waiting: asyncio.Task[Event] | None = None
    try:
        while True:
            waiting = asyncio.create_task(queue.get())
            await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                break
            yield waiting.result()
        while not queue.empty():
            yield queue.get_nowait()
        await task
    finally:
        if waiting is not None:
            waiting.cancel()
        task.cancel()
