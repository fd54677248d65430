"""Requests in the words of llama.cpp's server, which every worker that generates text understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pai.adapters.engines.marks import Marks
from pai.core.ports.engine import ChatMessage, ChatRequest, TokenLogprob, ToolCall

_GUIDANCE: Final = {
    "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "},
}
"""How both engines write JSON: a small model left to its own white space may write nothing else (llguidance, JsonCompileOptions)."""


def template_body(request_: ChatRequest, marks: Marks) -> dict[str, Any]:
    """Return what the model's own chat template is filled with; nothing in it begins a turn of its own."""
    body: dict[str, Any] = {"messages": [_message(message, marks) for message in request_.messages]}
    if request_.tools:
        tools = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request_.tools
        ]
        body["tools"] = marks.apart_within(tools)  # descriptions come from elsewhere too
    return body


def _message(message: ChatMessage, marks: Marks) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": marks.apart(message.content)}
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "type": "function", "function": _called(call, marks)} for call in message.tool_calls
        ]
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told


def _called(call: ToolCall, marks: Marks) -> dict[str, str]:
    return {"name": call.name, "arguments": marks.apart_within_json(call.arguments)}


def completion_body(request_: ChatRequest) -> dict[str, Any]:
    """Return how to continue a prompt, without the prompt."""
    body: dict[str, Any] = {
        "stream": True,
        "n_predict": -1 if request_.max_tokens is None else request_.max_tokens,
        "temperature": request_.temperature,
        "top_p": request_.top_p,
        "top_k": request_.top_k,
        "min_p": request_.min_p,
        "frequency_penalty": request_.frequency_penalty,
        "presence_penalty": request_.presence_penalty,
        "cache_prompt": False,
        "owner": request_.cache_key,
    }
    if request_.stop:
        body["stop"] = list(request_.stop)
    if request_.seed is not None:
        body["seed"] = request_.seed
    if request_.json_schema is not None:
        body["json_schema"] = {**request_.json_schema, **_GUIDANCE}
    if request_.top_logprobs is not None:
        body["n_probs"] = max(1, request_.top_logprobs)
    if request_.logit_bias:
        body["logit_bias"] = [[token, bias] for token, bias in request_.logit_bias.items()]
    return body


def logprobs_of(rows: Sequence[Mapping[str, Any]], alternatives: int) -> tuple[TokenLogprob, ...]:
    """Return the log-probabilities that came with a piece of text, with at most so many alternatives each."""
    return tuple(
        _logprob(row, tuple(_logprob(other, ()) for other in (row.get("top_logprobs") or ())[:alternatives]))
        for row in rows
    )


def _logprob(row: Mapping[str, Any], top: tuple[TokenLogprob, ...]) -> TokenLogprob:
    raw = row.get("bytes")
    data = bytes(raw) if raw is not None else str(row["token"]).encode()
    # A logit that is nothing is minus infinity, which JSON cannot say; OpenAI says -9999 for it.
    return TokenLogprob(str(row["token"]), max(-9999.0, float(row["logprob"])), data, top)
