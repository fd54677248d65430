"""What is particular to browsers: the session cookie, requests from other sites, errors as pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, PaiError, Throttled, Unauthenticated
from pai.foundation.redaction import Secret

COOKIE = "__Host-pai_session"
START = "/chat"
_OWN_PAGE = re.compile(
    r"/(?:chat|ask|collections|account|privacy)(?:/[a-z0-9_]{1,40})?(?:\?collection=[a-z0-9_]{1,40})?\Z"
)
_TITLES = {
    400: "That cannot be done", 401: "Log in first", 403: "Not allowed", 404: "There is nothing here", 413: "Too large",
    429: "Too many attempts", 503: "Not available now",
}  # fmt: skip


class PageRoute(APIRoute):
    """A route whose errors are pages for a browser that navigates; modules of a page get them as JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler, the dependencies that authenticate included."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except PaiError as error:
                if not wants_page(request):
                    raise
                return error_page(request, error)

        return handle


def wants_page(request: Request) -> bool:
    """Return whether a person waits for a page, not a module for JSON."""
    return request.method in ("GET", "POST") and "text/html" in request.headers.get("accept", "")


def error_page(request: Request, error: PaiError) -> HTMLResponse:
    """Return an error as a page; for an ended session that is the log-in page, which leads back here."""
    if isinstance(error, Unauthenticated):
        return page("login", 401, error=None, email="", back=own_page(_path(request)), ended=COOKIE in request.cookies)
    sealed = error.code == "sealed"
    title = "PAI is sealed" if sealed else _TITLES.get(error.status, "Something went wrong")
    hint = error.hint or ("Whoever holds the console can open it with `pai keys unseal`." if sealed else "")
    back = ("/login", "To log in") if sealed or error.status == 429 else (START, "Back to the start")
    answer = page(
        "error",
        error.status,
        code=error.status,
        title=title,
        message=sentence(error.message),
        hint=sentence(hint),
        back=back,
    )
    if isinstance(error, Throttled):
        answer.headers["retry-after"] = str(error.retry_after)
    return answer


def sentence(text: str) -> str:
    """Return an error's text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def own_page(wanted: str) -> str:
    """Return a page of ours to go to after log-in; anything else becomes the start page: no link leads outside."""
    return wanted if _OWN_PAGE.match(wanted) else START


def require_same_origin(request: Request) -> None:
    """Raise Denied for a request that another site sent. For routes without a session; others check a CSRF token.

    Sec-Fetch-Site is set by the browser alone and decides where it is present; else Origin has to be this very address.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site == "same-origin"
    else:
        allowed = request.headers.get("origin", "").lower() == f"https://{request.headers.get('host', '').lower()}"
    if not allowed:
        raise Denied("the request came from another site", code="cross_site", hint="open PAI's own page and try again")


def token_of(request: Request) -> str:
    """Return the session cookie's value, empty without one."""
    return request.cookies.get(COOKIE, "")


def set_session(response: Response, token: Secret) -> None:
    """Give the browser its session: this host only, HTTPS only, not for scripts, never sent by other sites."""
    response.set_cookie(COOKIE, token.reveal().decode(), path="/", secure=True, httponly=True, samesite="strict")


def clear_session(response: Response) -> None:
    """Take the session from the browser, with what it may have kept."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    response.headers["clear-site-data"] = '"cache"'


def viewer(actor: Actor) -> dict[str, Any]:
    """Return who looks at the page, for the shell's template."""
    return {"id": actor.id, "name": actor.name, "session_id": actor.session_id}
