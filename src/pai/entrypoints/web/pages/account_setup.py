"""Set up: a one-time link from the console chooses a password; on a fresh installation it makes the first administrator."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pai.entrypoints.http.authentication import address_of, require_same_origin
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.templating import page
from pai.foundation.redaction import Secret


class SetUp(BaseModel):
    """POST /setup. The token comes from the part of the link after ``#``, which browsers keep to themselves."""

    model_config = ConfigDict(extra="forbid")
    token: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1024)


def add(router: APIRouter, services: Services) -> None:
    """Register ``/setup``, public."""

    @router.get("/setup")
    async def setup_page() -> Response:
        """Show the form; it knows nothing about the token, so it can be shown to anyone."""
        return page("setup")

    @router.post("/setup", status_code=201)
    async def set_up(request: Request, body: SetUp) -> dict[str, str | None]:
        """Set the password; the recovery code of a new account is shown this once."""
        require_same_origin(request)
        token, password = Secret(body.token.encode()), Secret(body.password.encode())
        code = await services.setup.choose(token, password, address=address_of(request))
        return {"recovery_code": code.reveal().decode() if code else None}
