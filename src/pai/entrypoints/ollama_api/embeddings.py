"""Embeddings: several texts at once, or one in the older way."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pai.core.models.vectors import shortened
from pai.core.policy.values import Permission
from pai.core.ports.engine import Embeddings, floats
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.ollama_api.routing import ANY_TYPE
from pai.entrypoints.ollama_api.schemas import EmbedBody, EmbeddingsBody
from pai.entrypoints.ollama_api.timings import Timings
from pai.foundation.actor import Actor

router = APIRouter(prefix="/api")


@guarded(router, "POST", "/embed", Permission.EMBED, **ANY_TYPE)
async def embed(
    request: Request, body: EmbedBody, actor: Annotated[Actor, Depends(requires(Permission.EMBED))]
) -> dict[str, Any]:
    """Return one vector per text."""
    timings = Timings()
    texts = [body.input] if isinstance(body.input, str) else body.input
    engine, found = await services_of(request).inference.embed(actor, body.model, texts, cut=body.truncate)
    vectors = _numbers(shortened(found, body.dimensions))
    told = {"model": engine.model.name, "embeddings": vectors}
    return {**told, **timings.told(), "prompt_eval_count": found.prompt_tokens}


@guarded(router, "POST", "/embeddings", Permission.EMBED, **ANY_TYPE)
async def embeddings(
    request: Request, body: EmbeddingsBody, actor: Annotated[Actor, Depends(requires(Permission.EMBED))]
) -> dict[str, Any]:
    """Return the vector of one text, in the older way."""
    _, found = await services_of(request).inference.embed(actor, body.model, [body.prompt])
    return {"embedding": _numbers(found)[0]}


def _numbers(found: Embeddings) -> list[list[float]]:
    return [list(floats(vector)) for vector in found.vectors]
