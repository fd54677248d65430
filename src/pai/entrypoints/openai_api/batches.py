"""Batches in OpenAI's shape."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from pai.core.files.values import Batch, BatchState
from pai.core.policy.values import Permission
from pai.entrypoints.http.bodies import Body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.openai_api.pages import Page
from pai.entrypoints.openai_api.response_schemas import Metadata
from pai.foundation.actor import Actor

router = APIRouter(prefix="/v1/batches")
Owner = Annotated[Actor, Depends(requires(Permission.BATCHES))]


class NewBatch(Body):
    """POST /v1/batches."""

    input_file_id: Annotated[str, Field(min_length=1, max_length=100)]
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
    completion_window: Literal["24h"]
    metadata: Annotated[Metadata, Field(default_factory=dict)]


@guarded(router, "POST", "", Permission.BATCHES)
async def create_batch(request: Request, body: NewBatch, actor: Owner) -> dict[str, Any]:
    """Queue the requests of a file. With a line that cannot be asked the batch has failed, and its errors name the lines."""
    made = await services_of(request).batches.submit(actor, body.endpoint, body.input_file_id, body.metadata)
    return shape(made)


@guarded(router, "GET", "", Permission.BATCHES)
async def list_batches(request: Request, actor: Owner, page: Annotated[Page, Query()]) -> dict[str, Any]:
    """List one's batches, newest first unless ``order`` is ``asc``."""
    return page.of([shape(batch) for batch in await services_of(request).batches.list(actor)])


@guarded(router, "GET", "/{batch}", Permission.BATCHES)
async def show_batch(request: Request, batch: str, actor: Owner) -> dict[str, Any]:
    """Show a batch. One that has come to its end is written into files now: only its owner's key can open theirs."""
    return shape(await services_of(request).batches.get(actor, batch))


@guarded(router, "POST", "/{batch}/cancel", Permission.BATCHES)
async def cancel_batch(request: Request, batch: str, actor: Owner) -> dict[str, Any]:
    """Stop a batch; what was answered stays."""
    return shape(await services_of(request).batches.cancel(actor, batch))


def shape(value: Batch) -> dict[str, Any]:
    """A batch."""

    def ended(state: BatchState) -> int | None:
        return _seconds(value.ended_at) if value.state is state else None

    return {
        "id": value.id, "object": "batch", "endpoint": value.endpoint, "input_file_id": value.input_id,
        "completion_window": "24h", "status": value.state.value, "errors": _errors(value),
        "output_file_id": value.output_id or None, "error_file_id": value.error_id or None,
        "created_at": _seconds(value.created_at), "in_progress_at": None if value.wrong else _seconds(value.created_at),
        "expires_at": _seconds(value.expires_at), "finalizing_at": _seconds(value.finalizing_at),
        "completed_at": ended(BatchState.COMPLETED), "failed_at": ended(BatchState.FAILED),
        "expired_at": ended(BatchState.EXPIRED), "cancelling_at": _seconds(value.cancelling_at),
        "cancelled_at": ended(BatchState.CANCELLED), "metadata": dict(value.metadata),
        "request_counts": {"total": value.total, "completed": value.done, "failed": value.failed},
    }  # fmt: skip


def _errors(value: Batch) -> dict[str, Any] | None:
    data = [{"code": one.code, "message": one.message, "line": one.line or None, "param": None} for one in value.wrong]
    if value.reason:
        data.append({"code": "batch_ended", "message": value.reason, "line": None, "param": None})
    return {"object": "list", "data": data} if data else None


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment is not None else None
