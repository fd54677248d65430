"""Messages, whole or as a stream of events, and how many tokens they would have."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from pai.core.policy.values import Permission
from pai.entrypoints.anthropic_api import models
from pai.entrypoints.anthropic_api.events import events
from pai.entrypoints.anthropic_api.schemas import MessageRequest, Prompted
from pai.entrypoints.anthropic_api.translation import blocks_of, end_of, prompt_of, request_of, usage_of
from pai.entrypoints.http.answers import begin, whole
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.streams import PieceResponse
from pai.foundation.actor import Actor
from pai.foundation.ids import new_id

router = APIRouter(prefix="/v1/messages")
ROUTERS = (router, models.router)
"""All routes of the dialect."""


@guarded(router, "POST", "", Permission.CHAT)
async def create_message(
    request: Request, body: MessageRequest, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Any:
    """Answer a conversation, whole or as a stream of events."""
    asked = request_of(body, actor.id)
    thoughts = body.thinking.shown
    count = 0
    if body.stream:
        _, count = await services_of(request).inference.count_prompt(actor, body.model, asked)
    begun = await begin(request, actor, body.model, asked)
    head = {"id": new_id("msg"), "type": "message", "role": "assistant", "model": begun.model}
    if body.stream:
        told = events(request, head, asked, begun, count, thoughts=thoughts)
        return PieceResponse(told, begun.rest, media_type="text/event-stream")
    answer = await whole(begun)
    content = blocks_of(answer, thoughts=thoughts)
    return {**head, "content": content, **end_of(answer, asked), "usage": usage_of(answer.usage)}


@guarded(router, "POST", "/count_tokens", Permission.CHAT)
async def count_tokens(
    request: Request, body: Prompted, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> dict[str, int]:
    """Tell how many tokens a conversation has for a model, its tools and system text included."""
    _, count = await services_of(request).inference.count_prompt(actor, body.model, prompt_of(body, actor.id))
    return {"input_tokens": count}
