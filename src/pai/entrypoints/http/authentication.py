"""From a request to an actor: a key in the Authorization header (or where its dialect puts keys), or the session cookie with its
CSRF token.

Cookies never open the dialects of other vendors (``/v1``, ``/api``): those are for programs, which send keys.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from pai.core.identity.devices import Arrival
from pai.core.identity.liveness import Liveness
from pai.core.identity.ports import Place
from pai.core.identity.sessions import NewSession, csrf_matches, csrf_of
from pai.entrypoints.http.dialects import dialect_of
from pai.entrypoints.http.services import Services
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, Invalid, Unauthenticated
from pai.foundation.redaction import Secret

COOKIE: Final = "__Host-pai_session"
"""The prefix makes browsers demand Secure, Path=/ and no Domain (RFC 6265bis section 4.1.3.2)."""
LOGIN_COOKIE: Final = "__Host-pai_login"
"""The ticket between the two steps of a log-in."""
DEVICE_COOKIE: Final = "__Host-pai_device"
"""What a browser is known by, so that a new one is noticed."""
DEVICE_SECONDS: Final = 400 * 86_400
CSRF_HEADER: Final = "x-csrf-token"
SAFE: Final = frozenset({"GET", "HEAD"})
_OTHERS: Final = frozenset({"cross-site", "same-site"})
_KEYS_ONLY: Final = ("/v1", "/api")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")


async def authenticate(request: Request) -> Actor:
    """Return who asks. Raises Unauthenticated, and Denied for a cookie without its CSRF token or from another site."""
    services: Services = request.app.state.services
    key = api_key(request)
    if key is not None:
        return await services.keys.authenticate(key, address_of(request))
    token = session_token(request)
    if token is None or _keys_only(request.scope["path"]):
        raise _key_needed(request)
    _require_own_page(request)
    if request.method not in SAFE and not csrf_matches(token, request.headers.get(CSRF_HEADER, "")):
        raise Denied("the CSRF token is missing or wrong", code="csrf", hint="reload the page")
    return await services.sessions.authenticate(token)


def liveness_of(request: Request, actor: Actor) -> Liveness:
    """Return what tells when this actor's session or key ends."""
    services: Services = request.app.state.services
    return services.sessions.liveness if actor.session_id is not None else services.keys.liveness


def ended() -> Unauthenticated:
    """Return the error for a session or key that ended while it was being used."""
    return Unauthenticated("the session or key has ended", code="session_ended", hint="log in again")


def _keys_only(path: str) -> bool:
    return any(path == root or path.startswith(root + "/") for root in _KEYS_ONLY)


def api_key(request: Request) -> str | None:
    """Return the key that came with a request, None when none did. Raises Unauthenticated for a malformed one, and for two that differ.

    Authorization is read everywhere, a header more where the dialect names one. Other places (query, cookie, form) never are.
    """
    found = set()
    if "authorization" in request.headers:
        kind, _, key = _only(request, "authorization").partition(" ")
        found.add(key.strip() if kind.lower() == "bearer" else "")
    own = dialect_of(request).key_header
    if own and own in request.headers:
        found.add(_only(request, own))
    if "" in found:
        raise _key_needed(request)
    if len(found) > 1:
        raise Unauthenticated("two keys came that differ", code="two_credentials", hint="send one of them")
    return found.pop() if found else None


def _only(request: Request, name: str) -> str:
    values = request.headers.getlist(name)
    return values[0].strip() if len(values) == 1 else ""


def _key_needed(request: Request) -> Unauthenticated:
    header = dialect_of(request).key_header
    how = f"{header}: KEY" if header else "Authorization: Bearer KEY"
    return Unauthenticated("an API key is needed", hint=f"send the header: {how}")


def session_token(request: Request) -> Secret | None:
    """Return the session cookie's value, or None when there is none of the right form."""
    return _cookie(request, COOKIE)


def login_ticket(request: Request) -> Secret | None:
    """Return the ticket of a log-in that stands at its second step, None without one."""
    return _cookie(request, LOGIN_COOKIE)


def _cookie(request: Request, name: str) -> Secret | None:
    value = request.cookies.get(name, "")
    return Secret(value.encode()) if _TOKEN.match(value) else None


def arrival_of(request: Request) -> Arrival:
    """Return where a log-in comes from."""
    return Arrival(address_of(request), request.headers.get("user-agent", ""), _cookie(request, DEVICE_COOKIE))


def csrf_token(request: Request) -> str:
    """Return the CSRF token to put into a page that answers this request; empty without a session cookie."""
    token = session_token(request)
    return csrf_of(token) if token is not None else ""


def require_same_origin(request: Request) -> None:
    """Refuse what another site's page sends. Log-in and set-up need this too. Raises Denied.

    Sec-Fetch-Site (Fetch Metadata) is set by the browser alone and decides where it is present: Origin is ``null`` for our own
    forms, because our pages send no referrer. Without it, Origin has to be this very address.
    """
    site = request.headers.get("sec-fetch-site")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    same = site == "same-origin" if site is not None else _normal(request.headers.get("origin", "")) == _normal(own)
    if not same:
        raise _cross_site()


def _require_own_page(request: Request) -> None:
    """Refuse what another page makes the browser do with our cookie. Raises Denied.

    SameSite does not look at the port, so whatever else runs on this machine's name is the same site: its page may send the
    cookie along to read (as an image, a script). It cannot see the answer, but it would keep the session alive and fill the
    audit log with reads. Following a link is left alone.
    """
    if request.method not in SAFE:
        require_same_origin(request)
    elif request.headers.get("sec-fetch-mode") != "navigate" and request.headers.get("sec-fetch-site") in _OTHERS:
        raise _cross_site()


def _cross_site() -> Denied:
    return Denied("this request comes from another site", code="cross_site", hint="use PAI's own page")


def _normal(origin: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(origin.lower())
        return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None


def place_of(request: Request) -> Place:
    """Return where the browser is, by the Host header, which is one of our own names. Raises Invalid for an address without a name:
    passkeys are bound to one (W3C Web Authentication level 3, section 5.1.2)."""
    host = request.headers.get("host", "").lower()
    name = urlsplit(f"https://{host}").hostname or ""
    if not any(c.isalpha() for c in name) or ":" in name:
        raise Invalid("passkeys need a name, not an address", code="no_name", hint="open PAI at https://localhost:PORT")
    return Place(name, f"https://{host}")


def set_session_cookie(response: Response, begun: NewSession) -> None:
    """Give the browser its session: a cookie that scripts cannot read and other sites cannot send, gone with the browser.

    The ticket of the log-in is gone; what the browser is known by stays.
    """
    _set(response, COOKIE, begun.token)
    if begun.device is not None:
        _set(response, DEVICE_COOKIE, begun.device, DEVICE_SECONDS)
    response.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def set_login_ticket(response: Response, ticket: Secret, seconds: int) -> None:
    """Give the browser the ticket of its log-in for so long."""
    _set(response, LOGIN_COOKIE, ticket, seconds)


def _set(response: Response, name: str, value: Secret, seconds: int | None = None) -> None:
    text = value.reveal().decode()
    response.set_cookie(name, text, max_age=seconds, path="/", secure=True, httponly=True, samesite="strict")


def clear_session_cookie(response: Response) -> None:
    """Take the cookie away, and what the browser kept of the pages."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    response.headers["clear-site-data"] = '"cache", "storage"'


def address_of(request: Request) -> str:
    """Return the peer's address as the socket tells it; forwarding headers are never trusted."""
    return request.client.host if request.client else ""
