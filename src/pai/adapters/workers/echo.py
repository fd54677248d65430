"""The echo engine: deterministic answers without weights, for tests and tutorials. It understands nothing.

Chat, in this order:

1. With a JSON schema: the smallest instance of it; texts are what rule 2 or 3 says, numbers 0, an enumeration's first.
2. With numbered sources in the conversation (blocks that start ``[1] ...``): the sentence of the sources that shares
   most words with the last line that starts ``Question:`` (else with the last user message), then `` [n]``.
3. With tools, one of which the last user message names: a call of it in the form of Hermes, with the smallest arguments.
4. Else ``Echo: `` and the last user message. One that starts ``Slowly:`` is answered at the pace of a large model on a small
   machine (20 tokens a second), so that waiting and stopping can be tried; before one that starts ``Think:`` it thinks.

Its chat template is JSON behind a mark; any other prompt is answered as if it were the last user message. Every token is certain:
log-probability 0.

Embeddings are hashed bags of word stems (feature hashing, Weinberger et al. 2009): texts that share words are near each
other. A token is a word with the space before it.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import math
import operator
import re
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from pai.adapters.workers.service import RefusedError, Routes

DIMENSIONS: Final = 384
SLOWLY: Final = "Slowly:"
THINK: Final = "Think:"
MARK: Final = "\x02echo "
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


def answer(
    messages: Sequence[Mapping[str, Any]],
    schema: Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the whole answer to a conversation."""
    if schema is not None:
        return json.dumps(_instance(schema, answer(messages)))
    asked = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    if messages[-1:] and messages[-1]["role"] == "user":
        for tool in (tool["function"] for tool in tools):
            if tool["name"] in asked:
                call = {"name": tool["name"], "arguments": _instance({"type": "object", **tool["parameters"]}, asked)}
                return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"
    question = _QUESTION.findall(asked)[-1:] or [asked]
    wanted = set(_stems(question[0]))
    best, best_score = "", 0
    for message in messages:
        for number, source in _SOURCE.findall(message["content"]):
            for sentence in _SENTENCE.findall(source):
                score = len(wanted & set(_stems(sentence)))
                if score > best_score:
                    best, best_score = f"{sentence.strip()} [{number}]", score
    thought = f"<think>Someone asks: {asked}</think>" if asked.startswith(THINK) else ""
    return best or f"{thought}Echo: {asked}"


def _stems(text: str) -> list[str]:
    """Return lower-cased words without a plural ``s``."""
    words = _WORD.findall(text.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words]


def _instance(schema: Mapping[str, Any], text: str, root: Mapping[str, Any] | None = None) -> Any:
    root = schema if root is None else root
    if "$ref" in schema:
        steps = schema["$ref"].removeprefix("#/").split("/")
        return _instance(functools.reduce(operator.getitem, steps, root), text, root)
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    if schema.get("anyOf"):
        return _instance(schema["anyOf"][0], text, root)
    match schema.get("type"):
        case "object":
            return {name: _instance(part, text, root) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [_instance(schema.get("items", {}), text, root)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return text[: schema.get("maxLength")]


def _messages(prompt: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the messages and tools behind a prompt."""
    if not prompt.startswith(MARK):
        return [{"role": "user", "content": prompt}], []
    told = json.loads(prompt.removeprefix(MARK))
    return told["messages"], told["tools"]


def _count(text: str) -> int:
    if text.startswith(MARK):
        return sum(_count(message["content"]) for message in _messages(text)[0])
    return len(_TOKEN.findall(text))


def _limited(text: str, body: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the tokens to send and why they end, after ``stop`` and ``n_predict``."""
    ends = sorted((text.find(stop), stop) for stop in body.get("stop") or () if stop in text)
    pieces = _TOKEN.findall(text[: ends[0][0]] if ends else text)
    limit = body.get("n_predict")
    if isinstance(limit, int) and len(pieces) > limit >= 0:
        return pieces[:limit], {"stop_type": "limit", "stopping_word": ""}
    return pieces, {"stop_type": "word" if ends else "eos", "stopping_word": ends[0][1] if ends else ""}


def echo_routes(context_length: int) -> Routes:
    """Return the routes of the echo worker; a longer prompt than ``context_length`` tokens is refused."""

    async def embeddings(body: dict[str, Any]) -> dict[str, Any]:
        texts = body["input"]
        if not all(isinstance(text, str) for text in texts):
            raise RefusedError("the echo engine has no token ids: send texts")
        data = [{"index": n, "embedding": base64.b64encode(embed(text)).decode()} for n, text in enumerate(texts)]
        return {"data": data, "usage": {"prompt_tokens": sum(map(_count, texts))}}

    async def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        return {"count": _count(body["content"])}

    async def template(body: dict[str, Any]) -> dict[str, Any]:
        return {"prompt": MARK + json.dumps({"messages": body["messages"], "tools": body.get("tools") or []})}

    async def completion(body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        prompt = body["prompt"]
        if not isinstance(prompt, str):
            raise RefusedError("the echo engine has no token ids: send a text")
        tokens = _count(prompt)
        if tokens > context_length:
            raise RefusedError(
                f"request ({tokens} tokens) exceeds the available context size ({context_length} tokens)",
                "exceed_context_size_error",
            )
        messages, tools = _messages(prompt)
        told = answer(messages, body.get("json_schema"), tools)
        pause = PACE if told.startswith(f"Echo: {SLOWLY}") else 0.0
        return _events(*_limited(told, body), tokens, pause, probable="n_probs" in body)

    return {
        "/apply-template": template,
        "/completion": completion,
        "/v1/embeddings": embeddings,
        "/tokenize": tokenize,
    }


async def _events(
    pieces: Sequence[str], end: Mapping[str, Any], prompt: int, pause: float, *, probable: bool
) -> AsyncIterator[dict[str, Any]]:
    for piece in pieces:
        certain = {"token": piece, "bytes": list(piece.encode()), "logprob": 0.0}
        told = {"completion_probabilities": [{**certain, "top_logprobs": [certain]}]} if probable else {}
        yield {"content": piece, "stop": False, **told}
        await asyncio.sleep(pause)  # even 0 lets other connections have their turn
    yield {"content": "", "stop": True, **end, "tokens_evaluated": prompt, "tokens_predicted": len(pieces)}
