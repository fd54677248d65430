"""Requests that take a second person. They are made where the act itself is asked for; here they are seen, decided and carried out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from pai.core.policy.values import APPROVERS, Act, Permission, Rule
from pai.entrypoints.http import approval_shapes as shapes
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.pai_api.users import link_to
from pai.foundation.actor import Actor, Role

router = APIRouter(prefix="/pai/v1/approvals")
Asks = Annotated[Actor, Depends(requires(Permission.APPROVALS_ASK))]
Reads = Annotated[Actor, Depends(requires(Permission.APPROVALS_READ))]
Decides = Annotated[Actor, Depends(requires(Permission.APPROVALS_DECIDE))]
Rules = Annotated[Actor, Depends(requires(Permission.APPROVALS_RULES))]


class Approval(BaseModel):
    """POST /pai/v1/approvals/{id}/approve. ``digest``: of the request as it was looked at."""

    model_config = ConfigDict(extra="forbid")
    digest: str = Field(min_length=64, max_length=64)
    reason: str = Field("", max_length=300)


class Refusal(BaseModel):
    """POST /pai/v1/approvals/{id}/refuse."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field("", max_length=300)


class NewRule(BaseModel):
    """PUT /pai/v1/approvals/rules."""

    model_config = ConfigDict(extra="forbid")
    act: Act
    quorum: int = Field(ge=0, le=5)
    groups: list[Role] = Field(default_factory=lambda: [Role(name) for name in APPROVERS], min_length=1)
    life_hours: int = Field(72, ge=1, le=720)
    lock_hours: int = Field(24, ge=1, le=720)


@guarded(router, "GET", "", Permission.APPROVALS_READ)
async def list_requests(request: Request, actor: Reads) -> dict[str, Any]:
    """List requests, newest first: all for those who oversee, else one's own."""
    return {"approvals": [shapes.told(one) for one in await services_of(request).approvals.list(actor)]}


@guarded(router, "GET", "/rules", Permission.APPROVALS_READ)
async def list_rules(request: Request, actor: Reads) -> dict[str, Any]:
    """Tell how each act is approved."""
    return {"rules": [shapes.rule(one) for one in await services_of(request).approvals.rules(actor)]}


@guarded(router, "PUT", "/rules", Permission.APPROVALS_RULES)
async def change_rule(request: Request, body: NewRule, actor: Rules) -> dict[str, Any]:
    """Approve an act in another way from now on."""
    groups = tuple(dict.fromkeys(role.value for role in body.groups))
    rule = Rule(body.act, body.quorum, groups, body.life_hours, body.lock_hours)
    return shapes.rule(await services_of(request).approvals.change_rule(actor, rule))


@guarded(router, "GET", "/{approval}", Permission.APPROVALS_READ)
async def show_request(request: Request, approval: str, actor: Reads) -> dict[str, Any]:
    """Show a request with what was said to it."""
    return shapes.told(await services_of(request).approvals.show(actor, approval))


@guarded(router, "POST", "/{approval}/approve", Permission.APPROVALS_DECIDE)
async def approve(request: Request, approval: str, body: Approval, actor: Decides) -> dict[str, Any]:
    """Approve what somebody else asked for, as it was looked at."""
    return shapes.told(await services_of(request).approvals.approve(actor, approval, body.digest, body.reason))


@guarded(router, "POST", "/{approval}/refuse", Permission.APPROVALS_DECIDE)
async def refuse(request: Request, approval: str, body: Refusal, actor: Decides) -> dict[str, Any]:
    """Refuse what somebody else asked for, which ends the request."""
    return shapes.told(await services_of(request).approvals.refuse(actor, approval, body.reason))


@guarded(router, "POST", "/{approval}/withdraw", Permission.APPROVALS_ASK)
async def withdraw(request: Request, approval: str, actor: Asks) -> dict[str, Any]:
    """Take back one's own request."""
    return shapes.request(await services_of(request).approvals.withdraw(actor, approval), actor.name)


@guarded(router, "POST", "/{approval}/execute", Permission.APPROVALS_ASK)
async def execute(request: Request, approval: str, actor: Asks) -> dict[str, Any]:
    """Carry out one's own approved request, once, exactly as it was asked for; a link it makes is shown this once."""
    done, told = await services_of(request).approvals.execute(actor, approval)
    token = told.pop("token", None)
    link = {} if token is None else {"url": link_to(request, token)}
    return {"id": done.id, "act": done.act.value, "what": shapes.in_words(done), "result": told, **link}
