"""Models, chat completions and embeddings."""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from pai.core.models.values import Model
from pai.core.policy.values import Permission
from pai.core.ports.engine import ChatDelta, ChatMessage, ChatRequest, Usage
from pai.entrypoints.http.app import error_body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.streams import PieceResponse, first_of, while_valid
from pai.entrypoints.openai_api.schemas import ChatCompletion, EmbeddingRequest
from pai.foundation.actor import Actor
from pai.foundation.errors import NotFound, PaiError, Unsupported
from pai.foundation.ids import new_id

router = APIRouter(prefix="/v1")


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
    for model in await services_of(request).inference.models(actor):
        if name in (model.name, *model.aliases):
            return _model(name, model)
    raise NotFound(f"the model {name[:100]!r} is not here", code="model_not_found")


def _model(name: str, model: Model) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": int(model.imported_at.timestamp()),
        "owned_by": "pai",
        "root": model.name,
    }


@guarded(router, "POST", "/chat/completions", Permission.CHAT)
async def chat_completions(
    request: Request, body: ChatCompletion, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Any:
    """Answer a chat, whole or as a stream of events."""
    engine, deltas = await services_of(request).inference.start_chat(actor, body.model, _request(body, actor))
    head = {"id": new_id("chat"), "created": int(time.time()), "model": engine.model.name}
    pieces = while_valid(request, actor, deltas, watch_reader=True)
    first = await first_of(pieces)  # errors of the prompt become a status, not a broken stream
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        return PieceResponse(_events(request, head, first, pieces, usage=usage), media_type="text/event-stream")
    return await _whole(head, first, pieces)


def _request(body: ChatCompletion, actor: Actor) -> ChatRequest:
    if body.response_format is not None and body.response_format.type == "json_object":
        raise Unsupported("response_format json_object is not supported", hint="use json_schema")
    schema = (
        body.response_format.json_schema.schema_ if body.response_format and body.response_format.json_schema else None
    )
    messages = tuple(
        ChatMessage("system" if message.role == "developer" else message.role, message.text())
        for message in body.messages
    )
    return ChatRequest(
        messages,
        body.max_completion_tokens or body.max_tokens,
        0.7 if body.temperature is None else body.temperature,
        1.0 if body.top_p is None else body.top_p,
        (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ()),
        body.seed, body.frequency_penalty, body.presence_penalty, schema, actor.id,
    )  # fmt: skip


def _usage(usage: Usage | None) -> dict[str, int]:
    found = usage or Usage(0, 0)
    total = found.prompt_tokens + found.completion_tokens
    return {"prompt_tokens": found.prompt_tokens, "completion_tokens": found.completion_tokens, "total_tokens": total}


async def _whole(
    head: dict[str, Any], first: ChatDelta | None, deltas: AsyncGenerator[ChatDelta, None]
) -> JSONResponse:
    text, reason, usage = "", "stop", None
    delta = first
    try:
        while delta is not None:
            text += delta.text
            reason, usage = delta.finish_reason or reason, delta.usage or usage
            delta = await anext(deltas, None)
    finally:
        await deltas.aclose()
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": None, "finish_reason": reason}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(usage)})


async def _events(
    request: Request,
    head: dict[str, Any],
    first: ChatDelta | None,
    deltas: AsyncGenerator[ChatDelta, None],
    *,
    usage: bool,
) -> AsyncGenerator[bytes, None]:
    def event(delta: dict[str, Any], reason: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _data({**head, "object": "chat.completion.chunk", "choices": [choice]})

    counted: Usage | None = None
    current = first
    try:
        yield event({"role": "assistant", "content": ""}, None)
        while current is not None:
            counted = current.usage or counted
            if current.text:
                yield event({"content": current.text}, None)
            if current.finish_reason:
                yield event({}, current.finish_reason)
            current = await anext(deltas, None)
        if usage:
            yield _data({**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(counted)})
        yield b"data: [DONE]\n\n"
    except PaiError as error:
        yield _data(error_body(request, error))
    finally:
        # Reached also when the client goes away: closing the iterator stops the generation in the worker.
        await deltas.aclose()


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


@guarded(router, "POST", "/embeddings", Permission.EMBED)
async def embeddings(
    request: Request, body: EmbeddingRequest, actor: Annotated[Actor, Depends(requires(Permission.EMBED))]
) -> dict[str, Any]:
    """Return one vector per text."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    engine, found = await services_of(request).inference.embed(actor, body.model, texts)
    data = [
        {"object": "embedding", "index": n, "embedding": _vector(vector, body.encoding_format)}
        for n, vector in enumerate(found.vectors)
    ]
    count = found.prompt_tokens
    return {
        "object": "list",
        "data": data,
        "model": engine.model.name,
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def _vector(vector: bytes, form: str) -> str | list[float]:
    if form == "base64":
        return base64.b64encode(vector).decode()
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))
