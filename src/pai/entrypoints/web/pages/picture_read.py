"""Pictures: the text of a scan or a photo, shown where it stands. It is read through PAI's API, and nothing of it is kept."""

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
    """Register ``/pictures``."""

    @guarded(router, "GET", "/pictures", Permission.READ_PICTURES)
    async def show_pictures(
        request: Request, actor: Annotated[Actor, Depends(requires(Permission.READ_PICTURES))]
    ) -> Response:
        """Show the form, or what is missing and how to add it."""
        missing = None
        try:
            await services.seeing.usual(actor)
        except (NotFound, Unsupported) as error:
            missing = (sentence(error.message), sentence(error.hint))
        return page("pictures", missing=missing, **shell(request, actor))
