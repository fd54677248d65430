"""Moderations in OpenAI's shape, and rerank in the shape that Jina and Cohere share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from pai.core.models.moderation import FLAGGED
from pai.core.policy.values import Permission
from pai.entrypoints.http.bodies import Body, Name, Open
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound
from pai.foundation.ids import new_id

router = APIRouter(prefix="/v1")
_OPENAIS = ("omni-moderation-", "text-moderation-")
"""What OpenAI's clients name when they are told nothing; the answer says what really scored."""


class ModeratedPart(Open):
    """A part of one input. Pictures cannot be scored."""

    type: Literal["text"]
    text: str


class Moderate(Body):
    """POST /v1/moderations."""

    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=64, fail_fast=True)]
        | Annotated[list[ModeratedPart], Field(min_length=1, max_length=64, fail_fast=True)]
    )
    model: Name = "default-moderation"

    def texts(self) -> list[str]:
        """Return each text; parts are one."""
        if isinstance(self.input, str):
            return [self.input]
        if isinstance(self.input[0], str):
            return [one for one in self.input if isinstance(one, str)]
        return ["\n".join(one.text for one in self.input if isinstance(one, ModeratedPart))]


@guarded(router, "POST", "/moderations", Permission.MODERATE)
async def moderations(
    request: Request, body: Moderate, actor: Annotated[Actor, Depends(requires(Permission.MODERATE))]
) -> dict[str, Any]:
    """Score texts by OpenAI's categories: a signal, not a gate. See docs/scoring.md for what the scores are."""
    if body.model != "default-moderation" and not body.model.startswith(_OPENAIS):
        raise NotFound(f"the model {body.model[:100]!r} does not moderate", code="model_not_found")
    model, found = await services_of(request).moderation.moderate(actor, body.texts())
    results = [
        {
            "flagged": one.flagged,
            "categories": {name: score >= FLAGGED for name, score in one.scores.items()},
            "category_scores": one.scores,
            "category_applied_input_types": {name: ["text"] for name in one.scores},
        }
        for one in found
    ]
    return {"id": new_id("modr"), "model": model, "results": results}


class Document(Open):
    """A document as an object."""

    text: str


class Rerank(Body):
    """POST /v1/rerank."""

    model: Name = "default-reranker"
    query: Annotated[str, Field(min_length=1, max_length=20_000)]
    documents: Annotated[list[str | Document], Field(min_length=1, max_length=1000, fail_fast=True)]
    top_n: Annotated[int, Field(ge=1)] | None = None
    return_documents: bool = False


@guarded(router, "POST", "/rerank", Permission.RERANK)
async def rerank(
    request: Request, body: Rerank, actor: Annotated[Actor, Depends(requires(Permission.RERANK))]
) -> dict[str, Any]:
    """Put documents in the order in which they answer a question."""
    texts = [one if isinstance(one, str) else one.text for one in body.documents]
    model, ranked, tokens = await services_of(request).ranking.rank(actor, body.model, body.query, texts)
    results = [
        {"index": one.index, "relevance_score": one.score}
        | ({"document": {"text": texts[one.index]}} if body.return_documents else {})
        for one in ranked[: body.top_n]
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"id": new_id("rank"), "object": "list", "model": model, "results": results, "usage": usage}
