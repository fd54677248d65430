"""Set up: the one-time link of a fresh installation makes the first administrator."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pai.entrypoints.web.browser import require_same_origin
from pai.entrypoints.web.needs import WebServices
from pai.entrypoints.web.templating import page
from pai.foundation.redaction import Secret


class SetUp(BaseModel):
    """POST /setup. The token comes from the part of the link after ``#``, which browsers keep to themselves."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1024)


def add(router: APIRouter, services: WebServices) -> None:
    """Register ``/setup``, public."""

    @router.get("/setup")
    async def setup_page() -> Response:
        """Show the form; it knows nothing about the token, so it can be shown to anyone."""
        return page("setup")

    @router.post("/setup", status_code=201)
    async def set_up(request: Request, body: SetUp) -> dict[str, str]:
        """Make the account; the recovery code is shown this once."""
        require_same_origin(request)
        code = await services.sessions.set_up(Secret(body.token.encode()), Secret(body.password.encode()))
        return {"recovery_code": code.reveal().decode()}
