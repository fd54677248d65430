"""Account: who one is, who holds the key, where one is logged in, and one's API keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pai.core.policy.values import Permission
from pai.entrypoints.http import shapes
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor, Scope
from pai.foundation.redaction import Secret
from pai.foundation.time import utc_now

SCOPES = (
    (Scope.INFERENCE, "chat and embeddings"),
    (Scope.KNOWLEDGE, "your collections, and questions to them"),
    (Scope.AUDIT, "the audit log, as far as your role may read it"),
)


class NewKey(BaseModel):
    """POST /account/keys. ``days`` comes from a select, so it is text."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    scopes: list[Scope] = Field(min_length=1, max_length=8)
    days: Literal["7", "30", "90", "365"]


class Recovery(BaseModel):
    """POST /account/recovery."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1024)


def add(router: APIRouter, services: Services) -> None:
    """Register ``/account``, ``POST /account/keys`` and ``POST /account/recovery``."""

    @guarded(router, "GET", "/account", Permission.SELF)
    async def show_account(request: Request, actor: Annotated[Actor, Depends(requires(Permission.SELF))]) -> Response:
        """Show the account."""
        user, own = await services.accounts.me(actor), await services.factors.own(actor)
        return page(
            "account", user=user, server_holds_key=own.server_holds,
            sessions=await services.sessions.list(actor), own=own, must_enrol=actor.must_enrol,
            keys=[] if actor.must_enrol else await services.keys.list(actor), scopes=SCOPES,
            **shell(request, actor),
        )  # fmt: skip

    @guarded(router, "POST", "/account/keys", Permission.KEYS, status_code=201)
    async def create_key(body: NewKey, actor: Annotated[Actor, Depends(requires(Permission.KEYS))]) -> JSONResponse:
        """Make a key for oneself; its text is shown this once."""
        made = await services.keys.create(
            actor,
            owner=actor.name,
            name=body.name,
            scopes=frozenset(body.scopes),
            expires_at=utc_now() + timedelta(days=int(body.days)),
        )
        return JSONResponse({**shapes.key(made.key, actor.name), "key": made.text}, 201)

    @guarded(router, "POST", "/account/recovery", Permission.SESSIONS)
    async def recover(body: Recovery, actor: Annotated[Actor, Depends(requires(Permission.SESSIONS))]) -> JSONResponse:
        """Open the content with the recovery code, after a reset of the login."""
        code, password = Secret(body.code.encode()), Secret(body.password.encode())
        await services.setup.recover(actor, code, password)
        return JSONResponse({"opened": True})
