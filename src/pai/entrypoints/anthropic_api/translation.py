"""From Anthropic's requests to ours, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pai.core.ports.engine import ChatMessage, ChatRequest, Tool, ToolCall, Usage
from pai.entrypoints.anthropic_api.schemas import Block, MessageRequest, Prompted, Turn
from pai.entrypoints.http.answers import Answer
from pai.entrypoints.http.bodies import picture

_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_MERGED: Final = frozenset({"user", "assistant"})


def prompt_of(body: Prompted, cache_key: str) -> ChatRequest:
    """Translate what the model is to read."""
    choice = body.tool_choice
    tools = () if choice.type == "none" else tuple(
        Tool(tool.name, tool.description, tool.input_schema.model_dump(exclude_unset=True)) for tool in body.tools
    )  # fmt: skip
    form = body.output_config.format
    return ChatRequest(
        _messages(body), cache_key=cache_key, tools=tools, must_call=choice.type in ("any", "tool"),
        tool=choice.name if choice.type == "tool" else "", parallel_tool_calls=not choice.disable_parallel_tool_use,
        json_schema=form.json_schema if form is not None else None,
    )  # fmt: skip


def request_of(body: MessageRequest, cache_key: str) -> ChatRequest:
    """Translate a whole request. A nucleus of nothing does not exist: ``top_p`` 0 is the likeliest token."""
    return replace(
        prompt_of(body, cache_key), max_tokens=body.max_tokens, stop=tuple(body.stop_sequences),
        temperature=body.temperature if body.top_p > 0 else 0.0, top_p=body.top_p or 1.0, top_k=body.top_k,
    )  # fmt: skip


def _messages(body: Prompted) -> tuple[ChatMessage, ...]:
    """Translate all turns. Neighbours of one role become one turn, as Anthropic says."""
    system = "\n".join(block.text for block in body.system)
    found = [ChatMessage("system", system)] if system else []
    for turn in body.messages:
        for message in _turn(turn):
            last = found[-1] if found else None
            if last is not None and last.role == message.role and last.role in _MERGED:
                found[-1] = replace(
                    last, content="\n".join(text for text in (last.content, message.content) if text),
                    tool_calls=last.tool_calls + message.tool_calls, images=last.images + message.images,
                )  # fmt: skip
            else:
                found.append(message)
    return tuple(found)


def _turn(turn: Turn) -> Iterator[ChatMessage]:
    """Yield a turn, and the results of tools that it holds as turns of their own."""
    said: list[Block] = []
    for block in turn.content:
        if block.type != "tool_result":
            said.append(block)
            continue
        if said:
            yield _said(turn.role, said)
            said = []
        yield _result(block)
    if said:
        yield _said(turn.role, said)


def _said(role: str, blocks: list[Block]) -> ChatMessage:
    text = "\n".join(block.text for block in blocks if block.type == "text" and block.text is not None)
    calls = tuple(
        ToolCall(block.id or "", block.name or "", json.dumps(block.input, ensure_ascii=False))
        for block in blocks
        if block.type == "tool_use"
    )
    images = tuple(picture(block.source.data) for block in blocks if block.source is not None)
    return ChatMessage(role, text, calls, images=images)


def _result(block: Block) -> ChatMessage:
    text = "\n".join(part.text for part in block.content if part.type == "text")
    images = tuple(image for part in block.content if (image := part.image()) is not None)
    failed = "Error: " if block.is_error else ""
    return ChatMessage("tool", failed + text, tool_call_id=block.tool_use_id or "", images=images)


def usage_of(usage: Usage) -> dict[str, Any]:
    """Return the tokens. Anthropic counts those taken from the cache apart from the other tokens of the prompt."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens, "output_tokens": usage.completion_tokens,
        # Known of Anthropic's service only; their schema wants them said.
        "cache_creation": None, "inference_geo": None, "output_tokens_details": None, "server_tool_use": None, "service_tier": None,
    }  # fmt: skip


def end_of(answer: Answer, asked: ChatRequest) -> dict[str, Any]:
    """Return why an answer ended. One that ends before its limit for want of room says so."""
    reason = _STOPS[answer.finish]
    if reason == "max_tokens" and answer.usage.completion_tokens < (asked.max_tokens or 0):
        reason = "model_context_window_exceeded"
    if reason == "end_turn" and answer.stop:
        reason = "stop_sequence"
    return {"stop_reason": reason, "stop_sequence": answer.stop or None, "stop_details": None, "container": None}


def text_block(text: str) -> dict[str, Any]:
    """Return a text. It cites nothing."""
    return {"type": "text", "text": text, "citations": None}


def thinking_block(thought: str) -> dict[str, Any]:
    """Return a thought. Nothing is signed here, so its signature is empty."""
    return {"type": "thinking", "thinking": thought, "signature": ""}


def tool_block(call: ToolCall, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call of a tool, by the model itself."""
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments, "caller": {"type": "direct"}}


def blocks_of(answer: Answer, *, thoughts: bool) -> list[dict[str, Any]]:
    """Return the content of a whole answer."""
    found = [thinking_block(answer.reasoning)] if thoughts and answer.reasoning else []
    if answer.text:
        found.append(text_block(answer.text))
    return found + [tool_block(call, json.loads(call.arguments)) for call in answer.calls]
