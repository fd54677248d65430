"""JSON over HTTP on a Unix socket, for workers written in Python: one small ASGI application per worker."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any] | AsyncIterator[dict[str, Any]]]]


class Refusal(Exception):
    """A request that cannot be answered: answered with 400 and this message."""


def application(handlers: dict[str, Handler]) -> Any:
    """Return an ASGI application that answers POSTs by path. A handler that returns an iterator is streamed as events."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/health":
            await _answer(send, 200, {"status": "ok"})
            return
        handler = handlers.get(scope["path"])
        if handler is None:
            await _answer(send, 404, {"error": {"message": "no such path"}})
            return
        try:
            result = await handler(msgspec.json.decode(await _body(receive), type=dict[str, Any]))
        except (Refusal, msgspec.MsgspecError, KeyError, TypeError) as error:
            await _answer(send, 400, {"error": {"message": str(error), "type": "invalid_request_error"}})
            return
        if isinstance(result, dict):
            await _answer(send, 200, result)
            return
        await _begin(send, 200, b"text/event-stream")
        async for event in result:
            await send(
                {
                    "type": "http.response.body",
                    "body": b"data: " + msgspec.json.encode(event) + b"\n\n",
                    "more_body": True,
                }
            )
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    return app


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message: dict[str, Any] = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _begin(send: Any, status: int, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})


async def _answer(send: Any, status: int, value: dict[str, Any]) -> None:
    await _begin(send, status, b"application/json")
    await send({"type": "http.response.body", "body": msgspec.json.encode(value)})


def serve(app: Any, path: Path) -> None:
    """Serve until terminated."""
    import uvicorn

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(64)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", ws="none", loop="asyncio", http="h11"
    )
    uvicorn.Server(config).run(sockets=[listener])
