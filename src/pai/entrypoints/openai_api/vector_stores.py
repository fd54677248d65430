"""Vector stores in OpenAI's shape. They are PAI's collections: the ids are the same, and so are the rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from pai.core.files.attaching import Contents
from pai.core.files.values import Attached, AttachedBatch, AttachedState
from pai.core.policy.values import Permission
from pai.entrypoints.http.bodies import Body, Open
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.openai_api.pages import Page
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.refs import DEFAULT_PURPOSE

router = APIRouter(prefix="/v1/vector_stores")
FileId = Annotated[str, Field(min_length=1, max_length=100)]


class StoreMetadata(Body):
    """What PAI keeps of a collection beside its name. Other pairs are refused: there is no place for them."""

    label: Label | None = None
    purpose: Annotated[str, Field(max_length=64)] | None = None


class Chunking(Open):
    """How documents are cut: as PAI does it."""

    type: Literal["auto"]


class NewStore(Body):
    """POST /v1/vector_stores."""

    name: Annotated[str, Field(max_length=100)] | None = None
    file_ids: Annotated[list[FileId], Field(max_length=500, default_factory=list, fail_fast=True)]
    metadata: StoreMetadata = Field(default_factory=StoreMetadata)
    chunking_strategy: Chunking | None = None


class ChangedStore(Body):
    """POST /v1/vector_stores/{collection}."""

    name: Annotated[str, Field(max_length=100)] | None = None


class NewFile(Body):
    """POST /v1/vector_stores/{collection}/files."""

    file_id: FileId
    chunking_strategy: Chunking | None = None


class NewBatch(Body):
    """POST /v1/vector_stores/{collection}/file_batches: ``file_ids``, or ``files`` that name them one by one."""

    file_ids: Annotated[list[FileId], Field(max_length=2000, fail_fast=True)] | None = None
    files: Annotated[list[NewFile], Field(max_length=2000, fail_fast=True)] | None = None
    chunking_strategy: Chunking | None = None

    def ids(self) -> list[str]:
        """Return the files. Raises Invalid unless they are given in one way."""
        if bool(self.file_ids) is bool(self.files):
            raise Invalid("give either file_ids or files", code="bad_count", hint="1 to 2000 files of your own")
        return self.file_ids or [file.file_id for file in self.files or ()]


class Ranking(Open):
    """Options of ranking."""

    ranker: Literal["auto", "default-2024-11-15", "none"] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0


class Search(Body):
    """POST /v1/vector_stores/{collection}/search."""

    query: str | Annotated[list[str], Field(min_length=1, max_length=20, fail_fast=True)]
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    ranking_options: Ranking = Field(default_factory=Ranking)
    rewrite_query: Literal[False] = False

    def text(self) -> str:
        """Return what is looked for as one text."""
        return self.query if isinstance(self.query, str) else " ".join(self.query)


class FilesPage(Page):
    """Query of a list of files."""

    filter: AttachedState | None = None


@guarded(router, "POST", "", Permission.COLLECTION_CREATE)
async def create_store(
    request: Request, body: NewStore, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_CREATE))]
) -> dict[str, Any]:
    """Make a collection; label and purpose may stand in ``metadata``."""
    told = body.metadata
    name = body.name or f"Vector store {new_id('vs')[-6:]}"
    label, purpose = told.label or Label.CONFIDENTIAL, told.purpose or DEFAULT_PURPOSE
    return shape(await services_of(request).attaching.create(actor, name, label, purpose, body.file_ids))


@guarded(router, "GET", "", Permission.COLLECTION_LIST)
async def list_stores(
    request: Request,
    actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_LIST))],
    page: Annotated[Page, Query()],
) -> dict[str, Any]:
    """List one's own and shared collections, newest first unless ``order`` is ``asc``."""
    return page.of([shape(one) for one in await services_of(request).attaching.all_contents(actor)])


@guarded(router, "GET", "/{collection}", Permission.COLLECTION_READ)
async def show_store(
    request: Request, collection: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))]
) -> dict[str, Any]:
    """Show a collection."""
    return shape(await services_of(request).attaching.contents(actor, collection))


@guarded(router, "POST", "/{collection}", Permission.COLLECTION_UPDATE)
async def change_store(
    request: Request,
    collection: str,
    body: ChangedStore,
    actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_UPDATE))],
) -> dict[str, Any]:
    """Give a collection another name. Label and purpose are its own for good."""
    services = services_of(request)
    if body.name is not None:
        await services.collections.rename(actor, collection, body.name)
    return shape(await services.attaching.contents(actor, collection))


@guarded(router, "DELETE", "/{collection}", Permission.COLLECTION_DELETE)
async def delete_store(
    request: Request, collection: str, actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_DELETE))]
) -> dict[str, Any]:
    """Delete a collection with everything in it."""
    deleted = await services_of(request).collections.delete(actor, collection)
    return {"id": deleted.id, "object": "vector_store.deleted", "deleted": True}


@guarded(router, "POST", "/{collection}/files", Permission.INGEST)
async def attach_file(
    request: Request, collection: str, body: NewFile, actor: Annotated[Actor, Depends(requires(Permission.INGEST))]
) -> dict[str, Any]:
    """Take a file of one's own into a collection."""
    return file_shape(await services_of(request).attaching.attach(actor, collection, body.file_id))


