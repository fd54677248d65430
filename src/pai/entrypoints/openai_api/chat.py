"""Chat completions: whole, or as a stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from pai.core.models.inference import Inference
from pai.core.policy.values import Permission
from pai.core.ports.engine import ChatDelta, ChatMessage, ChatRequest, Tool, ToolCall, Usage
from pai.entrypoints.http.answers import Answer, logprob
from pai.entrypoints.http.app import error_body
from pai.entrypoints.http.routing import guarded, requires, services_of
from pai.entrypoints.http.server_events import DONE, data, waits
from pai.entrypoints.http.streams import PieceResponse, first_of, together, while_valid
from pai.entrypoints.openai_api.schemas import ChatCompletion, Message, NamedTool, Sampled
from pai.foundation.actor import Actor
from pai.foundation.errors import PaiError
from pai.foundation.ids import new_id

router = APIRouter(prefix="/v1")


@guarded(router, "POST", "/chat/completions", Permission.CHAT)
async def chat_completions(
    request: Request, body: ChatCompletion, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Any:
    """Answer a chat, whole or as a stream of events."""
    asked = chat_request(body, actor)
    name, pieces = await begin(request, actor, body, [asked])
    first = await first_of(pieces)  # errors of the prompt become a status, not a broken stream
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        events = _events(request, _head("chat.completion.chunk", name), first, pieces, body, usage=usage)
        return PieceResponse(events, pieces, media_type="text/event-stream")
    return JSONResponse(await whole(name, first, pieces, body))


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": new_id("chatcmpl"), "created": int(time.time()), "model": model, "object": kind}


async def begin(
    request: Request, actor: Actor, body: Sampled, asked: list[ChatRequest]
) -> tuple[str, AsyncGenerator[tuple[int, ChatDelta], None]]:
    """As ``start``, for somebody who waits: it ends with their credential, and when they go away."""
    name, pieces = await start(services_of(request).inference, actor, body, asked)
    return name, while_valid(request, actor, pieces, watch_reader=True)


async def start(
    inference: Inference, actor: Actor, body: Sampled, asked: list[ChatRequest]
) -> tuple[str, AsyncGenerator[tuple[int, ChatDelta], None]]:
    """Start every request ``n`` times; return the model's name and the numbered pieces of all answers as they come."""
    # Answers to one prompt differ though their seed is given: each has the next one.
    each = [
        replace(one, seed=None if one.seed is None else (one.seed + k) % 2**32) for one in asked for k in range(body.n)
    ]
    answers: list[AsyncGenerator[ChatDelta, None]] = []
    try:
        for one in each:
            engine, deltas = await inference.start_chat(
                actor, body.model, one, receipt=isinstance(body, ChatCompletion) and body.receipt
            )
            answers.append(deltas)
    except BaseException:
        # The end of each is recorded as its start was, also where the end of another cannot be.
        await asyncio.gather(*(begun.aclose() for begun in answers), return_exceptions=True)
        raise
    return engine.model.name, together(answers)


def sampling(body: Sampled) -> dict[str, Any]:
    """Return the fields of a ChatRequest that chats and completions share."""
    return {
        # OpenAI's top_p 0 means the likeliest token; a nucleus without tokens does not exist.
        "temperature": body.temperature if body.top_p > 0 else 0.0, "top_p": body.top_p or 1.0, "stop": tuple(body.stop),
        "seed": None if body.seed is None else body.seed % 2**32, "frequency_penalty": body.frequency_penalty,
        "presence_penalty": body.presence_penalty, "logit_bias": body.logit_bias,
    }  # fmt: skip


def chat_request(body: ChatCompletion, actor: Actor) -> ChatRequest:
    """Translate a chat."""
    named = body.tool_choice.function.name if isinstance(body.tool_choice, NamedTool) else ""
    tools = () if body.tool_choice == "none" else tuple(
        Tool(one.function.name, one.function.description or "", one.function.parameters or {}) for one in body.tools
    )  # fmt: skip
    return ChatRequest(
        tuple(_message(message) for message in body.messages),
        max_tokens=body.max_completion_tokens or body.max_tokens,
        json_schema=body.response_format.schema_of() if body.response_format is not None else None,
        cache_key=actor.id, tools=tools, must_call=bool(named) or body.tool_choice == "required", tool=named,
        parallel_tool_calls=body.parallel_tool_calls, top_logprobs=body.top_logprobs if body.logprobs else None,
        **sampling(body),
    )  # fmt: skip


