"""Responses: whole, or as a stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from pai.core.conversations.looking_up import Lookup
from pai.core.conversations.responses import Asked, Ended, ResponseEvent
from pai.core.conversations.values import Called, Item, Result, Searched, Spoken, Thought
from pai.core.policy.values import Permission
from pai.core.ports.engine import ChatRequest, Tool
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.openai_api import response_shapes as shapes
from pai.entrypoints.openai_api.pages import Page
from pai.entrypoints.openai_api.response_events import events
from pai.entrypoints.openai_api.response_schemas import (
    AllowedTools,
    CreateResponse,
    FileSearchSpec,
    FunctionToolSpec,
    Include,
    InputCall,
    InputItem,
    InputMessage,
    InputResult,
    InputThought,
    NamedChoice,
    SearchChoice,
    texts,
)
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, Unavailable
from pai.foundation.ids import new_id

router = APIRouter(prefix="/v1")
Includes = Annotated[list[Include] | None, Query(alias="include[]", max_length=8)]
_SEARCHES = "file_search_call.results"


@guarded(router, "POST", "/responses", Permission.CHAT)
async def create_response(
    request: Request, body: CreateResponse, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Any:
    """Respond to items, whole or as a stream of events."""
    asked = asked_of(body)
    coming = while_valid(request, actor, services_of(request).responses.respond(actor, asked), watch_reader=True)
    searches = _SEARCHES in body.include
    first = await first_of(coming)  # errors of the prompt become a status, not a broken stream
    if body.stream:
        return PieceResponse(events(first, coming, searches=searches), coming, media_type="text/event-stream")
    return JSONResponse(await whole(coming, body))


async def whole(coming: AsyncGenerator[ResponseEvent, None], body: CreateResponse) -> dict[str, Any]:
    """Return a response once it is there."""
    async with aclosing(coming):
        async for event in coming:
            if isinstance(event, Ended):
                return shapes.response(event.response, searches=_SEARCHES in body.include)
    raise Unavailable("the answer ended without saying so", code="engine_failed", hint="ask again")


@guarded(router, "GET", "/responses/{response}", Permission.CONVERSATIONS)
async def show_response(
    request: Request,
    response: str,
    actor: Annotated[Actor, Depends(requires(Permission.CONVERSATIONS))],
    include: Includes = None,
    stream: Annotated[Literal[False], Query(description="what is kept is told whole")] = False,  # noqa: ARG001
) -> dict[str, Any]:
    """Show a kept response."""
    found = await services_of(request).responses.get(actor, response)
    return shapes.response(found, searches=_SEARCHES in (include or ()))


@guarded(router, "DELETE", "/responses/{response}", Permission.CONVERSATIONS)
async def delete_response(
    request: Request, response: str, actor: Annotated[Actor, Depends(requires(Permission.CONVERSATIONS))]
) -> dict[str, Any]:
    """Delete a kept response with what it was made from."""
    await services_of(request).responses.delete(actor, response)
    return {"id": response, "object": "response", "deleted": True}


@guarded(router, "POST", "/responses/{response}/cancel", Permission.CONVERSATIONS)
async def cancel_response(
    request: Request, response: str, actor: Annotated[Actor, Depends(requires(Permission.CONVERSATIONS))]
) -> dict[str, Any]:
    """Refuse: nothing is answered in the background; closing the connection stops an answer."""
    return shapes.response(await services_of(request).responses.cancel(actor, response))


@guarded(router, "GET", "/responses/{response}/input_items", Permission.CONVERSATIONS)
async def list_input_items(
    request: Request,
    response: str,
    actor: Annotated[Actor, Depends(requires(Permission.CONVERSATIONS))],
    page: Annotated[Page, Query()],
) -> dict[str, Any]:
    """List what a kept response was made from, newest first unless ``order`` is ``asc``."""
    found = await services_of(request).responses.inputs(actor, response)
    return page.of([shapes.item(one) for one in found])


def asked_of(body: CreateResponse) -> Asked:
    """Translate a request."""
    tools, must, named = _tools(body)
    request = ChatRequest(
        max_tokens=body.max_output_tokens,
        # OpenAI's top_p 0 means the likeliest token; a nucleus without tokens does not exist.
        temperature=body.temperature if body.top_p > 0 else 0.0, top_p=body.top_p or 1.0,
        frequency_penalty=body.frequency_penalty, presence_penalty=body.presence_penalty,
        json_schema=body.text.format.schema_of(), tools=tools, must_call=must, tool=named,
        parallel_tool_calls=body.parallel_tool_calls,
        top_logprobs=body.top_logprobs if body.top_logprobs or "message.output_text.logprobs" in body.include else None,
    )  # fmt: skip
    items = tuple(_item(one) for one in body.input)
    return Asked(
        body.model, items, request, instructions=body.instructions or "", settings=_settings(body), store=body.store,
        previous_id=body.previous_response_id or "", lookup=_lookup(body),
    )  # fmt: skip


def _tools(body: CreateResponse) -> tuple[tuple[Tool, ...], bool, str]:
    """Return the functions that are offered, whether one must be called, and which."""
    functions = [one for one in body.tools if isinstance(one, FunctionToolSpec)]
    offered = tuple(Tool(one.name, one.description or "", one.parameters or {}) for one in functions)
    # A search is made whenever one is offered: then a tool was called, as it had to be.
    searched = _lookup(body) is not None
    match body.tool_choice:
        case "none":
            return (), False, ""
        case "required":
            return offered, not searched, ""
        case NamedChoice(name=name):
            return offered, True, name
        case AllowedTools(mode=mode, tools=chosen):
            names = {one.name for one in chosen if one.type == "function"}
            if not names <= {tool.name for tool in offered}:
                raise Invalid("a tool that is allowed is not among the tools", code="bad_tool")
            return tuple(tool for tool in offered if tool.name in names), mode == "required" and not searched, ""
        case _:
            return offered, False, ""


def _lookup(body: CreateResponse) -> Lookup | None:
    """Return what is searched before the model is asked."""
    searches = [one for one in body.tools if isinstance(one, FileSearchSpec)]
    chosen = body.tool_choice
    refused = isinstance(chosen, AllowedTools) and all(one.type != "file_search" for one in chosen.tools)
    if isinstance(chosen, SearchChoice) and not searches:
        raise Invalid("the tool that must be called is not among the tools", code="bad_tool")
    if not searches or refused or chosen == "none":
        return None
    named = tuple(name for one in searches for name in one.vector_store_ids)
    least = max(one.ranking_options.score_threshold or 0.0 for one in searches)
    return Lookup(named, max(one.max_num_results for one in searches), least)


def _item(given: InputItem) -> Item:
    match given:
        case InputMessage():
            role = {"developer": "system"}.get(given.role, given.role)
            parts = [] if isinstance(given.content, str) else given.content
            images = tuple(image for image in (part.image() for part in parts) if image is not None)
            return Spoken(given.id or new_id("msg"), role, texts(given.content), images)
        case InputCall():
            return Called(given.id or new_id("fc"), given.call_id, given.name, given.arguments or "{}")
        case InputResult():
            return Result(given.id or new_id("fco"), given.call_id, texts(given.output))
        case InputThought():
            return Thought(given.id or new_id("rs"), "")
        case _:
            return Searched(given.id or new_id("fs"), "")


def _settings(body: CreateResponse) -> dict[str, Any]:
    """Return what the response repeats of its request."""
    told = body.model_dump(
        mode="json", by_alias=True,
        include={
            "instructions", "tools", "tool_choice", "parallel_tool_calls", "max_output_tokens", "max_tool_calls", "metadata",
            "temperature", "top_p", "frequency_penalty", "presence_penalty", "top_logprobs", "truncation",
            "reasoning", "store", "user", "safety_identifier",
            "prompt_cache_key",
        },
    )  # fmt: skip
    text = body.text.model_dump(mode="json", by_alias=True, exclude_none=True)
    if body.text.format.type != "json_schema":
        text["format"] = {"type": body.text.format.type}
    else:
        text["format"] = {"description": None, "strict": False, **text["format"]}  # Open Responses wants both said
    return {**told, "text": text, "background": False, "service_tier": "default"}