@guarded(router, "GET", "/{collection}/files", Permission.COLLECTION_READ)
async def list_attached(
    request: Request,
    collection: str,
    actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))],
    page: Annotated[FilesPage, Query()],
) -> dict[str, Any]:
    """List a collection's documents, and what is becoming one."""
    found = await services_of(request).attaching.list(actor, collection)
    return page.of([file_shape(one) for one in found if page.filter in (None, one.state)])


@guarded(router, "GET", "/{collection}/files/{document}", Permission.COLLECTION_READ)
async def show_attached(
    request: Request,
    collection: str,
    document: str,
    actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_READ))],
) -> dict[str, Any]:
    """Show a document, or how far a file came on its way to be one; by the id of either."""
    return file_shape(await services_of(request).attaching.get(actor, collection, document))


@guarded(router, "DELETE", "/{collection}/files/{document}", Permission.DOCUMENT_DELETE)
async def detach_file(
    request: Request,
    collection: str,
    document: str,
    actor: Annotated[Actor, Depends(requires(Permission.DOCUMENT_DELETE))],
) -> dict[str, Any]:
    """Take a document out of a collection. A file that it came from stays."""
    await services_of(request).attaching.detach(actor, collection, document)
    return {"id": document, "object": "vector_store.file.deleted", "deleted": True}


@guarded(router, "POST", "/{collection}/file_batches", Permission.INGEST)
async def attach_files(
    request: Request, collection: str, body: NewBatch, actor: Annotated[Actor, Depends(requires(Permission.INGEST))]
) -> dict[str, Any]:
    """Take files of one's own into a collection together, as one job."""
    return batch_shape(await services_of(request).attaching.attach_together(actor, collection, body.ids()))


@guarded(router, "GET", "/{collection}/file_batches/{batch}", Permission.JOB_READ)
async def show_batch(
    request: Request, collection: str, batch: str, actor: Annotated[Actor, Depends(requires(Permission.JOB_READ))]
) -> dict[str, Any]:
    """Show how far files came that were put in together."""
    return batch_shape(await services_of(request).attaching.batch(actor, collection, batch))


@guarded(router, "POST", "/{collection}/file_batches/{batch}/cancel", Permission.INGEST)
async def cancel_batch(
    request: Request, collection: str, batch: str, actor: Annotated[Actor, Depends(requires(Permission.INGEST))]
) -> dict[str, Any]:
    """Stop taking files in. Those that are in stay in."""
    return batch_shape(await services_of(request).attaching.cancel_batch(actor, collection, batch))


@guarded(router, "GET", "/{collection}/file_batches/{batch}/files", Permission.JOB_READ)
async def list_batch(
    request: Request,
    collection: str,
    batch: str,
    actor: Annotated[Actor, Depends(requires(Permission.JOB_READ))],
    page: Annotated[FilesPage, Query()],
) -> dict[str, Any]:
    """List the files of a batch."""
    found = (await services_of(request).attaching.batch(actor, collection, batch)).files
    return page.of([file_shape(one) for one in found if page.filter in (None, one.state)])


@guarded(router, "POST", "/{collection}/search", Permission.ASK)
async def search_store(
    request: Request, collection: str, body: Search, actor: Annotated[Actor, Depends(requires(Permission.ASK))]
) -> dict[str, Any]:
    """Find passages."""
    if not body.text().strip():
        raise Invalid("the query is empty", code="bad_question")
    _, found = await services_of(request).searching.search(
        actor, collection, body.text(), limit=body.max_num_results, minimum=body.ranking_options.score_threshold
    )
    data = [
        {
            "file_id": one.document_id, "filename": one.document, "score": one.score, "attributes": {},
            "content": [{"type": "text", "text": one.text}],
        }
        for one in found
    ]  # fmt: skip
    queries = [body.query] if isinstance(body.query, str) else body.query
    kind = "vector_store.search_results.page"
    return {"object": kind, "search_query": queries, "data": data, "has_more": False, "next_page": None}


def shape(value: Contents) -> dict[str, Any]:
    """A collection."""
    one = value.collection
    counts = {"in_progress": value.waiting, "completed": value.documents, "failed": 0, "cancelled": 0}
    created = int(one.created_at.timestamp())
    return {
        "id": one.id, "object": "vector_store", "created_at": created, "name": one.name, "usage_bytes": value.bytes,
        "file_counts": {**counts, "total": value.waiting + value.documents},
        "status": "in_progress" if value.waiting else "completed", "expires_after": None, "expires_at": None,
        "last_active_at": created, "metadata": {"label": one.label.value, "purpose": one.purpose},
    }  # fmt: skip


def file_shape(value: Attached) -> dict[str, Any]:
    """A document of a collection, or a file that is becoming one."""
    failed = value.state is AttachedState.FAILED
    return {
        "id": value.id, "object": "vector_store.file", "created_at": int(value.created_at.timestamp()),
        "usage_bytes": value.size, "vector_store_id": value.collection_id, "status": value.state.value,
        "last_error": {"code": "invalid_file", "message": f"{value.reason} ({value.code})"} if failed else None,
        "chunking_strategy": {"type": "other"}, "attributes": {},
    }  # fmt: skip


def batch_shape(value: AttachedBatch) -> dict[str, Any]:
    """Files that go into a collection together."""
    counts = {state.value: value.states.count(state) for state in AttachedState}
    return {
        "id": value.id, "object": "vector_store.files_batch", "created_at": int(value.created_at.timestamp()),
        "vector_store_id": value.collection_id, "status": value.state.value,
        "file_counts": {**counts, "total": len(value.states)},
    }  # fmt: skip
