"""What is particular to browsers: errors as pages, where to go after log-in, who looks at a page."""

from __future__ import annotations

import re
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from pai.entrypoints.http.authentication import COOKIE, csrf_token
from pai.entrypoints.http.routing import services_of
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import PaiError, Throttled, Unauthenticated

START = "/chat"
_OWN_PAGE = re.compile(
    r"/(?:chat|ask|collections|documents|account|people|approvals|privacy|pictures|recordings)(?:/[a-z0-9_]{1,40})?(?:\?collection=[a-z0-9_]{1,40})?\Z"
)
_OVERSEERS = frozenset({Role.ADMINISTRATOR, Role.OFFICER, Role.AUDITOR})
_PROGRAMS = ("/v1/", "/api/", "/pai/", "/static/")
_NOT_FOUND_HERE = ("what you are looking for is not here", "it may have been deleted, or it is not shared with you")
_NOT_FOUND = {
    "no such path, or not with this method": (
        "PAI has no page at this address",
        "it may be mistyped, or come from another version",
    ),
}
_TITLES = {
    400: "That cannot be done", 401: "Log in first", 403: "Not allowed", 404: "There is nothing here", 413: "Too large",
    429: "Too many attempts", 503: "Not available now",
}  # fmt: skip


def error_page(request: Request, error: PaiError) -> Response | None:
    """Return an error as a page for a person who navigates, None for programs and for modules of a page, which want JSON.

    For an ended session that is the log-in page, which leads back here.
    """
    if not _navigates(request):
        return None
    if isinstance(error, Unauthenticated):
        back = own_page(_path(request)) if request.method == "GET" else START
        return page("login", 401, error=None, email="", back=back, ended=COOKIE in request.cookies)
    if error.code == "second_factor_needed":
        return RedirectResponse("/account#security", 303)
    sealed = error.code == "sealed"
    title = "PAI is sealed" if sealed else _TITLES.get(error.status, "Something went wrong")
    message, hint = (
        error.message,
        error.hint or ("Whoever holds the console can run `make start` or `pai serve` again." if sealed else ""),
    )
    if error.status == 404:
        message, hint = _NOT_FOUND.get(error.message, _NOT_FOUND_HERE)
    back_to = (START, "Back to the start")
    if sealed or isinstance(error, Throttled):
        back_to = ("/login", "To log in")
    elif error.code == "locked" or request.url.path == START:  # the start itself is refused (an auditor keeps no chats)
        back_to = ("/account", "To your account")
    return page(
        "error", error.status, code=error.status, title=title, message=sentence(message), hint=sentence(hint),
        back=back_to,
    )  # fmt: skip


def _navigates(request: Request) -> bool:
    wanted = "text/html" in request.headers.get("accept", "")
    return wanted and request.method in ("GET", "POST") and not request.url.path.startswith(_PROGRAMS)


def sentence(text: str) -> str:
    """Return an error's text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def _path(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def own_page(wanted: str) -> str:
    """Return a page of ours to go to after log-in; anything else becomes the start page: no link leads outside."""
    return wanted if _OWN_PAGE.match(wanted) else START


def shell(request: Request, actor: Actor) -> dict[str, Any]:
    """Return what every page behind log-in shows: who looks, and the CSRF token that its modules send back."""
    return {
        "viewer": {
            "id": actor.id,
            "name": actor.name,
            "session_id": actor.session_id,
            "locked": actor.unlocked is None,
            "administers": actor.role is Role.ADMINISTRATOR and not actor.must_enrol,
            "oversees": actor.role in _OVERSEERS and not actor.must_enrol,
            "news": services_of(request).sessions.news(actor),
        },
        "csrf": csrf_token(request),
    }
