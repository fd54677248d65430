"""Answers that come in pieces: they end with the credential they were asked with, and with their reader."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, TypeVar

from fastapi import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pai.entrypoints.http.authentication import ended, liveness_of
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, PaiError
from pai.foundation.time import utc_now

Piece = TypeVar("Piece")
_closing: set[asyncio.Task[None]] = set()


class ReaderGone(PaiError):
    """The client closed the connection; nobody will see this answer."""

    status = 499
    default_code = "client_gone"


async def while_valid(
    request: Request, actor: Actor, source: AsyncIterator[Piece], *, watch_reader: bool = False
) -> AsyncGenerator[Piece, None]:
    """Yield the pieces of ``source``, and close it (which stops the model) however this ends.

    Raises Unauthenticated as soon as the actor's session or key ends, Denied as soon as something they could read is taken back, both
    also while a piece is being waited for, and with
    ``watch_reader`` ReaderGone when the client goes away (once a streaming response has begun, the server tells it too).
    """
    coming: asyncio.Future[Piece] | None = None
    liveness = liveness_of(request, actor)
    with liveness.stream(actor) as over_now:
        over: list[asyncio.Task[Any]] = [asyncio.create_task(_ending(over_now, actor))]
        if watch_reader:
            over.append(asyncio.create_task(_gone(request)))
        try:
            while True:
                coming = asyncio.ensure_future(anext(source))
                await asyncio.wait([coming, *over], return_when=asyncio.FIRST_COMPLETED)
                if over[0].done():
                    raise taken_back() if over_now.is_set() and not liveness.over(actor) else ended()
                if not coming.done():
                    raise ReaderGone("the client went away")
                try:
                    piece = coming.result()
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            for task in over:
                task.cancel()
            # In a task of its own: the request's task may be cancelled again while the model is being stopped.
            closing = asyncio.create_task(_close(coming, source))
            _closing.add(closing)
            closing.add_done_callback(_closing.discard)
            await asyncio.shield(closing)


def taken_back() -> Denied:
    """Return the error for a stream of somebody from whom a share was taken. Any stream of theirs may hold what it gave."""
    return Denied(
        "something that you could read was taken back while this was answered", code="access_changed", hint="ask again"
    )


async def _ending(over_now: asyncio.Event, actor: Actor) -> None:
    """Return when the actor's credential is ended, or ends by itself."""
    left = (actor.until - utc_now()).total_seconds() if actor.until is not None else None
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(over_now.wait(), left)


async def together(sources: Sequence[AsyncIterator[Piece]]) -> AsyncGenerator[tuple[int, Piece], None]:
    """Yield (number of its source, piece) from all sources as they come, and close them all however this ends."""
    coming = {asyncio.ensure_future(anext(source)): number for number, source in enumerate(sources)}
    try:
        while coming:
            done, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
            for ready in sorted(done, key=coming.__getitem__):
                number = coming.pop(ready)
                try:
                    piece = ready.result()
                except StopAsyncIteration:
                    continue
                yield number, piece
                coming[asyncio.ensure_future(anext(sources[number]))] = number
    finally:
        waiting = {number: future for future, number in coming.items()}
        await asyncio.gather(*(_close(waiting.get(number), source) for number, source in enumerate(sources)))


async def first_of(pieces: AsyncGenerator[Piece, None]) -> Piece | None:
    """Return the first piece, None when there is none. Raises what refused it, with ``pieces`` closed."""
    try:
        return await anext(pieces, None)
    except BaseException:
        await pieces.aclose()
        raise


async def with_silences(
    first: Piece | None, rest: AsyncGenerator[Piece, None], seconds: float
) -> AsyncGenerator[Piece | None, None]:
    """Yield ``first`` and the pieces after it, and None whenever none has come for so long. Closes ``rest`` however this ends."""
    coming: asyncio.Future[Piece] | None = None
    piece = first
    try:
        while piece is not None:
            yield piece
            coming = asyncio.ensure_future(anext(rest))
            while not (await asyncio.wait([coming], timeout=seconds))[0]:
                yield None
            try:
                piece = coming.result()
            except StopAsyncIteration:
                return
    finally:
        await _close(coming, rest)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _close(coming: asyncio.Future[Any] | None, source: AsyncIterator[Any]) -> None:
    if coming is not None and not coming.done():
        coming.cancel()
    if coming is not None:
        # What it raised was told already, or nobody is there to be told.
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, PaiError):
            await coming
    if isinstance(source, AsyncGenerator):
        await source.aclose()


class PieceResponse(StreamingResponse):
    """A streaming response that closes its ``source`` for certain, not when the garbage collector comes by.

    The source is named beside the content: a client that leaves before the first byte leaves the content unbegun, and a generator that
    was never begun closes nothing.
    """

    def __init__(self, content: AsyncGenerator[bytes, None], source: AsyncGenerator[Any, None], **options: Any) -> None:
        super().__init__(content, **options)
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the pieces; close the source when all are sent or the client is gone."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()
            await self._source.aclose()
