"""The routes that are registered, for tests that walk all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from fastapi.routing import APIRoute
from starlette.routing import Route

from pai.bootstrap.application import application
from pai.core.ports.metrics import SILENT
from pai.entrypoints.http.routing import routes_of
from pai.entrypoints.http.services import Services


def all_routes() -> list[tuple[str, str]]:
    """Every route that is registered, pages included; not what some description says of them."""
    services = SimpleNamespace(json_bytes=1, upload_bytes=1, hosts=frozenset(), meter=SILENT)
    app = application(cast("Services", services))
    found = [route for route in routes_of(app.inner) if isinstance(route, Route | APIRoute)]
    return sorted({(method, route.path) for route in found for method in route.methods or () if method != "HEAD"})
