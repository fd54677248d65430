"""Log out: the session is dead when the answer comes. Others of one's own are ended through PAI's API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from pai.core.policy.values import Permission
from pai.entrypoints.http.authentication import clear_session_cookie
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.foundation.actor import Actor


def add(router: APIRouter, services: Services) -> None:
    """Register ``POST /logout``."""

    @guarded(router, "POST", "/logout", Permission.SELF)
    async def log_out(actor: Annotated[Actor, Depends(requires(Permission.SELF))]) -> JSONResponse:
        """End the present session."""
        await services.sessions.logout(actor)
        answer = JSONResponse({"ended": actor.session_id})
        clear_session_cookie(answer)
        return answer
