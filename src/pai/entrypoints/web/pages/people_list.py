"""People, for administrators: who has an account, how they prove who they are, and what can be done about it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import NotFound
from pai.foundation.labels import Label

Known = Annotated[Actor, Depends(requires(Permission.USERS))]


def add(router: APIRouter, services: Services) -> None:
    """Register ``/people`` and ``/people/{user}``."""

    @guarded(router, "GET", "/people", Permission.USERS)
    async def list_people(request: Request, actor: Known) -> Response:
        """Show everyone."""
        everyone = await services.people.everyone(actor)
        return page("people", everyone=everyone, roles=list(Role), **shell(request, actor))

    @guarded(router, "GET", "/people/{user}", Permission.USERS)
    async def show_person(request: Request, user: str, actor: Known) -> Response:
        """Show one person."""
        await services.people.address_of(actor, user)
        everyone = await services.people.everyone(actor)
        person = next((one for one in everyone.users if one.id == user), None)
        if person is None:
            raise NotFound("no such account")
        return page(
            "person", person=person, factors=everyone.factors.get(user, ()), roles=list(Role), labels=list(Label),
            sessions=await services.people.sessions_of(actor, user), **shell(request, actor),
        )  # fmt: skip
