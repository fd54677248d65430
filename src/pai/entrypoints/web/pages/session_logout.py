"""Log out: the session is dead when the answer comes; another of one's own sessions can be ended too."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.web.browser import clear_session
from pai.entrypoints.web.needs import WebServices
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid


def add(router: APIRouter, services: WebServices) -> None:
    """Register ``POST /logout`` and ``DELETE /account/sessions/{session}``."""

    @guarded(router, "POST", "/logout", Permission.SELF)
    async def log_out(actor: Annotated[Actor, Depends(requires(Permission.SELF))]) -> JSONResponse:
        """End the present session."""
        if actor.session_id is None:
            raise Invalid("only a browser session can log out", hint="revoke an API key instead")
        await services.sessions.end(actor, actor.session_id)
        answer = JSONResponse({"ended": actor.session_id})
        clear_session(answer)
        return answer

    @guarded(router, "DELETE", "/account/sessions/{session}", Permission.SELF)
    async def end_session(session: str, actor: Annotated[Actor, Depends(requires(Permission.SELF))]) -> JSONResponse:
        """End one of one's own sessions."""
        await services.sessions.end(actor, session)
        return JSONResponse({"ended": session})
