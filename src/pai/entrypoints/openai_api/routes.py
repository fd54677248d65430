"""Models and embeddings; chats and completions are routes of their own modules."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pai.core.models.inference import Inference
from pai.core.models.values import Model
from pai.core.models.vectors import shortened
from pai.core.policy.values import Permission
from pai.core.ports.engine import floats
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.openai_api import audio, batches, chat, completions, files, responses, scoring, vector_stores
from pai.entrypoints.openai_api.schemas import EmbeddingRequest
from pai.foundation.actor import Actor

router = APIRouter(prefix="/v1")
ROUTERS = (
    router,
    chat.router,
    completions.router,
    responses.router,
    scoring.router,
    files.router,
    batches.router,
    vector_stores.router,
    audio.router,
)
"""All routes of the dialect."""


@guarded(router, "GET", "/models", Permission.MODELS_LIST)
async def list_models(
    request: Request, actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]
) -> dict[str, Any]:
    """List the active models and their aliases."""
    models = await services_of(request).inference.models(actor)
    return {
        "object": "list",
        "data": [_model(name, model) for model in models for name in (model.name, *model.aliases)],
    }


@guarded(router, "GET", "/models/{name}", Permission.MODELS_LIST)
async def show_model(
    request: Request, name: str, actor: Annotated[Actor, Depends(requires(Permission.MODELS_LIST))]
) -> dict[str, Any]:
    """Show one model."""
    return _model(name, await services_of(request).inference.show(actor, name))


def _model(name: str, model: Model) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": int(model.imported_at.timestamp()),
        "owned_by": "pai",
        "root": model.name,
    }


@guarded(router, "POST", "/embeddings", Permission.EMBED)
async def embeddings(
    request: Request, body: EmbeddingRequest, actor: Annotated[Actor, Depends(requires(Permission.EMBED))]
) -> dict[str, Any]:
    """Return one vector per text."""
    return await embedded(services_of(request).inference, actor, body)


async def embedded(inference: Inference, actor: Actor, body: EmbeddingRequest) -> dict[str, Any]:
    """Return one vector per text."""
    engine, found = await inference.embed(actor, body.model, body.texts())
    data = [
        {"object": "embedding", "index": n, "embedding": _vector(vector, body.encoding_format)}
        for n, vector in enumerate(shortened(found, body.dimensions).vectors)
    ]
    count = found.prompt_tokens
    return {
        "object": "list",
        "data": data,
        "model": engine.model.name,
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def _vector(vector: bytes, form: str) -> str | list[float]:
    return base64.b64encode(vector).decode() if form == "base64" else list(floats(vector))
