"""The HTTP application with all its ways in: one list, for the gateway, the tests and the generated reference."""

from __future__ import annotations

from pai.entrypoints.http.app import create_app
from pai.entrypoints.http.services import Services
from pai.entrypoints.http.walls import Walls
from pai.entrypoints.openai_api.routes import ROUTERS as OPENAI
from pai.entrypoints.pai_api.routes import router as pai_router
from pai.entrypoints.web.browser import error_page
from pai.entrypoints.web.routes import routes as web_routes


def application(services: Services) -> Walls:
    """Return the ASGI application. Raises RuntimeError for a route that names no permission."""
    return create_app(services, [*OPENAI, pai_router, web_routes(services)], error_page)
