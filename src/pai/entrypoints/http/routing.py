"""Routes that cannot forget authentication: each names one permission, or is on the public list."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute

from pai.core.policy.values import SCOPES, Permission
from pai.entrypoints.http.services import Services
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, Unauthenticated

PUBLIC = frozenset({"/healthz", "/readyz", "/"})
MARK = "permission:"


def services_of(request: Request) -> Services:
    """Return the services of the application."""
    found: Services = request.app.state.services
    return found


@functools.cache
def requires(permission: Permission) -> Callable[[Request], Awaitable[Actor]]:
    """Return the dependency that authenticates a request for a route with this permission.

    The scope is checked here already; the use case decides with the resource in hand.
    """

    async def authenticate(request: Request) -> Actor:
        actor = await services_of(request).keys.authenticate(bearer(request))
        needed = SCOPES[permission]
        if needed is not None and actor.scopes is not None and needed not in actor.scopes:
            raise Denied(f"the key lacks the scope {needed.value!r}", hint=f"make a key with --scopes {needed.value}")
        return actor

    return authenticate


def bearer(request: Request) -> str:
    """Return the key of the Authorization header. Other places (query, cookie, form) are never looked at."""
    values = request.headers.getlist("authorization")
    kind, _, key = (values[0] if len(values) == 1 else "").partition(" ")
    if kind.lower() != "bearer" or not key.strip():
        raise Unauthenticated("an API key is needed", hint="send the header: Authorization: Bearer KEY")
    return key.strip()


def guarded(router: APIRouter, method: str, path: str, permission: Permission, **options: Any) -> Callable[..., Any]:
    """Register a route under exactly one permission."""
    return router.api_route(
        path, methods=[method], tags=[MARK + permission.value], dependencies=[Depends(requires(permission))], **options
    )


def permission_of(route: APIRoute) -> str | None:
    """Return the one permission of a route, None when it has none or several."""
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
        if path in PUBLIC:
            continue
        if not isinstance(route, APIRoute) or permission_of(route) is None:
            raise RuntimeError(f"the route {path} names no permission")
