"""Before any route: Host check, size limits, security headers. Pure ASGI, so that streams stay streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from pai.core.ports.metrics import REQUESTS, SILENT, Meter
from pai.entrypoints.http.dialects import Dialect, Told, note, spoken
from pai.entrypoints.http.routing import PUBLIC
from pai.entrypoints.http.surprises import log_surprise
from pai.foundation.errors import Invalid, PaiError, TooLarge
from pai.foundation.ids import new_id

PUBLIC_BYTES = 16 * 1024
_WHOLE_FILES = frozenset(
    {
        "/v1/files",
        "/pai/v1/ocr",
        "/pai/v1/transcriptions",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
    }
)
"""Where files come in piece by piece, besides documents."""
HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Walls:
    """Wraps the application. ``hosts`` are the names a Host header may carry (DNS rebinding is refused here)."""

    def __init__(
        self, app: Any, *, hosts: frozenset[str], json_bytes: int, upload_bytes: int, dialects: Sequence[Dialect] = (),
        meter: Meter = SILENT,
    ) -> None:  # fmt: skip
        self.inner = app
        self._hosts = hosts
        self._json = json_bytes
        self._upload = upload_bytes
        self._dialects = dialects
        self._meter = meter

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer, or refuse before anything is parsed."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.inner(scope, receive, send)
            return
        dialect = spoken(self._dialects, scope["path"], Headers(scope=scope))
        request_id = new_id("req")
        note(scope, dialect, request_id)
        send = _with_headers(self._counted(scope, dialect, send), (dialect.id_header.encode(), request_id.encode()))
        limit = self._limit(scope)
        refusal = self._refusal(scope, limit)
        if refusal is not None:
            await _refuse(send, dialect, Told(refusal, dialect.status(refusal), None, request_id))
            return
        try:
            await self.inner(scope, _bounded(receive, limit), send)
        except Exception as error:  # noqa: BLE001  the edge of the process: the client has its 500 already
            log_surprise(error, request_id)

    def _counted(self, scope: dict[str, Any], dialect: Dialect, send: Any) -> Any:
        async def sender(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                # The route as it is registered, never the path: that may hold ids, and anything that a stranger likes.
                route = getattr(scope.get("route"), "path", "none")
                self._meter.count(REQUESTS, dialect.name or "PAI", route, f"{message['status'] // 100}xx")
            await send(message)

        return sender

    def _limit(self, scope: dict[str, Any]) -> int:
        """Return how many bytes the body may have."""
        if scope["path"] in PUBLIC:
            return PUBLIC_BYTES  # strangers get no more parsed than a form needs
        return self._upload if _streamed(scope, dict(scope["headers"])) else self._json

    def _refusal(self, scope: dict[str, Any], limit: int) -> PaiError | None:
        named = [value for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1 or _name(named[0]) not in self._hosts:
            hint = "use https://localhost:PORT, or add the name to the setting server.names"
            return Invalid("this Host header is not one of PAI's names", code="bad_host", hint=hint)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            size = f"{limit >> 20} MB" if limit >> 20 else f"{limit >> 10} KB"
            return TooLarge(f"the body is larger than {size}")
        return None


def _name(host: bytes) -> str:
    text = host.decode("latin-1").lower()
    before, _, port = text.rpartition(":")
    return (before if port.isdigit() and before else text).strip("[]")


def _streamed(scope: dict[str, Any], headers: dict[bytes, bytes]) -> bool:
    """Tell whether this body is taken in piece by piece; every other body is read whole, so it has to be small."""
    multipart = headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
    return (
        multipart
        and scope["method"] == "POST"
        and (scope["path"].endswith("/documents") or scope["path"] in _WHOLE_FILES)
    )


class BodyTooLarge(HTTPException):
    """A body without a truthful length passed the limit. An HTTPException, so that body readers let it through."""

    def __init__(self) -> None:
        super().__init__(413)


def _bounded(receive: Any, limit: int) -> Any:
    seen = 0

    async def bounded() -> dict[str, Any]:
        nonlocal seen
        message: dict[str, Any] = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise BodyTooLarge
        return message

    return bounded


def _with_headers(send: Any, own: tuple[bytes, bytes]) -> Any:
    async def sender(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", ())}
            added = [pair for pair in (own, *HEADERS) if pair[0] not in present]
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    return sender


async def _refuse(send: Any, dialect: Dialect, told: Told) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(dialect.shape(told))})
