"""The HTTP application: walls, error translation, probes, and the routers that composition passes in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pai import __version__
from pai.core.policy.gate import NeedsApproval
from pai.entrypoints.http.approval_shapes import AsksApproval, waiting
from pai.entrypoints.http.description import DescribedApp
from pai.entrypoints.http.dialects import Dialect, dialect_of, error_body
from pai.entrypoints.http.places import Places
from pai.entrypoints.http.routing import check_routes, permission_of
from pai.entrypoints.http.services import Services
from pai.entrypoints.http.walls import BodyTooLarge, Walls
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, Invalid, NotFound, PaiError, Throttled, TooLarge

__all__ = ["ErrorPage", "create_app", "error_body"]

REASON_HEADER: Final = "x-pai-reason"
"""Why somebody does what takes a second person, percent-encoded UTF-8; it is kept with the request."""
ErrorPage = Callable[[Request, PaiError], Response | None]
"""Makes an error page for a browser, or returns None for requests that want JSON."""


def create_app(
    services: Services,
    routers: Sequence[APIRouter],
    error_page: ErrorPage | None = None,
    dialects: Sequence[Dialect] = (),
) -> Walls:
    """Return the ASGI application. Raises RuntimeError for a route without a permission."""
    app = DescribedApp(
        title="PAI", version=__version__, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.dialects = dialects
    app.state.services = services
    app.state.error_page = error_page
    app.state.uploads = Places()
    app.add_exception_handler(PaiError, _on_pai_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(BodyTooLarge, _on_too_large)
    app.add_exception_handler(UnicodeEncodeError, _on_no_text)
    app.add_exception_handler(Exception, _on_surprise)
    app.add_api_route("/", _root, methods=["GET"], include_in_schema=False)
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    app.add_api_route("/readyz", _readyz, methods=["GET"])
    for router in routers:
        app.include_router(router)
    check_routes(app)
    return Walls(
        app, hosts=services.hosts, json_bytes=services.json_bytes, upload_bytes=services.upload_bytes, dialects=dialects,
        meter=services.meter,
    )  # fmt: skip


async def _root() -> RedirectResponse:
    """Send browsers on to the log-in."""
    return RedirectResponse("/login", 303)


async def _healthz() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


async def _readyz(request: Request) -> JSONResponse:
    """Tell whether PAI can work: unsealed, migrated, its default models loaded; 503 with the reason when not."""
    reason = request.app.state.services.ready()
    if reason:
        return JSONResponse({"ready": False, "reason": reason}, 503)
    return JSONResponse({"ready": True})


def _answer(request: Request, error: PaiError, param: str | None = None) -> Response:
    headers = {}
    if isinstance(error, AsksApproval):
        headers["x-pai-approval"] = error.request_id
    if isinstance(error, Throttled):
        headers["retry-after"] = str(error.retry_after)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    make_page: ErrorPage | None = request.app.state.error_page
    page = make_page(request, error) if make_page is not None else None
    if page is not None:
        page.headers.update(headers)
        return page
    return JSONResponse(error_body(request, error, param), dialect_of(request).status(error), headers)


async def _on_pai_error(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, PaiError) else PaiError("an error happened")
    actor: Actor | None = getattr(request.state, "actor", None)
    if isinstance(known, NeedsApproval) and actor is not None:
        known = await _asked(request, actor, known)
    if isinstance(known, Denied) and actor is not None:
        services: Services = request.app.state.services
        await services.oversight.denied(actor, permission_of(request.scope.get("route")) or "", known.code)
    return _answer(request, known)


async def _asked(request: Request, actor: Actor, needed: NeedsApproval) -> PaiError:
    """Ask for the second person that this takes; return what to answer, which is that it was not done."""
    services: Services = request.app.state.services
    try:
        reason = unquote(request.headers.get(REASON_HEADER, ""), errors="replace")
        return waiting(await services.approvals.ask(actor, needed, reason))
    except PaiError as refused:
        return refused


async def _on_validation(request: Request, error: Exception) -> Response:
    found: Any = (
        error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "wrong", "type": ""}
    )
    where = ".".join(str(step)[:60] for step in found["loc"] if step != "body") or "body"
    if found["type"] == "extra_forbidden":
        refused = Invalid(f"{where} is not supported", code="unsupported_parameter", hint="leave it out")
        return _answer(request, refused, where)
    if found["type"] == "json_invalid":
        refused = Invalid("the body is not valid JSON", code="bad_json", hint="send one JSON value in UTF-8")
        return _answer(request, refused)
    # The value is left out on purpose: an error text must not repeat content.
    hint = "send the type that /pai/v1/openapi.json names"
    what = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "union_tag_invalid":
        what = f"its type is none of {found['ctx']['expected_tags']}"
    return _answer(request, Invalid(f"{where}: {what}", hint=hint), where)


async def _on_http(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code in (404, 405):
        # One answer for both: which methods a path has is nobody's business without a credential.
        return _answer(request, NotFound("no such path, or not with this method"))
    return _answer(request, Invalid("the request cannot be read", code="bad_request"))


async def _on_too_large(request: Request, _error: Exception) -> Response:
    return _answer(request, TooLarge("the body is too large"))


async def _on_no_text(request: Request, _error: Exception) -> Response:
    # JSON can name half of a surrogate pair (RFC 8259 section 8.2), which no storage, engine or hash can take; nothing was committed.
    return _answer(request, Invalid("a text holds a character that does not exist", code="bad_text"))


async def _on_surprise(request: Request, _error: Exception) -> Response:
    # The last resort at the edge of the process; Walls logs where it happened, never the message, which may hold content.
    return _answer(
        request, PaiError("an unexpected error happened", hint="see what `make start` or `pai serve` printed")
    )
