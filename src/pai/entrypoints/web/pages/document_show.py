"""One document: its text as it was parsed, page by page, and the passage behind a citation."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from pai.core.knowledge.values import Collection, ShareAccess
from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.reading import around, pages
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor

Reader = Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))]


def _may_write(collection: Collection, user_id: str) -> bool:
    given = collection.share_of(user_id)
    return collection.owner_id == user_id or (given is not None and given.access is ShareAccess.WRITE)


def add(router: APIRouter, services: Services) -> None:
    """Register ``/documents/{document}`` and ``/documents/{document}/passages/{passage}``."""

    @guarded(router, "GET", "/documents/{document}", Permission.COLLECTION_READ)
    async def show_document(request: Request, document: str, actor: Reader) -> Response:
        """Show a document's text."""
        found, passages = await services.collections.passages(actor, document)
        known = await services.collections.list(actor)
        collection = next((one for one in known if one.id == found.collection_id), None)
        return page(
            "document", document=found, collection=collection, pages=pages(passages),
            may_delete=collection is not None and _may_write(collection, actor.id), **shell(request, actor),
        )  # fmt: skip

    @guarded(router, "GET", "/documents/{document}/passages/{passage}", Permission.COLLECTION_READ)
    async def show_passage(
        document: str, passage: str, actor: Reader, quote: Annotated[str, Query(max_length=4000)] = ""
    ) -> JSONResponse:
        """Return a passage with its neighbours, cut where the quote begins and ends."""
        found, passages = await services.collections.passages(actor, document)
        return JSONResponse({"document": found.name, **around(passages, passage, quote)})
