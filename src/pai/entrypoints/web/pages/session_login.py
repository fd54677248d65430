"""Log in: email and password, the second factor where there is one, a session cookie, and on to the page that was wanted."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from pai.core.identity.login import LIFE_SECONDS, SecondStep
from pai.core.identity.sessions import NewSession
from pai.entrypoints.http.authentication import (
    arrival_of,
    login_ticket,
    place_of,
    require_same_origin,
    session_token,
    set_login_ticket,
    set_session_cookie,
)
from pai.entrypoints.http.identity_shapes import PRF_INPUT, prf
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import START, own_page, sentence
from pai.entrypoints.web.templating import page
from pai.foundation.errors import Invalid, PaiError, Throttled, Unauthenticated
from pai.foundation.redaction import Secret

MAX_EMAIL = 254
MAX_PASSWORD = 1024
MAX_CODE = 64
_FORM = "application/x-www-form-urlencoded"


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """POST /login as JSON: empty for the options, then with the passkey's answer and what its PRF gave (base64url)."""

    credential: dict[str, Any] | None = None
    prf: str | None = None
    back: str = ""


def add(router: APIRouter, services: Services) -> None:
    """Register ``/login``, public."""

    @router.get("/login")
    async def login_page(request: Request) -> Response:
        """Show the form; who is logged in already goes on to the start page."""
        token = session_token(request)
        if token is not None:
            try:
                await services.sessions.authenticate(token)
            except Unauthenticated:
                return page("login", error=None, email="", back=START, ended=True)
            return RedirectResponse(START, 303)
        return page("login", error=None, email="", back=START, ended=False)

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        """Take the first or the second step, or say in one sentence why not."""
        require_same_origin(request)
        if request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json":
            return await _passkey(services, request)
        form = await _fields(request)
        return await (_second(services, request, form) if "code" in form else _first(services, request, form))


async def _first(services: Services, request: Request, form: dict[str, str]) -> Response:
    email, password, back = form["email"], form["password"], own_page(form["back"])
    if not email or not password or len(email) > MAX_EMAIL or len(password) > MAX_PASSWORD:
        raise Invalid("e-mail and password are needed", code="bad_login")
    try:
        begun = await services.login.with_password(email, Secret(password.encode()), arrival_of(request))
    except (Unauthenticated, Invalid, Throttled) as error:
        return _refused("login", error, email=email, back=back, ended=False)
    if isinstance(begun, SecondStep):
        answer: Response = page("second_step", kinds=begun.kinds, error=None, back=back)
        set_login_ticket(answer, begun.ticket, LIFE_SECONDS)
        return answer
    return await _begun(services, request, begun, back)


async def _second(services: Services, request: Request, form: dict[str, str]) -> Response:
    back, ticket = own_page(form["back"]), login_ticket(request)
    kinds = services.login.kinds_of(ticket) if ticket is not None else ()
    try:
        if ticket is None or len(form["code"]) > MAX_CODE:
            raise Unauthenticated("this log-in has taken too long", code="login_expired", hint="begin again")
        begun = await services.login.with_code(ticket, form["code"])
    except (Unauthenticated, Throttled) as error:
        if error.code in ("login_expired", "wrong_login"):
            return _refused("login", error, email="", back=back, ended=False)
        return _refused("second_step", error, kinds=kinds, back=back)
    return await _begun(services, request, begun, back)


async def _passkey(services: Services, request: Request) -> Response:
    """A passkey as the only step, or as the second one: first the options, then the answer."""
    try:
        asked = msgspec.json.decode(await request.body(), type=_Asked)
    except (msgspec.MsgspecError, RecursionError):
        raise Invalid("this is no answer of a passkey", code="bad_json") from None
    ticket, place = login_ticket(request), place_of(request)
    if asked.credential is None:
        options = await services.passkeys.begin_login(place, ticket, arrival_of(request).address)
        return JSONResponse({"options": options, "prf_input": PRF_INPUT})
    begun = await services.passkeys.finish_login(place, asked.credential, prf(asked.prf), ticket, arrival_of(request))
    await leave(services, session_token(request))
    answer = JSONResponse({"then": own_page(asked.back)})
    set_session_cookie(answer, begun)
    return answer


async def _begun(services: Services, request: Request, begun: NewSession, back: str) -> Response:
    await leave(services, session_token(request))
    answer = RedirectResponse(back, 303)
    set_session_cookie(answer, begun)
    return answer


def _refused(name: str, error: PaiError, **shown: Any) -> Response:
    told = {"message": sentence(error.message), "hint": sentence(error.hint)}
    refused = page(name, error.status, error=told, **shown)
    if isinstance(error, Throttled):
        refused.headers["retry-after"] = str(error.retry_after)
    return refused


async def leave(services: Services, earlier: Secret | None) -> None:
    """End the session that the browser is about to lose the cookie of: it must not stay open behind it."""
    if earlier is not None:
        with contextlib.suppress(Unauthenticated):
            await services.sessions.logout(await services.sessions.authenticate(earlier))


async def _fields(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise Invalid("the log-in form sends e-mail and password", code="bad_content_type", hint="use PAI's own page")
    async with request.form(max_files=0, max_fields=5) as form:
        told = {name: str(form.get(name, "")) for name in ("email", "password", "back")}
        return told | ({"code": str(form["code"])} if "code" in form else {})
