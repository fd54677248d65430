"""Chats and completions: lines of JSON as they come, or one whole object."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from pai.core.policy.values import Permission
from pai.core.ports.engine import ChatDelta, ChatRequest
from pai.entrypoints.http.answers import Answer, Begun, begin, logprob, pieces_of
from pai.entrypoints.http.dialects import error_body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.streams import PieceResponse
from pai.entrypoints.ollama_api.routing import ANY_TYPE
from pai.entrypoints.ollama_api.schemas import ChatBody, GenerateBody, Generated
from pai.entrypoints.ollama_api.timings import Timings
from pai.entrypoints.ollama_api.translation import chat_request, generate_request
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError
from pai.foundation.time import to_text, utc_now

router = APIRouter(prefix="/api")
_ENDS = {"stop": "stop", "length": "length", "tool_calls": "stop"}
Put = Callable[[str, str, Any], dict[str, Any]]
"""Puts text, thoughts and tool calls into the shape of an answer."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked, and how the answer is to look."""

    body: Generated
    request: ChatRequest
    put: Put


@guarded(router, "POST", "/chat", Permission.CHAT, **ANY_TYPE)
async def chat(
    request: Request, body: ChatBody, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Response:
    """Answer a chat as lines of JSON, or whole."""
    if not body.messages:
        return await _loaded(request, actor, body, _message)
    return await _answered(request, actor, _Asked(body, chat_request(body, actor.id), _message))


@guarded(router, "POST", "/generate", Permission.CHAT, **ANY_TYPE)
async def generate(
    request: Request, body: GenerateBody, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Response:
    """Answer a prompt as lines of JSON, or whole."""
    if not body.prompt and not body.images:
        return await _loaded(request, actor, body, _response)
    return await _answered(request, actor, _Asked(body, generate_request(body, actor.id), _response))


def _message(text: str, thought: str, calls: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"role": "assistant", "content": text}
    if thought:
        told["thinking"] = thought
    if calls:
        told["tool_calls"] = [
            {"id": call.id, "function": {"index": n, "name": call.name, "arguments": json.loads(call.arguments)}}
            for n, call in enumerate(calls)
        ]
    return {"message": told}


def _response(text: str, thought: str, _calls: Any) -> dict[str, Any]:
    return {"response": text, "thinking": thought} if thought else {"response": text}


async def _loaded(request: Request, actor: Actor, body: Generated, put: Put) -> Response:
    """Load a model, which is what a request without a question asks for."""
    if body.unloads:
        hint = "PAI frees memory by itself"
        raise Invalid("models cannot be unloaded from outside", code="unsupported_parameter", hint=hint)
    engine = await services_of(request).inference.load(actor, body.model)
    told = {**_head(engine.model.name), **put("", "", ()), "done": True, "done_reason": "load"}
    return JSONResponse(told)


async def _answered(request: Request, actor: Actor, asked: _Asked) -> Response:
    timings = Timings()
    begun = await begin(request, actor, asked.body.model, asked.request)
    timings.taken = begun.taken
    if asked.body.stream:
        return PieceResponse(_lines(request, asked, begun, timings), begun.rest, media_type="application/x-ndjson")
    answer = Answer()
    async with aclosing(pieces_of(begun)) as pieces:
        async for piece in pieces:
            answer.take(piece)
            timings.take(piece)
    thought = answer.reasoning if asked.body.think else ""
    told = {**_head(begun.model), **asked.put(answer.text, thought, answer.calls), **_end(answer, timings)}
    if asked.body.logprobs:
        told["logprobs"] = [logprob(one) for one in answer.logprobs]
    return JSONResponse(told)


async def _lines(request: Request, asked: _Asked, begun: Begun, timings: Timings) -> AsyncGenerator[bytes, None]:
    answer = Answer()
    pieces = pieces_of(begun)
    try:
        async for piece in pieces:
            answer.take(piece)
            timings.take(piece)
            told = _piece(asked, piece)
            if told is not None:
                yield _line({**_head(begun.model), **told, "done": False})
        yield _line({**_head(begun.model), **asked.put("", "", ()), **_end(answer, timings)})
    except PaiError as error:
        yield _line(error_body(request, error))
    finally:
        # Reached also when the client goes away: closing the pieces stops the generation in the worker.
        await pieces.aclose()
        await begun.rest.aclose()


def _piece(asked: _Asked, delta: ChatDelta) -> dict[str, Any] | None:
    """Return a piece in its shape, None when it holds nothing to tell."""
    thought = delta.reasoning if asked.body.think else ""
    probable = delta.logprobs if asked.body.logprobs else ()
    if not (delta.text or thought or delta.tool_calls or probable):
        return None
    told = asked.put(delta.text, thought, delta.tool_calls)
    return {**told, "logprobs": [logprob(one) for one in probable]} if probable else told


def _head(model: str) -> dict[str, Any]:
    return {"model": model, "created_at": to_text(utc_now())}


def _end(answer: Answer, timings: Timings) -> dict[str, Any]:
    return {"done": True, "done_reason": _ENDS[answer.finish], **timings.told(answer.usage)}


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
