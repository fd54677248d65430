"""The echo engine: deterministic answers without weights, for tests and tutorials. It understands nothing.

Chat, in this order:

1. With a JSON schema: the smallest instance of it; texts are what rule 2 or 3 says, numbers 0, an enumeration's first.
2. With numbered sources in the conversation (blocks that start ``[1] ...``): the sentence of the sources that shares
   most words with the last line that starts ``Question:`` (else with the last user message), then `` [n]``.
3. Else ``Echo: `` and the last user message. One that starts ``Slowly:`` is answered at the pace of a large model on a small
   machine (20 tokens a second), so that waiting and stopping can be tried.

Embeddings are hashed bags of word stems (feature hashing, Weinberger et al. 2009): texts that share words are near each
other. A token is a word with the space before it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from pai.adapters.workers.service import RefusedError, Routes

DIMENSIONS: Final = 384
SLOWLY: Final = "Slowly:"
PACE: Final = 0.05
_WORD: Final = re.compile(r"[^\W_]+")
_TOKEN: Final = re.compile(r"\s*\S+")
_SOURCE: Final = re.compile(r"^\[(\d+)\]\s*(.+?)(?=\n\s*\n|\n\[\d+\]|\nQuestion:|\Z)", re.MULTILINE | re.DOTALL)
_SENTENCE: Final = re.compile(r"[^.!?\n]+[.!?]?")
_QUESTION: Final = re.compile(r"^Question:\s*(.+)$", re.MULTILINE)


def embed(text: str) -> bytes:
    """Return a unit vector of 384 little-endian float32 (all zero but one for a text without words)."""
    vector = [0.0] * DIMENSIONS
    for stem in _stems(text):
        number = int.from_bytes(hashlib.blake2b(stem.encode(), digest_size=8).digest(), "big")
        vector[number % DIMENSIONS] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0.0:
        vector[0] = length = 1.0
    return struct.pack(f"<{DIMENSIONS}f", *(value / length for value in vector))


def answer(messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any] | None = None) -> str:
    """Return the whole answer to a conversation."""
    if schema is not None:
        return json.dumps(_instance(schema, answer(messages)))
    asked = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    question = _QUESTION.findall(asked)[-1:] or [asked]
    wanted = set(_stems(question[0]))
    best, best_score = "", 0
    for message in messages:
        for number, source in _SOURCE.findall(message["content"]):
            for sentence in _SENTENCE.findall(source):
                score = len(wanted & set(_stems(sentence)))
                if score > best_score:
                    best, best_score = f"{sentence.strip()} [{number}]", score
    return best or f"Echo: {asked}"


def _stems(text: str) -> list[str]:
    """Return lower-cased words without a plural ``s``."""
    words = _WORD.findall(text.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words]


def _instance(schema: Mapping[str, Any], text: str) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: _instance(part, text) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [_instance(schema.get("items", {}), text)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return text[: schema.get("maxLength")]


def _count(text: str) -> int:
    return len(_TOKEN.findall(text))


def _limited(text: str, body: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return the tokens to send and the finish reason, after ``stop`` and ``max_tokens``."""
    ends = [text.find(stop) for stop in body.get("stop") or () if stop in text]
    pieces = _TOKEN.findall(text[: min(ends)] if ends else text)
    limit = body.get("max_tokens")
    if isinstance(limit, int) and len(pieces) > limit >= 0:
        return pieces[:limit], "length"
    return pieces, "stop"


def echo_routes(context_length: int) -> Routes:
    """Return the routes of the echo worker; a longer prompt than ``context_length`` tokens is refused."""

    async def embeddings(body: dict[str, Any]) -> dict[str, Any]:
        texts = body["input"]
        data = [{"index": n, "embedding": base64.b64encode(embed(text)).decode()} for n, text in enumerate(texts)]
        return {"data": data, "usage": {"prompt_tokens": sum(map(_count, texts))}}

    async def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        return {"count": _count(body["content"])}

    async def chat(body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        messages = body["messages"]
        prompt = sum(_count(message["content"]) for message in messages)
        if prompt > context_length:
            raise RefusedError(
                f"request ({prompt} tokens) exceeds the available context size ({context_length} tokens)",
                "exceed_context_size_error",
            )
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        told = answer(messages, schema)
        pause = PACE if told.startswith(f"Echo: {SLOWLY}") else 0.0
        return _events(*_limited(told, body), prompt, pause)

    return {"/v1/chat/completions": chat, "/v1/embeddings": embeddings, "/tokenize": tokenize}


async def _events(pieces: Sequence[str], reason: str, prompt: int, pause: float) -> AsyncIterator[dict[str, Any]]:
    for piece in pieces:
        yield {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        await asyncio.sleep(pause)  # even 0 lets other connections have their turn
    yield {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    yield {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": len(pieces)}}
