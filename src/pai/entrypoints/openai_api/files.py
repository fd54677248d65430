"""Files of one's own in OpenAI's shape: uploaded piece by piece, given out piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from pai.core.files.values import File, Use
from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.http.uploads import arriving_files
from pai.entrypoints.openai_api.pages import Page
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid

router = APIRouter(prefix="/v1")
Owner = Annotated[Actor, Depends(requires(Permission.FILES))]


class FilePage(Page):
    """Query of the list of files, which is longer than others."""

    limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    purpose: Use | None = None


@guarded(router, "POST", "/files", Permission.FILES)
async def create_file(request: Request, actor: Owner) -> dict[str, Any]:
    """Take a file in (multipart: fields ``purpose`` and ``file``)."""
    async with arriving_files(request, actor, fields=("purpose",), most=1, late=True) as arriving:

        def use() -> Use:
            named = arriving.values.get("purpose", [""])[-1]
            if named not in {one.value for one in Use}:
                hint = "send one of assistants, batch, user_data"
                raise Invalid(f"purpose {named[:40]!r} is not known", code="bad_purpose", hint=hint)
            return Use(named)

        upload = arriving[0]
        return shape(await services_of(request).files.add(actor, upload.name, upload.data, use))


@guarded(router, "GET", "/files", Permission.FILES)
async def list_files(request: Request, actor: Owner, page: Annotated[FilePage, Query()]) -> dict[str, Any]:
    """List one's files, newest first unless ``order`` is ``asc``."""
    return page.of([shape(file) for file in await services_of(request).files.list(actor, page.purpose)])


@guarded(router, "GET", "/files/{file}", Permission.FILES)
async def show_file(request: Request, file: str, actor: Owner) -> dict[str, Any]:
    """Show a file."""
    return shape(await services_of(request).files.get(actor, file))


@guarded(router, "DELETE", "/files/{file}", Permission.FILES)
async def delete_file(request: Request, file: str, actor: Owner) -> dict[str, Any]:
    """Delete a file. What was made from it stays."""
    await services_of(request).files.delete(actor, file)
    return {"id": file, "object": "file", "deleted": True}


@guarded(router, "GET", "/files/{file}/content", Permission.FILES)
async def file_content(request: Request, file: str, actor: Owner) -> PieceResponse:
    """Give out the bytes of a file."""
    found, data = await services_of(request).files.content(actor, file)
    pieces = while_valid(request, actor, _in_thread(data))
    first = await first_of(pieces)  # a damaged file becomes a status, not a broken download
    headers = {"content-length": str(found.size), "content-disposition": "attachment"}
    return PieceResponse(_pieces(first, pieces), pieces, media_type="application/octet-stream", headers=headers)


async def _in_thread(data: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
    taking: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            taking = asyncio.create_task(asyncio.to_thread(next, data, None))
            # Shielded: a thread cannot be stopped, and what it has in hand cannot be closed.
            if (piece := await asyncio.shield(taking)) is None:
                return
            yield piece
    finally:
        if taking is not None:
            await asyncio.gather(taking, return_exceptions=True)
        data.close()


async def _pieces(first: bytes | None, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    piece = first
    try:
        while piece is not None:
            yield piece
            piece = await anext(rest, None)
    finally:
        await rest.aclose()


def shape(file: File) -> dict[str, Any]:
    """A file."""
    return {
        "id": file.id, "object": "file", "bytes": file.size, "created_at": int(file.created_at.timestamp()),
        "filename": file.name, "purpose": file.use.value, "status": "processed", "expires_at": None, "status_details": None,
    }  # fmt: skip
