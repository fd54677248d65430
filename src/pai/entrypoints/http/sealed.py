"""What is served while the installation is sealed: that it lives, that it is not ready, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

_HEADERS: Final = (
    (b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"), (b"connection", b"close"), (b"retry-after", b"30"),
)  # fmt: skip
_REFUSED: Final = {
    "error": {
        "code": "sealed",
        "message": "PAI is sealed",
        "hint": "whoever holds the console opens it: pai keys unseal",
        "type": "sealed",
    }
}


class Face:
    """The application that a server shows; which one can change while it serves."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on to what is shown now."""
        await self.inner(scope, receive, send)


def sealed_app(reason: Callable[[], str]) -> Any:
    """Return an application that reads no request's body, header or credential. ``reason`` is what `/readyz` says."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ARG001
        if scope["type"] != "http":
            return
        body, status = _answer(scope["method"], scope["path"], reason())
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def _answer(method: str, path: str, reason: str) -> tuple[bytes, int]:
    if method in ("GET", "HEAD") and path == "/healthz":
        return msgspec.json.encode({"status": "ok"}), 200
    if method in ("GET", "HEAD") and path == "/readyz":
        return msgspec.json.encode({"ready": False, "reason": reason}), 503
    return msgspec.json.encode(_REFUSED), 503
