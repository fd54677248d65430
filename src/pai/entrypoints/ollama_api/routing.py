"""Routes of Ollama's dialect."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from pai.entrypoints.http.routing import GuardedRoute


class AnyTypeRoute(GuardedRoute):
    """A guarded route whose body is JSON whatever its content type says: Ollama's clients say nothing, or what ``curl -d`` says.

    Browsers let any page send such bodies, which is no harm here: no cookie opens these routes.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        handle = super().get_route_handler()

        async def as_json(request: Request) -> Response:
            kept = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
            request.scope["headers"] = [*kept, (b"content-type", b"application/json")]
            return await handle(request)

        return as_json


ANY_TYPE: Final[dict[str, Any]] = {"route_class_override": AnyTypeRoute}
