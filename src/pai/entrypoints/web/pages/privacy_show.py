"""What is proved: the page behind "Local, encrypted, nothing leaves this machine"."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor


def add(router: APIRouter, _services: Services) -> None:
    """Register ``/privacy``."""

    @guarded(router, "GET", "/privacy", Permission.SELF)
    async def show_privacy(request: Request, actor: Annotated[Actor, Depends(requires(Permission.SELF))]) -> Response:
        """Explain what each word of the promise rests on."""
        return page("privacy", **shell(request, actor))
