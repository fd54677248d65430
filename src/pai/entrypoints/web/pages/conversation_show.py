"""Chat: the member's conversations, one of them open, and its answers as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pai.core.conversations.values import Conversation, Message
from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.web.browser import token_of, viewer
from pai.entrypoints.web.markdown import render
from pai.entrypoints.web.needs import Turn, WebServices
from pai.entrypoints.web.streaming import Event, answer_events, lines
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor

MAX_CHARACTERS = 32_000
Member = Annotated[Actor, Depends(requires(Permission.CONVERSATIONS))]


class Said(BaseModel):
    """POST /chat/messages. ``conversation`` is empty for a new one."""

    model_config = ConfigDict(extra="forbid")
    conversation: str = Field(max_length=60)
    text: str = Field(min_length=1, max_length=MAX_CHARACTERS)


def add(router: APIRouter, services: WebServices) -> None:
    """Register ``/chat``, ``/chat/{conversation}`` and ``/chat/messages``."""

    @guarded(router, "GET", "/chat", Permission.CONVERSATIONS)
    async def new_conversation(request: Request, actor: Member) -> Response:
        """Show an empty conversation."""
        return await _page(services, request, actor, None, ())

    @guarded(router, "GET", "/chat/{conversation}", Permission.CONVERSATIONS)
    async def show_conversation(request: Request, conversation: str, actor: Member) -> Response:
        """Show a conversation."""
        found, messages = await services.conversations.show(actor, conversation)
        return await _page(services, request, actor, found, messages)

    @guarded(router, "DELETE", "/chat/{conversation}", Permission.CONVERSATIONS)
    async def delete_conversation(conversation: str, actor: Member) -> JSONResponse:
        """Delete a conversation."""
        await services.conversations.delete(actor, conversation)
        return JSONResponse({"deleted": conversation})

    @guarded(router, "POST", "/chat/messages", Permission.CONVERSATIONS)
    async def say(body: Said, actor: Member) -> Response:
        """Keep what was said and stream the answer. Errors before the first word are a status, later ones an event."""
        turn = await services.conversations.say(actor, body.conversation or None, body.text)
        return lines(_events(turn, services, actor))


async def _page(
    services: WebServices, request: Request, actor: Actor, conversation: Conversation | None, messages: Any
) -> Response:
    models = await services.inference.models(actor)
    return page(
        "chat", conversation=conversation, conversations=await services.conversations.list(actor),
        messages=[_shown(message) for message in messages], viewer=viewer(actor),
        csrf=services.sessions.csrf(token_of(request)),
        model=next((model.name for model in models if "default" in model.aliases), ""),
    )  # fmt: skip


def _shown(message: Message) -> dict[str, Any]:
    # A member's own words are shown as they are; only a model's are Markdown.
    html = render(message.content) if message.role == "assistant" else ""
    return {"role": message.role, "content": message.content, "html": html, "model": message.model}


async def _events(turn: Turn, services: WebServices, actor: Actor) -> AsyncIterator[Event]:
    answer = answer_events(turn.deltas, lambda: services.sessions.alive(actor))
    try:
        yield {
            "type": "start",
            "conversation": turn.conversation.id,
            "title": turn.conversation.title,
            "model": turn.model,
        }
        async for event in answer:
            yield event
    finally:
        await answer.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
        await turn.deltas.aclose()  # type: ignore[attr-defined]  # also when the reader left before the first word
