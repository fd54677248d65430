"""A message as a stream of events, in Anthropic's order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import msgspec
from fastapi import Request

from pai.core.ports.engine import ChatDelta, ChatRequest, Usage
from pai.entrypoints.anthropic_api.translation import end_of, text_block, thinking_block, tool_block, usage_of
from pai.entrypoints.http.answers import Answer, Begun
from pai.entrypoints.http.dialects import error_body
from pai.entrypoints.http.streams import with_silences
from pai.foundation.errors import PaiError

SILENCE: Final = 10.0
"""Seconds without a piece after which a ``ping`` tells that the model is still at work."""
_STARTS: Final = {"thinking": thinking_block(""), "text": text_block("")}


def event(name: str, **fields: Any) -> bytes:
    """Return one event with its name (WHATWG HTML, section 9.2)."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))


PING: Final = event("ping")


class Blocks:
    """The blocks of an answer while it grows: one is open at a time."""

    def __init__(self, *, thoughts: bool) -> None:
        self._thoughts = thoughts
        self._open = ""
        self._index = -1

    def of(self, delta: ChatDelta) -> Iterator[bytes]:
        """Yield the events of one piece."""
        if delta.reasoning and self._thoughts:
            yield from self._into("thinking")
            yield self._delta({"type": "thinking_delta", "thinking": delta.reasoning})
        if delta.text:
            yield from self._into("text")
            yield self._delta({"type": "text_delta", "text": delta.text})
        for call in delta.tool_calls:
            yield from self.close()
            yield self._start(tool_block(call, {}))
            self._open = "tool_use"
            yield self._delta({"type": "input_json_delta", "partial_json": call.arguments})

    def close(self) -> Iterator[bytes]:
        """Yield the end of the block that is open, if one is."""
        if self._open:
            yield event("content_block_stop", index=self._index)
            self._open = ""

    def _into(self, kind: str) -> Iterator[bytes]:
        if self._open != kind:
            yield from self.close()
            yield self._start(_STARTS[kind])
            self._open = kind

    def _start(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        return event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: dict[str, str]) -> bytes:
        return event("content_block_delta", index=self._index, delta=delta)


async def events(
    request: Request, head: dict[str, Any], asked: ChatRequest, begun: Begun, prompt_tokens: int, *, thoughts: bool
) -> AsyncGenerator[bytes, None]:
    """Yield a message. What the cache gave is known at the end only: the last usage is the exact one."""
    answer, blocks = Answer(), Blocks(thoughts=thoughts)
    pieces = with_silences(begun.first, begun.rest, SILENCE)
    open_end = dict.fromkeys(("stop_reason", "stop_sequence", "stop_details", "container"))
    try:
        yield event(
            "message_start", message={**head, "content": [], **open_end, "usage": usage_of(Usage(prompt_tokens, 0))}
        )
        yield PING
        async for delta in pieces:
            if delta is None:
                yield PING
                continue
            answer.take(delta)
            for one in blocks.of(delta):
                yield one
        for one in blocks.close():
            yield one
        yield event("message_delta", delta=end_of(answer, asked), usage=usage_of(answer.usage))
        yield event("message_stop")
    except PaiError as error:
        told = error_body(request, error)
        yield event("error", error=told["error"], request_id=told["request_id"])
    finally:
        # Reached also when the client goes away: closing the pieces stops the generation in the worker.
        await pieces.aclose()
        await begun.rest.aclose()
