"""One answer of a model: held so that leaving it stops the model, thoughts told apart, tool calls made whole."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator

from pai.core.models.reasoning import apart
from pai.core.models.schemas import held, unfollowed
from pai.core.models.tools import Beginning, beginning, calls_of, calls_schema
from pai.core.ports.engine import ChatDelta, ChatRequest, Engine


@contextlib.asynccontextmanager
async def generation(engine: Engine, request: ChatRequest) -> AsyncIterator[AsyncIterator[ChatDelta]]:
    """Hold an answer that is being generated. Leaving it stops the model, then and there."""
    deltas = engine.chat(request)
    try:
        yield deltas
    finally:
        if isinstance(deltas, AsyncGenerator):
            await deltas.aclose()


async def answered(engine: Engine, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
    """Yield an answer, or the tool calls that the model asks for. Closing the iterator stops the model."""
    if not request.must_call:
        waiting: list[ChatDelta] | None = [] if request.tools else None
        async with generation(engine, request) as deltas:
            async for delta in apart(deltas) if request.json_schema is None else held(apart(deltas)):
                if waiting is None or delta.waiting is not None:
                    yield delta
                    continue
                waiting.append(delta)
                begun = beginning("".join(one.text for one in waiting), request.tools)
                if begun is Beginning.CALL:
                    break
                if begun is Beginning.TEXT or delta.finish_reason:
                    for one in waiting:
                        yield one
                    waiting = None
            else:
                return
    async for delta in _called(engine, request):
        yield delta


async def _called(engine: Engine, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
    """Yield tool calls, from an answer that can be nothing else."""
    constrained = dataclasses.replace(request, json_schema=calls_schema(request))
    text = ""
    async with generation(engine, constrained) as deltas:
        async for delta in deltas:
            text += delta.text
            if delta.waiting is not None:
                yield delta
            if delta.finish_reason is None:
                continue
            calls = calls_of(text, request.tools)
            if not calls and delta.finish_reason == "stop" and not delta.stop:
                raise unfollowed("the engine made no call by it")
            # Cut off in the middle there is no call to make: what was written is told, as the answer that it is not.
            piece = "" if calls else text
            yield dataclasses.replace(
                delta, text=piece, tool_calls=calls, finish_reason="tool_calls" if calls else delta.finish_reason
            )
