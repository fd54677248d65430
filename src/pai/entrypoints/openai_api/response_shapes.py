"""Responses and their items in OpenAI's shape."""

from __future__ import annotations

from typing import Any

from pai.core.conversations.values import (
    Called,
    Citation,
    FoundPassage,
    Item,
    Response,
    ResponseStatus,
    Result,
    Searched,
    Spoken,
    Thought,
)
from pai.core.ports.engine import Usage
from pai.entrypoints.http.answers import logprob

_REASONS = {"max_output_tokens"}


def response(value: Response, *, searches: bool = False) -> dict[str, Any]:
    """A response; what its searches found only with ``searches``."""
    failed = value.status is ResponseStatus.FAILED
    return {
        **value.settings,
        "id": value.id, "object": "response", "created_at": int(value.created_at.timestamp()), "status": value.status.value,
        "completed_at": int(value.completed_at.timestamp()) if value.completed_at else None, "model": value.model,
        "error": {"code": "server_error", "message": value.message} if failed else None,
        "incomplete_details": {"reason": value.reason} if value.reason in _REASONS else None,
        "output": [item(one, searches=searches) for one in value.output],
        "previous_response_id": value.previous_id or None,
        "usage": usage(value.usage) if value.usage is not None else None,
    }  # fmt: skip


def usage(value: Usage) -> dict[str, Any]:
    """Tokens."""
    return {
        "input_tokens": value.prompt_tokens,
        "input_tokens_details": {"cached_tokens": value.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": value.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": value.reasoning_tokens},
        "total_tokens": value.prompt_tokens + value.completion_tokens,
    }  # fmt: skip


def item(value: Item, *, searches: bool = False, status: str = "") -> dict[str, Any]:
    """An item, of the input or the output."""
    match value:
        case Spoken():
            return _spoken(value, status or _status(whole=value.whole))
        case Thought():
            thoughts = [thought_part(value.text)] if value.text else []
            return {
                "id": value.id, "type": "reasoning", "summary": [], "content": thoughts, "encrypted_content": None,
                "status": status or _status(whole=value.whole),
            }  # fmt: skip
        case Called():
            return {
                "id": value.id, "type": "function_call", "status": status or "completed", "call_id": value.call_id,
                "name": value.name, "arguments": value.arguments,
            }  # fmt: skip
        case Result():
            return {
                "id": value.id, "type": "function_call_output", "status": "completed", "call_id": value.call_id,
                "output": value.output,
            }  # fmt: skip
        case Searched():
            results = [_passage(one) for one in value.passages] if searches else None
            return {
                "id": value.id, "type": "file_search_call", "status": status or "completed", "queries": [value.query],
                "results": results,
            }  # fmt: skip


def _status(*, whole: bool) -> str:
    return "completed" if whole else "incomplete"


def _spoken(value: Spoken, status: str) -> dict[str, Any]:
    told = {"id": value.id, "type": "message", "status": status, "role": value.role}
    if value.role == "assistant":
        return {**told, "content": [text_part(value)] if value.text or status != "in_progress" else []}
    pictures = [{"type": "input_image", "detail": "auto", "image_url": None, "file_id": None} for _ in value.images]
    return {**told, "content": [{"type": "input_text", "text": value.text}, *pictures]}


def text_part(value: Spoken) -> dict[str, Any]:
    """The one part of an answer's text."""
    return {
        "type": "output_text", "text": value.text, "annotations": [citation(one) for one in value.citations],
        "logprobs": [logprob(one) for one in value.logprobs],
    }  # fmt: skip


def thought_part(text: str) -> dict[str, Any]:
    """The one part of a thought."""
    return {"type": "reasoning_text", "text": text}


def citation(value: Citation) -> dict[str, Any]:
    """A claim's place in a document. ``quote`` and ``page`` are PAI's own: the sentence as it stands in the document."""
    return {
        "type": "file_citation", "index": value.at, "file_id": value.document_id, "filename": value.document,
        "quote": value.quote, "page": value.page,
    }  # fmt: skip


def _passage(value: FoundPassage) -> dict[str, Any]:
    return {
        "file_id": value.document_id, "filename": value.document, "score": value.score, "text": value.text, "attributes": {},
    }  # fmt: skip
