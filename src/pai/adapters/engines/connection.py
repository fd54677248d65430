"""A small HTTP/1.1 client for workers on Unix sockets: one connection per request, closed to cancel (h11, RFC 9112)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import h11
import msgspec

MAX_WHOLE: Final = 256 << 20
"""Bytes that a whole (not streamed) answer may have."""

_MAX_LINE: Final = 4 << 20


class WorkerGoneError(Exception):
    """The worker is gone, or went away before its answer was whole."""


class Response:
    """An answer whose head has come. ``status`` is the HTTP status."""

    def __init__(self, http: h11.Connection, reader: asyncio.StreamReader, status: int) -> None:
        self._http = http
        self._reader = reader
        self.status = status

    async def whole(self) -> bytes:
        """Return the body."""
        body = bytearray()
        async for piece in self._pieces():
            body += piece
            if len(body) > MAX_WHOLE:
                raise WorkerGoneError("the worker's answer is too long")
        return bytes(body)

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the data of each server-sent event (WHATWG HTML, section 9.2), until ``[DONE]``."""
        rest = b""
        async for piece in self._pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                name, _, value = line.partition(b":")
                if name in {b"data", b"error"} and value.strip() != b"[DONE]":
                    yield value.strip()
            if len(rest) > _MAX_LINE:
                raise WorkerGoneError("an event of the worker is too long")

    async def _pieces(self) -> AsyncIterator[bytes]:
        while True:
            event = await _next(self._http, self._reader)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return


@asynccontextmanager
async def request(socket_path: Path, method: str, target: str, body: object = None) -> AsyncIterator[Response]:
    """Send one request with a JSON body and give its answer; leaving the block closes the connection.

    Raises WorkerGoneError when the worker cannot be reached or goes away.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
    except OSError as error:
        raise WorkerGoneError(str(error)) from error
    http = h11.Connection(h11.CLIENT)
    try:
        data = b"" if body is None else msgspec.json.encode(body)
        headers = [
            ("host", "worker"),
            ("connection", "close"),
            ("content-type", "application/json"),
            ("content-length", str(len(data))),
        ]
        head = http.send(h11.Request(method=method, target=target, headers=headers)) or b""
        writer.write(head + (http.send(h11.Data(data)) or b"") + (http.send(h11.EndOfMessage()) or b""))
        event: object = None
        while not isinstance(event, h11.Response):
            event = await _next(http, reader)
        yield Response(http, reader, event.status_code)
    finally:
        writer.transport.abort()  # whatever is still unsent is of no use


async def _next(http: h11.Connection, reader: asyncio.StreamReader) -> object:
    try:
        while (event := http.next_event()) is h11.NEED_DATA:
            http.receive_data(await reader.read(65536))
    except (OSError, h11.RemoteProtocolError) as error:
        raise WorkerGoneError(str(error)) from error
    if isinstance(event, h11.ConnectionClosed):
        raise WorkerGoneError("the worker closed the connection")
    return event
