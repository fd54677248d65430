"""An engine in a worker, spoken to over its Unix socket: one connection per request, closed to cancel."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec

from pai.adapters.workers.launcher import RunningWorker
from pai.core.ports.engine import Capabilities, ChatDelta, ChatRequest, Embeddings, Usage
from pai.foundation.errors import Invalid, Unavailable
from pai.foundation.refs import ModelRef

_NO_LIMIT = httpx.Timeout(None, connect=5.0)


class SocketEngine:
    """Implements ``core.ports.engine.Engine``."""

    def __init__(self, worker: RunningWorker, model: ModelRef, capabilities: Capabilities) -> None:
        self.worker = worker
        self._model = model
        self._capabilities = capabilities

    @property
    def model(self) -> ModelRef:
        """The verified model."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return self._capabilities

    def _client(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(uds=self.worker.socket_path)
        return httpx.AsyncClient(transport=transport, base_url="http://worker", timeout=_NO_LIMIT, trust_env=False)

    async def healthy(self) -> bool:
        """Return whether the worker answers and its model is loaded."""
        try:
            async with self._client() as client:
                return (await client.get("/health", timeout=10)).status_code == 200
        except httpx.HTTPError:
            return False

    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        """Generate; leaving the iterator closes the connection, which stops the worker's generation."""
        try:
            async with (
                self._client() as client,
                client.stream("POST", "/v1/chat/completions", json=_body(request)) as response,
            ):
                if response.status_code != 200:
                    raise _refused(await response.aread())
                async for delta in _deltas(response):
                    yield delta
        except httpx.HTTPError as error:
            raise self._gone() from error

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return unit vectors."""
        told = await self._post("/v1/embeddings", {"input": list(texts)})
        vectors = tuple(
            base64.b64decode(row["embedding"]) for row in sorted(told["data"], key=lambda row: row["index"])
        )
        return Embeddings(vectors, told["usage"]["prompt_tokens"], len(vectors[0]) // 4 if vectors else 0)

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""
        return len((await self._post("/tokenize", {"content": text}))["tokens"])

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            async with self._client() as client:
                response = await client.post(path, content=msgspec.json.encode(body))
        except httpx.HTTPError as error:
            raise self._gone() from error
        if response.status_code != 200:
            raise _refused(response.content)
        return msgspec.json.decode(response.content, type=dict[str, Any])

    def _gone(self) -> Unavailable:
        return Unavailable(
            f"the worker of {self._model.name} stopped", code="worker_died", hint="ask again: it is started anew"
        )


def _body(request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "cache_prompt": False,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
    }
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    if request.json_schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": dict(request.json_schema)}}
    return body


async def _deltas(response: httpx.Response) -> AsyncIterator[ChatDelta]:
    reason: str | None = None
    async for line in response.aiter_lines():
        if not line.startswith("data: ") or line == "data: [DONE]":
            continue
        told = msgspec.json.decode(line[6:], type=dict[str, Any])
        if "error" in told:
            raise Unavailable("the engine failed while generating", code="engine_failed", hint="ask again")
        for choice in told.get("choices", ()):
            reason = choice.get("finish_reason") or reason
            text = choice.get("delta", {}).get("content")
            if text:
                yield ChatDelta(text)
        usage = told.get("usage")
        if usage and reason:
            yield ChatDelta("", reason, Usage(usage["prompt_tokens"], usage["completion_tokens"]))


def _refused(content: bytes) -> Invalid | Unavailable:
    try:
        message = str(msgspec.json.decode(content)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        message = "no reason given"
    if "context size" in message or "context length" in message:
        return Invalid(
            "the prompt does not fit into the model's context",
            code="context_length_exceeded",
            hint="shorten the messages",
        )
    if "oading model" in message:
        return Unavailable("the model is still loading", code="model_loading", hint="ask again in a moment")
    return Invalid(f"the engine refused the request: {message[:300]}", code="engine_refused")
