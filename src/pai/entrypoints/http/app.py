"""The HTTP application: walls, error translation, probes, and the routers that composition passes in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pai import __version__
from pai.entrypoints.http.routing import check_routes
from pai.entrypoints.http.services import Services
from pai.entrypoints.http.walls import BodyTooLarge, Walls
from pai.foundation.errors import Invalid, NotFound, PaiError, Throttled, TooLarge

_log = logging.getLogger("pai.http")
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def create_app(services: Services, routers: Sequence[APIRouter]) -> Any:
    """Return the ASGI application. Raises RuntimeError for a route without a permission."""
    app = FastAPI(title="PAI", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.add_exception_handler(PaiError, _on_pai_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(BodyTooLarge, _on_too_large)
    app.add_exception_handler(Exception, _on_surprise)
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    app.add_api_route("/readyz", _readyz, methods=["GET"])
    for router in routers:
        app.include_router(router)
    check_routes(app)
    return Walls(app, hosts=services.hosts, json_bytes=services.json_bytes, upload_bytes=services.upload_bytes)


async def _healthz() -> dict[str, str]:
    return {"status": "ok"}


async def _readyz(request: Request) -> JSONResponse:
    reason = request.app.state.services.ready()
    if reason:
        return JSONResponse({"ready": False, "reason": reason}, 503)
    return JSONResponse({"ready": True})


def error_body(request: Request, error: PaiError) -> dict[str, Any]:
    """Return an error in the shape of the dialect that was spoken to."""
    if request.url.path.startswith("/v1"):
        kind = _TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
        return {
            "error": {"message": error.message, "type": kind, "param": None, "code": error.code, "hint": error.hint}
        }
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def _answer(request: Request, error: PaiError) -> JSONResponse:
    headers = {}
    if isinstance(error, Throttled):
        headers["retry-after"] = str(error.retry_after)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_body(request, error), error.status, headers)


async def _on_pai_error(request: Request, error: Exception) -> JSONResponse:
    assert_error = error if isinstance(error, PaiError) else PaiError("an error happened")
    return _answer(request, assert_error)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "wrong"}
    where = ".".join(str(step) for step in found["loc"] if step != "body")
    # The value is left out on purpose: an error text must not repeat content.
    return _answer(request, Invalid(f"{where or 'body'}: {found['msg']}"))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return _answer(request, NotFound("no such path"))
    answer = Invalid("the request cannot be read", code="bad_request")
    return JSONResponse(error_body(request, answer), status)


async def _on_too_large(request: Request, _error: Exception) -> JSONResponse:
    return _answer(request, TooLarge("the body is too large"))


async def _on_surprise(request: Request, error: Exception) -> JSONResponse:
    # The last resort at the edge of the process: the type is logged, never the message, which may hold content.
    _log.error("unexpected %s in %s", type(error).__name__, request.scope.get("route", request.url.path))
    return _answer(request, PaiError("an unexpected error happened", hint="see the log of `pai serve`"))
