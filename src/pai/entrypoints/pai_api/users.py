"""Other people's accounts, for administrators. What changes something takes a fresh proof of who asks, so no API key does it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from pai.core.policy.values import Permission
from pai.entrypoints.http import identity_shapes, shapes
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.foundation.actor import Actor, Role
from pai.foundation.labels import Label

router = APIRouter(prefix="/pai/v1/users")
Users = Annotated[Actor, Depends(requires(Permission.USERS))]
UsersChange = Annotated[Actor, Depends(requires(Permission.USERS_CHANGE))]


class Invitation(BaseModel):
    """POST /pai/v1/users/invite."""

    model_config = ConfigDict(extra="forbid")
    email: str = Field(min_length=3, max_length=254)
    role: Role = Role.MEMBER


class Withdrawal(BaseModel):
    """POST /pai/v1/users/withdraw."""

    model_config = ConfigDict(extra="forbid")
    email: str = Field(min_length=3, max_length=254)


class Reset(BaseModel):
    """POST /pai/v1/users/{user}/reset-login."""

    model_config = ConfigDict(extra="forbid")
    second_factor: bool = False


class NewRole(BaseModel):
    """POST /pai/v1/users/{user}/role."""

    model_config = ConfigDict(extra="forbid")
    role: Role


class NewClearance(BaseModel):
    """POST /pai/v1/users/{user}/clearance."""

    model_config = ConfigDict(extra="forbid")
    clearance: Label


@guarded(router, "GET", "", Permission.USERS)
async def list_users(request: Request, actor: Users) -> dict[str, Any]:
    """List accounts with the kinds of their second factors, and the one-time links that are open."""
    return identity_shapes.everyone(await services_of(request).people.everyone(actor))


@guarded(router, "POST", "/invite", Permission.USERS_CHANGE, status_code=201)
async def invite(request: Request, body: Invitation, actor: UsersChange) -> dict[str, Any]:
    """Make a link, shown this once, with which somebody opens an account with a password of their own."""
    token = await services_of(request).setup.invite(actor, body.email, body.role)
    return {"email": body.email, "role": body.role.value, "url": link_to(request, token.reveal().decode())}


@guarded(router, "POST", "/withdraw", Permission.USERS_CHANGE)
async def withdraw(request: Request, body: Withdrawal, actor: UsersChange) -> dict[str, Any]:
    """Make the open links of an address void."""
    await services_of(request).setup.withdraw(actor, body.email)
    return {"withdrawn": body.email}


@guarded(router, "POST", "/{user}/reset-login", Permission.USERS_CHANGE, status_code=201)
async def reset_login(request: Request, user: str, body: Reset, actor: UsersChange) -> dict[str, Any]:
    """Make a link, shown this once, to choose a new password; it opens no content."""
    services = services_of(request)
    email = await services.people.address_of(actor, user)
    token = await services.setup.link(actor, email, clear_factors=body.second_factor)
    return {"email": email, "url": link_to(request, token.reveal().decode())}


@guarded(router, "POST", "/{user}/disable", Permission.USERS_CHANGE)
async def disable(request: Request, user: str, actor: UsersChange) -> dict[str, Any]:
    """Disable an account: its sessions and keys are dead at once, open streams included."""
    services = services_of(request)
    return shapes.user(await services.people.disable(actor, await services.people.address_of(actor, user)))


@guarded(router, "POST", "/{user}/enable", Permission.USERS_CHANGE)
async def enable(request: Request, user: str, actor: UsersChange) -> dict[str, Any]:
    """Let a disabled account log in again; its keys stay dead."""
    services = services_of(request)
    return shapes.user(await services.people.enable(actor, await services.people.address_of(actor, user)))


@guarded(router, "POST", "/{user}/role", Permission.USERS_CHANGE)
async def set_role(request: Request, user: str, body: NewRole, actor: UsersChange) -> dict[str, Any]:
    """Give an account another role; its browser sessions end."""
    services = services_of(request)
    email = await services.people.address_of(actor, user)
    return shapes.user(await services.people.set_role(actor, email, body.role))


@guarded(router, "POST", "/{user}/clearance", Permission.USERS_CHANGE)
async def set_clearance(request: Request, user: str, body: NewClearance, actor: UsersChange) -> dict[str, Any]:
    """Let an account touch labels up to this one; raising it may take a second person."""
    services = services_of(request)
    email = await services.people.address_of(actor, user)
    return shapes.user(await services.people.set_clearance(actor, email, body.clearance))


@guarded(router, "GET", "/{user}/sessions", Permission.USERS)
async def list_sessions(request: Request, user: str, actor: Users) -> dict[str, Any]:
    """List an account's live browser sessions; one is ended below ``/pai/v1/sessions``."""
    found = await services_of(request).people.sessions_of(actor, user)
    return {"sessions": [shapes.session(value) for value in found]}


def link_to(request: Request, token: str) -> str:
    """Return the address at which a one-time token is used."""
    # The Host header is one of our own names: everything else was refused before.
    return f"https://{request.headers['host']}/setup#{token}"
