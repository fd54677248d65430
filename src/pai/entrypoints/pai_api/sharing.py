"""Sharing collections: given, seen and taken back by their owners."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from pai.core.knowledge.values import ShareAccess
from pai.core.policy.values import Permission
from pai.entrypoints.http import shapes
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.foundation.actor import Actor
from pai.foundation.time import utc_now

router = APIRouter(prefix="/pai/v1/collections/{collection}")
Shares = Annotated[Actor, Depends(requires(Permission.COLLECTION_SHARES))]


class Share(BaseModel):
    """POST /pai/v1/collections/{id}/share. It ends at ``expires_at``, or after so many ``days``, or when it is taken back."""

    model_config = ConfigDict(extra="forbid")
    email: str = Field(min_length=1, max_length=254)
    access: ShareAccess = ShareAccess.READ
    expires_at: AwareDatetime | None = None
    days: Annotated[int, Field(ge=1, le=3650)] | None = None

    @field_validator("days", mode="before")
    @classmethod
    def _from_a_select(cls, value: Any) -> Any:
        return value or None  # a select without a choice sends an empty text


@guarded(router, "POST", "/share", Permission.COLLECTION_SHARE)
async def share_collection(
    request: Request,
    collection: str,
    body: Share,
    actor: Annotated[Actor, Depends(requires(Permission.COLLECTION_SHARE))],
) -> dict[str, Any]:
    """Give another account access, to read and ask or to write, in place of what it had."""
    until = utc_now() + timedelta(days=body.days) if body.days else body.expires_at
    return shapes.collection(
        await services_of(request).sharing.share(actor, collection, body.email, body.access, until)
    )


@guarded(router, "GET", "/shares", Permission.COLLECTION_SHARES)
async def list_shares(request: Request, collection: str, actor: Shares) -> dict[str, Any]:
    """Tell the owner with whom a collection is shared."""
    return {"shares": [shapes.share(one) for one in await services_of(request).sharing.shares(actor, collection)]}


@guarded(router, "DELETE", "/shares/{user}", Permission.COLLECTION_SHARES)
async def take_back(request: Request, collection: str, user: str, actor: Shares) -> dict[str, Any]:
    """Take a share back, by id or address of the account; what streams to them ends."""
    return shapes.collection(await services_of(request).sharing.unshare(actor, collection, user))
