"""The echo engine: deterministic answers without weights, for tests and tutorials. It understands nothing.

Chat repeats the last user message. Embeddings are hashed bags of word stems (feature hashing, Weinberger et al. 2009): texts that
share words are near each other.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from collections.abc import AsyncIterator
from typing import Any

from pai.adapters.workers.tiny_http import Refusal, application

DIMENSIONS = 384
CONTEXT = 8192
_WORD = re.compile(r"[^\W_]+")


def embed(text: str) -> bytes:
    """Return a unit vector of 384 little-endian float32."""
    vector = [0.0] * DIMENSIONS
    for word in _WORD.findall(text.lower()):
        stem = word[:-1] if len(word) > 3 and word.endswith("s") else word
        number = int.from_bytes(hashlib.blake2b(stem.encode(), digest_size=8).digest(), "big")
        vector[number % DIMENSIONS] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return struct.pack(f"<{DIMENSIONS}f", *(value / length for value in vector))


def _tokens(text: str) -> int:
    return len(text.split())


async def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body["input"]
    data = [{"index": n, "embedding": base64.b64encode(embed(text)).decode()} for n, text in enumerate(texts)]
    return {"data": data, "usage": {"prompt_tokens": sum(map(_tokens, texts))}}


async def _tokenize(body: dict[str, Any]) -> dict[str, Any]:
    return {"tokens": list(range(_tokens(body["content"])))}


async def _chat(body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    messages = body["messages"]
    prompt = sum(_tokens(message["content"]) for message in messages)
    if prompt > CONTEXT:
        raise Refusal("the request exceeds the available context size")
    asked = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    words = f"Echo: {asked}".split(" ")
    limit = int(body.get("max_tokens") or 0) or len(words)

    async def stream() -> AsyncIterator[dict[str, Any]]:
        for n, word in enumerate(words[:limit]):
            delta = {"content": word if n == 0 else f" {word}"}
            yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        reason = "stop" if limit >= len(words) else "length"
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
        yield {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": min(limit, len(words))}}

    return stream()


def echo_app() -> Any:
    """Return the application of the echo worker."""
    return application({"/v1/chat/completions": _chat, "/v1/embeddings": _embeddings, "/tokenize": _tokenize})
