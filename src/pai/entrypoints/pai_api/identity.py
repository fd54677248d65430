"""Second factors and password of one's own, proving once more who one is, and other people's accounts for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from pai.core.policy.values import Permission
from pai.entrypoints.http import identity_shapes as shapes
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.foundation.actor import Actor
from pai.foundation.redaction import Secret

router = APIRouter(prefix="/pai/v1")
Self = Annotated[Actor, Depends(requires(Permission.SELF))]
Factors = Annotated[Actor, Depends(requires(Permission.FACTORS))]
FactorsChange = Annotated[Actor, Depends(requires(Permission.FACTORS_CHANGE))]


class Proof(BaseModel):
    """POST /pai/v1/step-up. ``proof`` is a code where the account has a second factor, else the password."""

    model_config = ConfigDict(extra="forbid")
    proof: str = Field(min_length=1, max_length=1024)


class Code(BaseModel):
    """POST /pai/v1/factors/totp/confirm."""

    model_config = ConfigDict(extra="forbid")
    code: str = Field(min_length=1, max_length=64)


class NewPassword(BaseModel):
    """POST /pai/v1/password."""

    model_config = ConfigDict(extra="forbid")
    present: str = Field(min_length=1, max_length=1024)
    password: str = Field(min_length=1, max_length=1024)


@guarded(router, "GET", "/factors", Permission.FACTORS)
async def own_factors(request: Request, actor: Factors) -> dict[str, Any]:
    """Tell which second factors this account has."""
    return shapes.own_factors(await services_of(request).factors.own(actor))


@guarded(router, "POST", "/step-up", Permission.SELF)
async def step_up(request: Request, body: Proof, actor: Self) -> dict[str, Any]:
    """Prove once more who you are; what is dangerous is then open to this browser session for five minutes."""
    await services_of(request).factors.step_up(actor, Secret(body.proof.encode()))
    return {"fresh": True}


@guarded(router, "POST", "/factors/totp", Permission.FACTORS_CHANGE, status_code=201)
async def begin_totp(request: Request, actor: FactorsChange) -> dict[str, Any]:
    """Make a secret for an authenticator app; it is in force once its first code came."""
    made = await services_of(request).factors.begin_totp(actor)
    return {"secret": made.text, "address": made.address, **shapes.picture(made.address)}


@guarded(router, "POST", "/factors/totp/confirm", Permission.FACTORS_CHANGE)
async def confirm_totp(request: Request, body: Code, actor: FactorsChange) -> dict[str, Any]:
    """Put the new authenticator app in force; the backup codes are shown this once."""
    codes = await services_of(request).factors.confirm_totp(actor, body.code.replace(" ", ""))
    return {"backup_codes": list(codes)}


@guarded(router, "DELETE", "/factors/totp", Permission.FACTORS_CHANGE)
async def remove_totp(request: Request, actor: FactorsChange) -> dict[str, Any]:
    """Take the authenticator app out of force."""
    await services_of(request).factors.remove_totp(actor)
    return {"removed": "totp"}


@guarded(router, "POST", "/factors/backup-codes", Permission.FACTORS_CHANGE, status_code=201)
async def renew_backup_codes(request: Request, actor: FactorsChange) -> dict[str, Any]:
    """Make ten new backup codes, shown this once; the old ones are void."""
    return {"backup_codes": list(await services_of(request).factors.renew_backup_codes(actor))}


@guarded(router, "POST", "/password", Permission.FACTORS_CHANGE)
async def change_password(request: Request, body: NewPassword, actor: FactorsChange) -> dict[str, Any]:
    """Change one's own password; all other browser sessions of the account end."""
    present, wanted = Secret(body.present.encode()), Secret(body.password.encode())
    await services_of(request).password.change(actor, present, wanted)
    return {"changed": True}


@guarded(router, "POST", "/content/open", Permission.SESSIONS)
async def open_content(
    request: Request, body: Proof, actor: Annotated[Actor, Depends(requires(Permission.SESSIONS))]
) -> dict[str, Any]:
    """Open one's own content in this browser session with the password, after a log-in that could not."""
    await services_of(request).password.open_content(actor, Secret(body.proof.encode()))
    return {"opened": True}


@guarded(router, "POST", "/devices/acknowledge", Permission.FACTORS_CHANGE)
async def acknowledge_devices(request: Request, actor: FactorsChange) -> dict[str, Any]:
    """Say that the new browsers, which the account page tells of, are one's own."""
    await services_of(request).sessions.acknowledge(actor)
    return {"acknowledged": True}
