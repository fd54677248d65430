"""Log in: email and password, a session cookie, and on to the page that was wanted."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from pai.entrypoints.web.browser import START, own_page, require_same_origin, sentence, set_session, token_of
from pai.entrypoints.web.needs import WebServices
from pai.entrypoints.web.templating import page
from pai.foundation.errors import Invalid, Throttled, Unauthenticated
from pai.foundation.redaction import Secret

MAX_EMAIL = 254
MAX_PASSWORD = 1024
_FORM = "application/x-www-form-urlencoded"


def add(router: APIRouter, services: WebServices) -> None:
    """Register ``/login``, public."""

    @router.get("/login")
    async def login_page() -> Response:
        """Show the form."""
        return page("login", error=None, email="", back=START, ended=False)

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        """Begin a session, or say in one sentence why not."""
        require_same_origin(request)
        email, password, back = await _fields(request)
        address = request.client.host if request.client else ""
        try:
            opened = await services.sessions.log_in(
                email, Secret(password.encode()), agent=request.headers.get("user-agent", "")[:300], address=address
            )
        except (Unauthenticated, Invalid, Throttled) as error:
            told = {"message": sentence(error.message), "hint": sentence(error.hint)}
            answer: Response = page("login", error.status, error=told, email=email, back=back, ended=False)
            if isinstance(error, Throttled):
                answer.headers["retry-after"] = str(error.retry_after)
            return answer
        answer = RedirectResponse(back, 303)
        set_session(answer, opened.token)
        return answer

    @router.get("/")
    async def start(request: Request) -> Response:
        """Lead to the log-in page; with a session, to the start page."""
        # A cookie here only chooses where to go; the page behind checks it. Without one it is always the log-in page.
        return RedirectResponse(START if token_of(request) else "/login", 303)


async def _fields(request: Request) -> tuple[str, str, str]:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise Invalid("the log-in form sends e-mail and password", code="bad_content_type", hint="use PAI's own page")
    async with request.form(max_files=0, max_fields=5) as form:
        email, password, back = (str(form.get(name, "")) for name in ("email", "password", "back"))
    if not email or not password or len(email) > MAX_EMAIL or len(password) > MAX_PASSWORD:
        raise Invalid("e-mail and password are needed", code="bad_login")
    return email, password, own_page(back)
