"""Routes that cannot forget authentication: each names one permission, or is on the public list."""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from pai.core.policy.values import SCOPES, Permission
from pai.entrypoints.http.authentication import authenticate, ended, liveness_of
from pai.entrypoints.http.services import Services
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied

PUBLIC = frozenset({"/healthz", "/readyz", "/login", "/setup", "/"})
"""The complete list of paths that answer without a credential; below ``/static`` lie files that are the same for everyone."""
STATIC = "/static/{name}"
MARK = "permission:"


class StrictRequest(Request):
    """A request whose JSON is what RFC 8259 says: UTF-8, no NaN, no half surrogate pairs, which nothing behind could store."""

    async def json(self) -> Any:
        """Return the body's value. Raises as the framework expects of a malformed one, without repeating content."""
        body = await self.body()
        try:
            return msgspec.json.decode(body)
        except (ValueError, RecursionError):
            raise json.JSONDecodeError("not valid JSON", "", 0) from None


class GuardedRoute(APIRoute):
    """A route that knows who asks before it reads the body: strangers get nothing parsed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler behind authentication."""
        handle = super().get_route_handler()
        known = requires(Permission(permission_of(self) or ""))

        async def guard(request: Request) -> Response:
            await known(request)
            return await handle(StrictRequest(request.scope, request.receive))

        return guard


def services_of(request: Request) -> Services:
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


@functools.cache
def requires(permission: Permission) -> Callable[[Request], Awaitable[Actor]]:
    """Return the dependency that authenticates a request for a route with this permission.

    The scope is checked here already; the use case decides with the resource in hand.
    """

    async def known(request: Request) -> Actor:
        actor: Actor | None = getattr(request.state, "actor", None)
        if actor is None:
            actor = request.state.actor = await authenticate(request)
        elif liveness_of(request, actor).over(actor):
            # Asked again once the body has been read, which a client can make last as long as it likes.
            raise ended()
        needed = SCOPES[permission]
        if needed is not None and actor.scopes is not None and needed not in actor.scopes:
            raise Denied(f"the key lacks the scope {needed.value!r}", hint=f"make a key with --scopes {needed.value}")
        return actor

    return known


def guarded(router: APIRouter, method: str, path: str, permission: Permission, **options: Any) -> Callable[..., Any]:
    """Register a route under exactly one permission."""
    options.setdefault("route_class_override", GuardedRoute)

    def register(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        router.add_api_route(
            path, endpoint, methods=[method], tags=[MARK + permission.value],
            dependencies=[Depends(requires(permission))], **options,
        )  # fmt: skip
        return endpoint

    return register


def permission_of(route: object) -> str | None:
    """Return the one permission of a route, None when it has none or several."""
    if not isinstance(route, APIRoute):
        return None
    named = [str(tag).removeprefix(MARK) for tag in route.tags if str(tag).startswith(MARK)]
    return named[0] if len(named) == 1 else None


def routes_of(router: Any) -> Iterator[Any]:
    """Yield every route, those of included routers too."""
    for route in router.routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included)
        else:
            yield route


def check_routes(app: FastAPI) -> None:
    """Refuse to start with a route that is neither public nor under exactly one permission."""
    for route in routes_of(app):
        path = getattr(route, "path", "?")
        if path in PUBLIC or path == STATIC:
            continue
        if not isinstance(route, GuardedRoute) or permission_of(route) is None:
            raise RuntimeError(f"the route {path} names no permission")
