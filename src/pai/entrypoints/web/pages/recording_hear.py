"""Recordings: what is said, beside a player. They are written down through PAI's API, and nothing of them is kept."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import sentence, shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, Unsupported


def add(router: APIRouter, services: Services) -> None:
    """Register ``/recordings``."""

    @guarded(router, "GET", "/recordings", Permission.HEAR)
    async def show_recordings(
        request: Request, actor: Annotated[Actor, Depends(requires(Permission.HEAR))]
    ) -> Response:
        """Show the form, or what is missing and how to add it."""
        missing = None
        try:
            await services.hearing.usual(actor)
        except (NotFound, Unsupported) as error:
            missing = (sentence(error.message), sentence(error.hint))
        return page("recordings", missing=missing, plays=True, **shell(request, actor))
