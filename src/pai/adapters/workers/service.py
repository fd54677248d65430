"""JSON over HTTP/1.1 on a Unix socket, for workers written in Python: one connection per request (h11, RFC 9112).

A client that closes its side cancels what was being done for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import h11
import msgspec

from pai.adapters.workers.kinds import SOCKET_NAME

Reply = dict[str, Any] | AsyncIterator[dict[str, Any]]
Routes = Mapping[str, Callable[[dict[str, Any]], Awaitable[Reply]]]
"""Handlers by path. A handler gets the decoded body and returns one object, or an iterator streamed as events."""

_MAX_BODY: Final = 64 << 20
_BACKLOG: Final = 128


class RefusedError(Exception):
    """A request that cannot be answered: 400 with this message and ``kind``, as llama.cpp's server words it."""

    def __init__(self, message: str, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.kind = kind


def listen() -> socket.socket:
    """Return the worker's listener, bound in its working folder (0700 by umask). Call it before the walls go up."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET_NAME)
    listener.listen(_BACKLOG)
    return listener


def serve(listener: socket.socket, routes: Routes) -> None:
    """Answer on ``listener`` until the process is ended."""

    async def run() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _Exchange(reader, writer, routes).run()

        async with await asyncio.start_unix_server(answer, sock=listener) as server:
            await server.serve_forever()

    asyncio.run(run())


class _Exchange:
    """One request and its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, routes: Routes) -> None:
        self._reader = reader
        self._writer = writer
        self._routes = routes
        self._http = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        with contextlib.suppress(ConnectionError, h11.RemoteProtocolError):  # a client that left or speaks no HTTP
            try:
                path, body = await self._request()
                await self._answer_unless_left(path, body)
            finally:
                self._writer.close()

    async def _request(self) -> tuple[str, bytes]:
        path, body = "", bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(65536))
            elif isinstance(event, h11.Request):
                path = event.target.decode("ascii", "replace")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _MAX_BODY:
                    raise ConnectionAbortedError("the request is too large")
            elif isinstance(event, h11.EndOfMessage):
                return path, bytes(body)
            else:
                raise ConnectionAbortedError("the client left")

    async def _answer_unless_left(self, path: str, body: bytes) -> None:
        answer = asyncio.ensure_future(self._answer(path, body))
        # The request is complete: anything readable now means that the client has closed.
        left = asyncio.ensure_future(self._reader.read(1))
        try:
            await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answer, left):
                if not task.done():
                    task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await left  # a connection that broke is a client that left
        with contextlib.suppress(asyncio.CancelledError):
            await answer

    async def _answer(self, path: str, body: bytes) -> None:
        if path == "/health":
            await self._whole(200, {"status": "ok"})
            return
        handler = self._routes.get(path)
        if handler is None:
            await self._whole(404, {"error": {"code": 404, "message": "no such path", "type": "not_found_error"}})
            return
        try:
            reply = await handler(msgspec.json.decode(body, type=dict[str, Any]))
        except RefusedError as error:
            await self._whole(400, {"error": {"code": 400, "message": str(error), "type": error.kind}})
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError, RecursionError):
            problem = {"code": 400, "message": "the request is malformed", "type": "invalid_request_error"}
            await self._whole(400, {"error": problem})
        else:
            if isinstance(reply, dict):
                await self._whole(200, reply)
            else:
                await self._events(reply)

    async def _whole(self, status: int, value: dict[str, Any]) -> None:
        data = msgspec.json.encode(value)
        self._write(self._head(status, b"application/json", (b"content-length", str(len(data)).encode())))
        self._write(h11.Data(data))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    async def _events(self, events: AsyncIterator[dict[str, Any]]) -> None:
        self._write(self._head(200, b"text/event-stream"))
        async for event in events:
            self._write(h11.Data(b"data: " + msgspec.json.encode(event) + b"\n\n"))
            await self._writer.drain()
        self._write(h11.Data(b"data: [DONE]\n\n"))
        self._write(h11.EndOfMessage())
        await self._writer.drain()

    @staticmethod
    def _head(status: int, kind: bytes, *more: tuple[bytes, bytes]) -> h11.Response:
        return h11.Response(status_code=status, headers=[(b"content-type", kind), (b"connection", b"close"), *more])

    def _write(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> None:
        data = self._http.send(event)
        if data:
            self._writer.write(data)
