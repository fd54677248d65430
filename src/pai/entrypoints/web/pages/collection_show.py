"""One collection: its documents, and the place to drop more. Files go in through PAI's API, one job each."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from pai.core.knowledge.values import ShareAccess
from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound

BLANK = {"id": "", "name": "", "pages": "", "chunks": "", "size": 0, "created_at": None}
"""A row for the browser to fill."""


def add(router: APIRouter, services: Services) -> None:
    """Register ``/collections/{collection}``."""

    @guarded(router, "GET", "/collections/{collection}", Permission.COLLECTION_READ)
    async def show_collection(
        request: Request, collection: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))]
    ) -> Response:
        """Show a collection and its documents."""
        found = next((one for one in await services.collections.list(actor) if one.id == collection), None)
        if found is None:
            raise NotFound("no such collection", hint="it may have been deleted, or it is not shared with you")
        documents = sorted(
            await services.collections.documents(actor, found.id), key=lambda document: document.name.lower()
        )
        own = found.owner_id == actor.id
        given = found.share_of(actor.id)
        return page(
            "collection", collection=found, documents=documents, blank=BLANK, own=own,
            may_add=own or (given is not None and given.access is ShareAccess.WRITE),
            shares=await services.sharing.shares(actor, found.id) if own else (), given=given, **shell(request, actor),
        )  # fmt: skip
