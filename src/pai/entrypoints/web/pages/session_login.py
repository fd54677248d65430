"""Log in: email and password, a session cookie, and on to the page that was wanted."""

from __future__ import annotations

import contextlib

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from pai.entrypoints.http.authentication import address_of, require_same_origin, session_token, set_session_cookie
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import START, own_page, sentence
from pai.entrypoints.web.templating import page
from pai.foundation.errors import Invalid, Throttled, Unauthenticated
from pai.foundation.redaction import Secret

MAX_EMAIL = 254
MAX_PASSWORD = 1024
_FORM = "application/x-www-form-urlencoded"


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
        """Begin a session, or say in one sentence why not."""
        require_same_origin(request)
        email, password, back = await _fields(request)
        try:
            begun = await services.sessions.login(
                email,
                Secret(password.encode()),
                agent=request.headers.get("user-agent", ""),
                address=address_of(request),
            )
        except (Unauthenticated, Invalid, Throttled) as error:
            told = {"message": sentence(error.message), "hint": sentence(error.hint)}
            refused = page("login", error.status, error=told, email=email, back=back, ended=False)
            if isinstance(error, Throttled):
                refused.headers["retry-after"] = str(error.retry_after)
            return refused
        await _leave(services, session_token(request))
        answer = RedirectResponse(back, 303)
        set_session_cookie(answer, begun)
        return answer


async def _leave(services: Services, earlier: Secret | None) -> None:
    # The browser is about to lose this cookie: its session must not stay open behind it.
    if earlier is not None:
        with contextlib.suppress(Unauthenticated):
            await services.sessions.logout(await services.sessions.authenticate(earlier))


async def _fields(request: Request) -> tuple[str, str, str]:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise Invalid("the log-in form sends e-mail and password", code="bad_content_type", hint="use PAI's own page")
    async with request.form(max_files=0, max_fields=5) as form:
        email, password, back = (str(form.get(name, "")) for name in ("email", "password", "back"))
    if not email or not password or len(email) > MAX_EMAIL or len(password) > MAX_PASSWORD:
        raise Invalid("e-mail and password are needed", code="bad_login")
    return email, password, own_page(back)
