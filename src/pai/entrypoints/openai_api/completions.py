"""Completions: texts continued as they are, without a chat template."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from pai.core.policy.values import Permission
from pai.core.ports.engine import ChatDelta, ChatRequest, Usage
from pai.entrypoints.http.app import error_body
from pai.entrypoints.http.routing import guarded, requires
from pai.entrypoints.http.server_events import DONE, data, waits
from pai.entrypoints.http.streams import PieceResponse, first_of
from pai.entrypoints.openai_api.chat import begin, sampling, usage_of
from pai.entrypoints.openai_api.schemas import Completion
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, PaiError
from pai.foundation.ids import new_id

router = APIRouter(prefix="/v1")
Pieces = AsyncGenerator[tuple[int, ChatDelta], None]


@guarded(router, "POST", "/completions", Permission.CHAT)
async def completions(
    request: Request, body: Completion, actor: Annotated[Actor, Depends(requires(Permission.CHAT))]
) -> Any:
    """Continue each prompt, whole or as a stream of events."""
    name, pieces = await begin(request, actor, body, completion_requests(body, actor))
    first = await first_of(pieces)
    if body.stream:
        usage = body.stream_options is not None and body.stream_options.include_usage
        told = _events(request, _head(name), first, pieces, _choices(body), usage=usage, n=body.n)
        return PieceResponse(told, pieces, media_type="text/event-stream")
    return JSONResponse(await whole(name, first, pieces, body))


def completion_requests(body: Completion, actor: Actor) -> list[ChatRequest]:
    """Translate a completion: a request for each prompt."""
    prompts = body.prompts()
    if body.echo and not all(isinstance(prompt, str) for prompt in prompts):
        raise Invalid("echo needs prompts that are texts", code="unsupported_parameter", hint="leave echo out")
    return [
        ChatRequest(
            prompt=prompt, max_tokens=body.max_tokens, cache_key=actor.id, top_logprobs=body.logprobs, **sampling(body)
        )
        for prompt in prompts
    ]


async def whole(model: str, first: tuple[int, ChatDelta] | None, pieces: Pieces, body: Completion) -> dict[str, Any]:
    """Return all continuations once they are there."""
    choices = _choices(body)
    piece = first
    try:
        while piece is not None:
            choices[piece[0]].take(piece[1])
            piece = await anext(pieces, None)
    finally:
        await pieces.aclose()
    told = [choice.told(probable=body.logprobs is not None) for choice in choices]
    return {**_head(model), "choices": told, "usage": _by_prompt(choices, body.n)}


def _head(model: str) -> dict[str, Any]:
    return {"id": new_id("cmpl"), "object": "text_completion", "created": int(time.time()), "model": model}


def _choices(body: Completion) -> list[_Choice]:
    each = (prompt for prompt in body.prompts() for _ in range(body.n))
    return [_Choice(n, str(prompt) if body.echo else "") for n, prompt in enumerate(each)]


def _by_prompt(choices: list[_Choice], n: int) -> dict[str, Any]:
    """Return the tokens of all prompts together, each prompt counted once."""
    parts = [usage_of(choice.usage for choice in choices[at : at + n]) for at in range(0, len(choices), n)]
    totals = {
        name: sum(part[name] for part in parts) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    return {**parts[0], **totals}


class _Choice:
    """One continuation while it grows."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self.text = text
        self.finish = "stop"
        self.usage = Usage(0, 0)
        self._offset = len(text)
        self._probable: dict[str, list[Any]] = {
            "tokens": [],
            "token_logprobs": [],
            "top_logprobs": [],
            "text_offset": [],
        }

    def take(self, delta: ChatDelta) -> dict[str, list[Any]] | None:
        """Add a piece; return what its tokens are worth, None when that was not asked for."""
        had = len(self._probable["tokens"])
        self.text += delta.text
        self.finish = delta.finish_reason or self.finish
        self.usage = delta.usage or self.usage
        for one in delta.logprobs:
            self._probable["tokens"].append(one.token)
            self._probable["token_logprobs"].append(one.logprob)
            self._probable["top_logprobs"].append({other.token: other.logprob for other in one.top})
            self._probable["text_offset"].append(self._offset)
            self._offset += len(one.token)
        return {name: values[had:] for name, values in self._probable.items()} if delta.logprobs else None

    def told(self, *, probable: bool) -> dict[str, Any]:
        """Return the choice."""
        logprobs = self._probable if probable else None
        return {"index": self.number, "text": self.text, "logprobs": logprobs, "finish_reason": self.finish}


async def _events(
    request: Request, head: dict[str, Any], first: tuple[int, ChatDelta] | None, pieces: Pieces, choices: list[_Choice],
    *, usage: bool, n: int,
) -> AsyncGenerator[bytes, None]:  # fmt: skip
    def event(number: int, text: str, reason: str | None = None, probable: Any = None) -> bytes:
        choice = {"index": number, "text": text, "logprobs": probable, "finish_reason": reason}
        return data({**head, "choices": [choice]})

    piece = first
    try:
        for choice in choices:
            if choice.text:
                yield event(choice.number, choice.text)
        while piece is not None:
            number, delta = piece
            probable = choices[number].take(delta)
            if delta.waiting is not None:
                yield waits(delta.waiting)
            if delta.text or delta.finish_reason or probable:
                yield event(number, delta.text, delta.finish_reason, probable)
            piece = await anext(pieces, None)
        if usage:
            yield data({**head, "choices": [], "usage": _by_prompt(choices, n)})
        yield DONE
    except PaiError as error:
        yield data(error_body(request, error))
    finally:
        await pieces.aclose()