def _message(message: Message) -> ChatMessage:
    role = {"developer": "system", "function": "tool"}.get(message.role, message.role)
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments or "{}") for call in message.tool_calls or ()
    )
    return ChatMessage(role, message.text(), calls, message.tool_call_id or "", message.images())


async def whole(
    model: str, first: tuple[int, ChatDelta] | None, pieces: AsyncGenerator[tuple[int, ChatDelta], None], body: ChatCompletion
) -> dict[str, Any]:  # fmt: skip
    """Return all answers once they are there."""
    choices = [Answer() for _ in range(body.n)]
    piece = first
    try:
        while piece is not None:
            choices[piece[0]].take(piece[1])
            piece = await anext(pieces, None)
    finally:
        await pieces.aclose()
    told = [_told(number, choice, probable=body.logprobs) for number, choice in enumerate(choices)]
    usage = usage_of(choice.usage for choice in choices)
    return {**_head("chat.completion", model), "choices": told, "usage": usage}


def _told(number: int, choice: Answer, *, probable: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
    if choice.calls:
        message["content"] = choice.text or None
        message["tool_calls"] = [_call(call) for call in choice.calls]
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    logprobs = {"content": [logprob(one) for one in choice.logprobs], "refusal": None} if probable else None
    told = {"index": number, "message": message, "logprobs": logprobs, "finish_reason": choice.finish}
    return told if choice.receipt is None else {**told, "receipt": choice.receipt}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _said(delta: ChatDelta) -> dict[str, Any]:
    said = {"content": delta.text} if delta.text or not delta.reasoning else {}
    return {**said, **({"reasoning_content": delta.reasoning} if delta.reasoning else {})}


def _probable(delta: ChatDelta) -> dict[str, Any]:
    return {"content": [logprob(one) for one in delta.logprobs], "refusal": None}


def usage_of(usages: Any) -> dict[str, Any]:
    """Return the tokens of all choices; a prompt that several share is counted once, as OpenAI does."""
    found = list(usages)
    prompt, cached = max((u.prompt_tokens for u in found), default=0), max((u.cached_tokens for u in found), default=0)
    completion = sum(usage.completion_tokens for usage in found)
    return {
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(usage.reasoning_tokens for usage in found), "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip


async def _events(
    request: Request, head: dict[str, Any], first: tuple[int, ChatDelta] | None,
    pieces: AsyncGenerator[tuple[int, ChatDelta], None], body: ChatCompletion, *, usage: bool,
) -> AsyncGenerator[bytes, None]:  # fmt: skip
    nothing = {"usage": None} if usage else {}

    def event(
        number: int, delta: dict[str, Any], reason: str | None = None, probable: Any = None, receipt: Any = None
    ) -> bytes:
        choice = {"index": number, "delta": delta, "logprobs": probable, "finish_reason": reason}
        return data({**head, "choices": [choice if receipt is None else {**choice, "receipt": receipt}], **nothing})

    usages: list[Usage] = []
    calls = [0] * body.n
    piece = first
    try:
        for number in range(body.n):
            yield event(number, {"role": "assistant", "content": "", "refusal": None})
        while piece is not None:
            number, delta = piece
            if delta.waiting is not None:
                yield waits(delta.waiting)
            usages += [delta.usage] if delta.usage is not None else []
            if delta.text or delta.reasoning or delta.logprobs:
                yield event(number, _said(delta), None, _probable(delta) if body.logprobs else None)
            for call in delta.tool_calls:
                yield event(number, {"tool_calls": [{"index": calls[number], **_call(call)}]})
                calls[number] += 1
            if delta.finish_reason or delta.receipt is not None:
                yield event(number, {}, delta.finish_reason, receipt=delta.receipt)
            piece = await anext(pieces, None)
        if usage:
            yield data({**head, "choices": [], "usage": usage_of(usages)})
        yield DONE
    except PaiError as error:
        yield data(error_body(request, error))
    finally:
        # Reached also when the client goes away: closing the iterator stops the generation in the worker.
        await pieces.aclose()
