"""Answers as newline-delimited JSON: one event a line, blocks already sanitised."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from fastapi import Request

from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.web.markdown import GrowingText
from pai.foundation.actor import Actor
from pai.foundation.errors import PaiError

Event = dict[str, Any]
RENDER_SECONDS = 0.06
"""Text is rendered at most this often: an eye sees no more, and the event loop has other streams to serve."""


async def lines(request: Request, actor: Actor, events: AsyncGenerator[Event, None]) -> PieceResponse:
    """Return the events as a response; what is refused before the first one is raised, so that it gets its status.

    It ends with the session, and a reader who goes away closes ``events``, which stops the model.
    """
    told = while_valid(request, actor, events)
    first = await first_of(told)
    return PieceResponse(
        _encoded(first, told), told, media_type="application/x-ndjson", headers={"x-accel-buffering": "no"}
    )


async def _encoded(first: Event | None, events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
    event = first
    try:
        while event is not None:
            yield msgspec.json.encode(event) + b"\n"
            event = await anext(events, None)
    except PaiError as error:
        told = {
            "type": "error",
            "status": error.status,
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        yield msgspec.json.encode(told) + b"\n"
    finally:
        await events.aclose()


class Growing:
    """An answer that grows, rendered no more often than an eye can see."""

    def __init__(self, *, citations: bool = False) -> None:
        self._text = GrowingText(citations=citations)
        self._waiting = ""
        self._rendered = 0.0

    def add(self, piece: str) -> list[Event]:
        """Take a piece in; return the events that are due."""
        self._waiting += piece
        return self.rest() if time.monotonic() - self._rendered >= RENDER_SECONDS else []

    def rest(self) -> list[Event]:
        """Return what has not been told yet."""
        if not self._waiting:
            return []
        start, blocks = self._text.add(self._waiting)
        self._waiting, self._rendered = "", time.monotonic()
        return [{"type": "blocks", "from": start, "blocks": blocks}]
