"""Second factors and password of one's own, proving once more who one is, and other people's accounts for administrators."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from pai.core.policy.values import Permission
from pai.entrypoints.http import identity_shapes as shapes
from pai.entrypoints.http.authentication import place_of
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


class NewPasskey(BaseModel):
    """POST /pai/v1/passkeys. ``credential`` is what the browser gave, ``prf`` what the passkey's PRF extension gave (base64url)."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=100)
    credential: dict[str, Any]
    prf: str | None = Field(None, max_length=100)
    server_holds: bool = False


class Answer(BaseModel):
    """POST /pai/v1/step-up/passkey."""

    model_config = ConfigDict(extra="forbid")
    credential: dict[str, Any]


class NewPassword(BaseModel):
    """POST /pai/v1/password. ``revoke_keys``: end all API keys of the account as well; they do not depend on the password."""

    model_config = ConfigDict(extra="forbid")
    present: str = Field(min_length=1, max_length=1024)
    password: str = Field(min_length=1, max_length=1024)
    revoke_keys: bool = False


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
    """Change one's own password; all other browser sessions of the account end, and its API keys if asked for."""
    present, wanted = Secret(body.present.encode()), Secret(body.password.encode())
    services = services_of(request)
    await services.password.change(actor, present, wanted)
    return {"changed": True, "keys_revoked": await services.keys.revoke_all(actor) if body.revoke_keys else 0}


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


@guarded(router, "POST", "/passkeys/options", Permission.FACTORS_CHANGE)
async def begin_passkey(request: Request, actor: FactorsChange) -> dict[str, Any]:
    """Return what the browser needs to make a passkey."""
    options = await services_of(request).passkeys.begin_registration(actor, place_of(request))
    return {"options": options, "prf_input": shapes.PRF_INPUT}


@guarded(router, "POST", "/passkeys", Permission.FACTORS_CHANGE, status_code=201)
async def add_passkey(request: Request, body: NewPasskey, actor: FactorsChange) -> dict[str, Any]:
    """Keep the passkey that the browser made; backup codes, if there were none, are shown this once."""
    made = await services_of(request).passkeys.finish_registration(
        actor, place_of(request), body.name, body.credential, shapes.prf(body.prf), server_holds=body.server_holds
    )
    return {"passkey": shapes.passkey(made.passkey), "backup_codes": list(made.backup_codes)}


@guarded(router, "DELETE", "/passkeys/{passkey}", Permission.FACTORS_CHANGE)
async def remove_passkey(request: Request, passkey: str, actor: FactorsChange) -> dict[str, Any]:
    """Forget one of one's own passkeys."""
    await services_of(request).passkeys.remove(actor, passkey)
    return {"removed": passkey}


@guarded(router, "POST", "/step-up/passkey/options", Permission.SELF)
async def begin_step_up(request: Request, actor: Self) -> dict[str, Any]:
    """Return what the browser needs to prove once more who you are with a passkey."""
    return {"options": await services_of(request).passkeys.begin_step_up(actor, place_of(request))}


@guarded(router, "POST", "/step-up/passkey", Permission.SELF)
async def finish_step_up(request: Request, body: Answer, actor: Self) -> dict[str, Any]:
    """Take that proof; what is dangerous is then open to this browser session for five minutes."""
    await services_of(request).passkeys.finish_step_up(actor, place_of(request), body.credential)
    return {"fresh": True}
