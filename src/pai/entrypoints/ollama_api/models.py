"""What models there are, what one can do, which are in memory, and the version of the server."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pai import __version__
from pai.core.models.values import Model
from pai.core.policy.values import Permission
from pai.core.ports.engine import Capabilities, Capability
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.ollama_api.routing import ANY_TYPE
from pai.entrypoints.ollama_api.schemas import LATEST, ShowBody
from pai.foundation.actor import Actor
from pai.foundation.time import to_text

router = APIRouter(prefix="/api")
_WORDS = {
    Capability.CHAT: "completion", Capability.TOOLS: "tools", Capability.IMAGE_INPUT: "vision", Capability.EMBED: "embedding",
}  # fmt: skip
_UNKNOWN = "unknown"
"""The architecture: models are registered without one."""


@guarded(router, "GET", "/version", Permission.MODELS_LIST)
async def version(_actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]) -> dict[str, str]:
    """Tell PAI's version."""
    return {"version": __version__}


@guarded(router, "GET", "/tags", Permission.MODELS_LIST)
async def tags(request: Request, actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]) -> dict[str, Any]:
    """List the active models and their aliases."""
    models = await services_of(request).inference.models(actor)
    return {
        "models": [
            {**_model(name, model), "modified_at": to_text(model.imported_at)}
            for model in models
            for name in (model.name, *model.aliases)
        ]
    }


@guarded(router, "GET", "/ps", Permission.MODELS_LIST)
async def running(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]
) -> dict[str, Any]:
    """List the models that are in memory."""
    inference = services_of(request).inference
    found = []
    for model in await inference.loaded(actor):
        _, able = await inference.able(actor, model.name)
        found.append({**_model(model.name, model), "context_length": able.context_length})
    return {"models": found}


@guarded(router, "POST", "/show", Permission.MODELS_LIST, **ANY_TYPE)
async def show(
    request: Request, body: ShowBody, actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]
) -> dict[str, Any]:
    """Show one model and what it can do."""
    model, able = await services_of(request).inference.able(actor, body.model)
    return {
        "license": model.record.licence, "details": _details(model), "model_info": _info(model, able),
        "capabilities": [word for capability, word in _WORDS.items() if capability in able.supports],
        "modified_at": to_text(model.imported_at),
    }  # fmt: skip


def _model(name: str, model: Model) -> dict[str, Any]:
    tagged = name + LATEST
    return {
        "name": tagged, "model": tagged, "size": model.size, "digest": model.sha256, "details": _details(model),
    }  # fmt: skip


def _details(model: Model) -> dict[str, Any]:
    """Return what is known; empty is Ollama's own word for the rest."""
    return {
        "parent_model": "", "format": model.format, "family": "", "families": [], "parameter_size": "", "quantization_level": "",
    }  # fmt: skip


def _info(model: Model, able: Capabilities) -> dict[str, Any]:
    told: dict[str, Any] = {
        "general.architecture": _UNKNOWN,
        "general.basename": model.name,
        f"{_UNKNOWN}.context_length": able.context_length,
    }
    return told if able.dimensions is None else {**told, f"{_UNKNOWN}.embedding_length": able.dimensions}
