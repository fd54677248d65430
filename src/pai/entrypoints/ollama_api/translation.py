"""From Ollama's requests to ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pai.core.ports.engine import ChatMessage, ChatRequest, Tool, ToolCall
from pai.entrypoints.http.bodies import picture
from pai.entrypoints.ollama_api.schemas import ChatBody, ChatTurn, GenerateBody, Generated


def chat_request(body: ChatBody, cache_key: str) -> ChatRequest:
    """Translate a chat."""
    tools = tuple(
        Tool(tool.function.name, tool.function.description, tool.function.parameters.model_dump(exclude_unset=True))
        for tool in body.tools
    )
    return ChatRequest(_messages(body.messages), cache_key=cache_key, tools=tools, **_sampling(body))


def generate_request(body: GenerateBody, cache_key: str) -> ChatRequest:
    """Translate a completion: a raw prompt as it is, any other as a question under the model's own template."""
    if body.raw:
        return ChatRequest(prompt=body.prompt, cache_key=cache_key, **_sampling(body))
    system = (ChatMessage("system", body.system),) if body.system else ()
    asked = ChatMessage("user", body.prompt, images=tuple(picture(image) for image in body.images))
    return ChatRequest((*system, asked), cache_key=cache_key, **_sampling(body))


def _sampling(body: Generated) -> dict[str, Any]:
    """Return the fields of a ChatRequest that both share. A seed of -1 is none, as is a limit below 1."""
    told = body.options
    return {
        # A nucleus of nothing does not exist: top_p 0 is the likeliest token.
        "temperature": told.temperature if told.top_p > 0 else 0.0, "top_p": told.top_p or 1.0, "top_k": told.top_k,
        "min_p": told.min_p, "max_tokens": told.num_predict if told.num_predict > 0 else None, "stop": tuple(told.stop),
        "seed": None if told.seed in (None, -1) else told.seed % 2**32, "frequency_penalty": told.frequency_penalty,
        "presence_penalty": told.presence_penalty, "json_schema": body.schema_of(),
        "top_logprobs": body.top_logprobs if body.logprobs else None,
    }  # fmt: skip


def _messages(given: Sequence[ChatTurn]) -> tuple[ChatMessage, ...]:
    """Translate the turns. Calls get ids where the client keeps none, and each answer of a tool the id of the call it is to."""
    found: list[ChatMessage] = []
    waiting: list[ToolCall] = []
    for message in given:
        calls = tuple(
            ToolCall(
                call.id or f"call_{len(found)}_{n}",
                call.function.name,
                json.dumps(call.function.arguments, ensure_ascii=False),
            )
            for n, call in enumerate(message.tool_calls)
        )
        waiting += calls
        images = tuple(picture(image) for image in message.images)
        answered = _answered(message, waiting) if message.role == "tool" else ""
        found.append(ChatMessage(message.role, message.content, calls, answered, images))
    return tuple(found)


def _answered(message: ChatTurn, waiting: list[ToolCall]) -> str:
    """Return the id of the call that a tool's turn answers: the named one, else the first that waits; it waits no more."""
    for call in waiting:
        named = message.tool_call_id or message.tool_name
        if named in ("", call.id, call.name):
            waiting.remove(call)
            return call.id
    return message.tool_call_id
