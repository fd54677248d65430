"""Collections: one's own and those one was given. They are made through PAI's API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor


def add(router: APIRouter, services: Services) -> None:
    """Register ``/collections``."""

    @guarded(router, "GET", "/collections", Permission.COLLECTION_LIST)
    async def list_collections(
        request: Request, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_LIST))]
    ) -> Response:
        """Show the collections."""
        found = sorted(await services.collections.list(actor), key=lambda collection: collection.name.lower())
        return page("collections", collections=found, **shell(request, actor))
