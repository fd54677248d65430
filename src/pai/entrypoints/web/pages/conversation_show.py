"""Chat: the member's conversations, one of them open, and its answers as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from pai.core.conversations.chats import Begun, Ended, Waiting
from pai.core.conversations.values import Conversation, Message
from pai.core.policy.values import Permission
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.services import Services
from pai.entrypoints.web.browser import shell
from pai.entrypoints.web.markdown import render
from pai.entrypoints.web.streaming import Event, Growing, lines
from pai.entrypoints.web.templating import page
from pai.foundation.actor import Actor

MAX_CHARACTERS = 32_000
Member = Annotated[Actor, Depends(requires(Permission.CONVERSATIONS))]


class Said(BaseModel):
    """POST /chat/messages. ``conversation`` is empty for a new one."""

    model_config = ConfigDict(extra="forbid")
    conversation: str = Field(max_length=60)
    text: str = Field(min_length=1, max_length=MAX_CHARACTERS)


def add(router: APIRouter, services: Services) -> None:
    """Register ``/chat``, ``/chat/{conversation}`` and ``/chat/messages``."""

    @guarded(router, "GET", "/chat", Permission.CONVERSATIONS)
    async def new_conversation(request: Request, actor: Member) -> Response:
        """Show an empty conversation."""
        return await _page(services, request, actor, None, ())

    @guarded(router, "GET", "/chat/{conversation}", Permission.CONVERSATIONS)
    async def show_conversation(request: Request, conversation: str, actor: Member) -> Response:
        """Show a conversation."""
        found, messages = await services.conversations.get(actor, conversation)
        return await _page(services, request, actor, found, messages)

    @guarded(router, "DELETE", "/chat/{conversation}", Permission.CONVERSATIONS)
    async def delete_conversation(conversation: str, actor: Member) -> JSONResponse:
        """Delete a conversation."""
        await services.conversations.delete(actor, conversation)
        return JSONResponse({"deleted": conversation})

    @guarded(router, "POST", "/chat/messages", Permission.CONVERSATIONS)
    async def say(request: Request, body: Said, actor: Member) -> Response:
        """Keep what was said and stream the answer. Errors before the first word are a status, later ones an event."""
        return await lines(request, actor, _events(services, actor, body))


async def _page(
    services: Services, request: Request, actor: Actor, conversation: Conversation | None, messages: Any
) -> Response:
    models = await services.inference.models(actor)
    return page(
        "chat", conversation=conversation, conversations=await services.conversations.list(actor),
        messages=[_shown(message) for message in messages],
        model=next((model.name for model in models if "default" in model.aliases), ""), **shell(request, actor),
    )  # fmt: skip


def _shown(message: Message) -> dict[str, Any]:
    # A member's own words are shown as they are; only a model's are Markdown.
    html = render(message.content) if message.role == "assistant" else ""
    return {"role": message.role, "content": message.content, "html": html, "model": message.model}


async def _events(services: Services, actor: Actor, body: Said) -> AsyncGenerator[Event, None]:
    growing = Growing()
    async with aclosing(services.conversations.say(actor, body.text, body.conversation or None)) as answer:
        async for event in answer:
            match event:
                case Begun(conversation, model):
                    yield {
                        "type": "start",
                        "conversation": conversation.id,
                        "title": conversation.title,
                        "model": model,
                    }
                case Ended(_, finish, _, receipt):
                    for told in growing.rest():
                        yield told
                    yield {"type": "done", "finish": finish, "receipt": receipt}
                case Waiting(before):
                    yield {"type": "waiting", "before": before}
                case _:
                    for told in growing.add(event.text):
                        yield told
