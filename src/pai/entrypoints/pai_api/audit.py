"""The audit log: events, checkpoints, exports and proofs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pai.core.operations.handing_out import PAGE
from pai.core.policy.values import Permission
from pai.entrypoints.http import shapes
from pai.entrypoints.http.audit_filters import MOST, csv_of, filter_of, shown
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.services import Services
from pai.entrypoints.http.streams import PieceResponse, while_valid
from pai.foundation.actor import Actor

router = APIRouter(prefix="/pai/v1/audit")
Text = Annotated[str | None, Query(max_length=200)]
Index = Annotated[int, Field(ge=0, lt=1 << 63)]


class Wanted(BaseModel):
    """Filters of GET /pai/v1/audit/events."""

    model_config = ConfigDict(extra="forbid")
    name: Text = None
    person: Text = None
    subject: Text = None
    document: Text = None
    resource: Text = None
    model: Text = None
    outcome: Text = None
    since: Text = None
    until: Text = None
    before: Index | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = 50
    format: Literal["json", "csv"] = "json"


class Held(BaseModel):
    """POST /pai/v1/audit/consistency."""

    model_config = ConfigDict(extra="forbid")
    checkpoint: str = Field(min_length=1, max_length=4096)


@guarded(router, "GET", "/events", Permission.AUDIT_READ)
async def audit_events(
    request: Request,
    wanted: Annotated[Wanted, Query()],
    actor: Annotated[Actor, Depends(requires(Permission.AUDIT_READ))],
) -> Any:
    """Read the audit log, newest first, as JSON or CSV. ``name`` with a colon at its end stands for all that begin so."""
    asked = filter_of(wanted.model_dump(exclude={"format"}))
    events = shown(await services_of(request).oversight.events(actor, asked))
    if wanted.format == "csv":
        return Response(csv_of(events), media_type="text/csv")
    return {"events": events}


@guarded(router, "POST", "/checkpoint", Permission.AUDIT_VERIFY)
async def audit_checkpoint(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_VERIFY))]
) -> dict[str, Any]:
    """Sign the tree head."""
    return shapes.checkpoint(await services_of(request).oversight.checkpoint(actor))


@guarded(router, "GET", "/checkpoint", Permission.AUDIT_VERIFY)
async def latest_checkpoint(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_VERIFY))]
) -> dict[str, Any]:
    """Return the newest signed tree head that was kept."""
    return shapes.checkpoint(await services_of(request).oversight.latest_checkpoint(actor))


@guarded(router, "GET", "/verify", Permission.AUDIT_VERIFY)
async def audit_verify(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_VERIFY))]
) -> dict[str, Any]:
    """Recompute the whole log."""
    return shapes.verification(await services_of(request).oversight.verify(actor))


@guarded(router, "GET", "/key", Permission.AUDIT_VERIFY)
async def audit_key(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_VERIFY))]
) -> dict[str, Any]:
    """Tell the public key that checkpoints and receipts verify with."""
    return {"key": await services_of(request).oversight.verifier_key(actor)}


@guarded(router, "GET", "/export", Permission.AUDIT_EXPORT)
async def audit_export(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_EXPORT))]
) -> Response:
    """Hand the whole log out as JSON lines, for the outside verifier (docs/audit.md)."""
    services = services_of(request)
    begun = await services.handing_out.begin(actor)
    lines = while_valid(request, actor, _lines(services, actor, begun.header, begun.checkpoint.size))
    return PieceResponse(lines, lines, media_type="application/jsonl")


async def _lines(services: Services, actor: Actor, header: str, size: int) -> AsyncGenerator[bytes, None]:
    yield header.encode()
    for first in range(0, size, PAGE):
        yield "".join(await services.handing_out.page(actor, first, min(PAGE, size - first))).encode()


@guarded(router, "GET", "/events/{index}/proof", Permission.AUDIT_EXPORT)
async def audit_proof(
    request: Request, index: Index, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_EXPORT))]
) -> dict[str, Any]:
    """Prove that an event stands in the log."""
    return await services_of(request).handing_out.prove(actor, index)


@guarded(router, "POST", "/consistency", Permission.AUDIT_VERIFY)
async def audit_consistency(
    request: Request, body: Held, actor: Annotated[Actor, Depends(requires(Permission.AUDIT_VERIFY))]
) -> dict[str, Any]:
    """Prove that the log only grew since a checkpoint of it."""
    return await services_of(request).handing_out.prove_growth(actor, body.checkpoint)
