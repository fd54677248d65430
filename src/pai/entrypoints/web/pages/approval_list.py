"""Approvals: what was asked for that takes a second person, what others said, and what one may say or carry out oneself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pai.core.policy.values import Permission
from pai.entrypoints.http import approval_shapes as shapes
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor

Known = Annotated[Actor, Depends(requires(Permission.APPROVALS_READ))]


def add(router: APIRouter, services: Services) -> None:
    """Register ``/approvals``."""

    @guarded(router, "GET", "/approvals", Permission.APPROVALS_READ)
    async def list_approvals(request: Request, actor: Known) -> Response:
        """Show requests."""
        told = await services.approvals.list(actor)
        shown = [{**shapes.told(one), "mine": one.request.requester == actor.id} for one in told]
        viewed = shell(request, actor)
        rules = await services.approvals.rules(actor) if viewed["viewer"]["oversees"] else []
        return page("approvals", requests=shown, rules=rules, **viewed)
