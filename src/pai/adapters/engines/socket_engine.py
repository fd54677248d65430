"""An engine in a worker, spoken to over its Unix socket: one connection per request, closed to cancel."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import msgspec

from pai.adapters.engines.bodies import completion_body, logprobs_of, template_body
from pai.adapters.engines.connection import Response, WorkerGoneError, request
from pai.adapters.engines.marks import Marks
from pai.core.ports.engine import Capabilities, ChatDelta, ChatRequest, Embeddings, Usage
from pai.core.ports.metrics import (
    CACHED_TOKENS,
    EACH_TOKEN,
    FIRST_TOKEN,
    GENERATED_TOKENS,
    PROMPT_TOKENS,
    SILENT,
    Meter,
)
from pai.foundation.errors import Invalid, PaiError, Unavailable
from pai.foundation.refs import ModelRef

_THINK: Final = "<think>"


class SocketEngine:
    """Implements ``core.ports.engine.Engine`` for a worker that listens at ``socket_path``."""

    def __init__(self, socket_path: Path, model: ModelRef, capabilities: Capabilities) -> None:
        self._socket_path = socket_path
        self._model = model
        self._capabilities = capabilities
        self._open = 0
        self.meter: Meter = SILENT
        self.marks = Marks()
        """What must not stand whole in what is written into the chat template."""
        self.lost = False
        """Whether a request found the worker gone; the registry looks into it before the next one."""

    @property
    def model(self) -> ModelRef:
        """The verified model."""
        return self._model

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        return self._capabilities

    @property
    def busy(self) -> int:
        """Requests that are under way or wait."""
        return self._open

    @property
    def waiting(self) -> int:
        """Requests among these that wait for their turn."""
        return 0

    async def healthy(self) -> bool:
        """Return whether the worker answers and its model is loaded."""
        try:
            async with request(self._socket_path, "GET", "/health") as response:
                await response.whole()
                return response.status == 200
        except WorkerGoneError:
            return False

    async def chat(self, request_: ChatRequest) -> AsyncIterator[ChatDelta]:
        """Generate; leaving the iterator closes the connection, which stops the worker's generation."""
        self._open += 1
        try:
            async with aclosing(self._generated(request_)) as deltas:
                async for delta in deltas:
                    yield delta
        finally:
            self._open -= 1

    async def _generated(self, request_: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        pace = _Pace(self.meter, self._model.name)
        body = completion_body(request_)
        prompt = body["prompt"] = await self._prompt(request_)
        if isinstance(prompt, str) and request_.prompt is None and prompt.rstrip().endswith(_THINK):
            yield ChatDelta(_THINK)  # the template has opened the thoughts already; who reads the answer has to know
        try:
            async with aclosing(self._placed(request_, body)) as places:
                while (before := await anext(places)) is not None:
                    yield ChatDelta(waiting=before)
                async with request(self._socket_path, "POST", "/completion", body) as response:
                    if response.status != 200:
                        raise self._refused(response.status, await response.whole())
                    async with aclosing(self._deltas(response, request_.top_logprobs or 0)) as deltas:
                        async for delta in deltas:
                            pace.take(delta)
                            yield delta
        except WorkerGoneError as error:
            raise self._gone() from error

    async def embed(self, texts: Sequence[str | Sequence[int]]) -> Embeddings:
        """Return unit vectors."""
        told = await self._post("/v1/embeddings", {"input": list(texts), "encoding_format": "base64"})
        try:
            rows = sorted(told["data"], key=lambda row: row["index"])
            vectors = tuple(base64.b64decode(row["embedding"], validate=True) for row in rows)
            tokens = int(told["usage"]["prompt_tokens"])
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise self._nonsense() from error
        size = len(vectors[0]) if vectors else 0
        if len(vectors) != len(texts) or size % 4 or any(len(vector) != size for vector in vectors):
            raise self._nonsense()
        self.meter.count(PROMPT_TOKENS, self._model.name, by=tokens)
        return Embeddings(vectors, tokens, size // 4)

    async def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has."""
        return await self._count(text, special=False)

    async def count_prompt(self, request_: ChatRequest) -> int:
        """Return how many tokens the prompt of a request has."""
        prompt = await self._prompt(request_)
        return await self._count(prompt, special=True) if isinstance(prompt, str) else len(prompt)

    async def _count(self, text: str, *, special: bool) -> int:
        told = await self._post("/tokenize", {"content": text, "add_special": special, "parse_special": special})
        try:
            return int(told["count"]) if "count" in told else len(told["tokens"])
        except (LookupError, TypeError, ValueError) as error:
            raise self._nonsense() from error

    async def _prompt(self, request_: ChatRequest) -> str | list[int]:
        """Return the text that the model continues: its own chat template, filled in inside the worker."""
        if request_.prompt is not None:
            return request_.prompt if isinstance(request_.prompt, str) else list(request_.prompt)
        told = await self._post("/apply-template", template_body(request_, self.marks))
        prompt = told.get("prompt")
        if not isinstance(prompt, str):
            raise self._nonsense()
        return prompt

    async def learn_marks(self, header: Mapping[str, Any]) -> None:  # engines with a template need it
        """Learn the marks of turns of the model, from its ``header`` or from its worker. Without a template there are none."""

    async def forget(self, cache_key: str) -> None:
        """Drop what is cached for this user. Engines without prompt caches have nothing to drop."""

    async def _placed(
        self,
        request_: ChatRequest,  # noqa: ARG002  # a hook: engines with slots need both
        body: dict[str, Any],  # noqa: ARG002
    ) -> AsyncGenerator[int | None, None]:
        """Yield how many requests come before, every few seconds, and None once a place is held, until it is closed. It may add to
        ``body``."""
        yield None

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._open += 1
        try:
            async with request(self._socket_path, "POST", path, body) as response:
                content = await response.whole()
        except WorkerGoneError as error:
            raise self._gone() from error
        finally:
            self._open -= 1
        if response.status != 200:
            raise self._refused(response.status, content)
        return self._decoded(content)

    async def _deltas(self, response: Response, alternatives: int) -> AsyncGenerator[ChatDelta, None]:
        async for data in response.events():
            told = self._decoded(data)
            if "content" not in told:
                raise Unavailable("the engine failed while it answered", code="engine_failed", hint="ask again")
            try:
                pieces = _pieces(told, alternatives)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise self._nonsense() from error
            for piece in pieces:
                yield piece
            if told.get("stop"):
                return
        raise self._gone()  # it ended without saying so

    def _decoded(self, data: bytes) -> dict[str, Any]:
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise self._nonsense() from error

    def _gone(self) -> Unavailable:
        self.lost = True
        return Unavailable(
            f"the worker of {self._model.name} stopped", code="worker_died", hint="ask again: it is started anew"
        )

    def _nonsense(self) -> Unavailable:
        return Unavailable(
            f"the worker of {self._model.name} answered nonsense", code="engine_failed", hint="ask again"
        )

    def _refused(self, status: int, content: bytes) -> PaiError:
        try:
            told = msgspec.json.decode(content)["error"]
            kind, message = str(told.get("type", "")), str(told["message"])
        except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
            kind, message = "", "no reason given"
        if kind == "exceed_context_size_error" or "context size" in message:
            return Invalid(
                f"the prompt does not fit into the model's context of {self._capabilities.context_length} tokens",
                code="context_length_exceeded",
                hint="shorten the messages",
            )
        if status >= 500:
            return Unavailable(
                f"the engine failed: {message[:200]}", code="engine_failed", hint="ask again in a moment"
            )
        return Invalid(f"the engine refused the request: {message[:200]}", code="engine_refused")


class _Pace:
    """Times one answer."""

    def __init__(self, meter: Meter, model: str) -> None:
        self._meter = meter
        self._model = model
        self._begun = time.monotonic()
        self._first = 0.0

    def take(self, delta: ChatDelta) -> None:
        """Note a piece."""
        now = time.monotonic()
        if not self._first and (delta.text or delta.logprobs):
            self._first = now
            self._meter.observe(FIRST_TOKEN, now - self._begun, self._model)
        usage = delta.usage
        if usage is None:
            return
        for metric, tokens in (
            (PROMPT_TOKENS, usage.prompt_tokens), (CACHED_TOKENS, usage.cached_tokens), (GENERATED_TOKENS, usage.completion_tokens),
        ):  # fmt: skip
            self._meter.count(metric, self._model, by=tokens)
        if self._first and usage.completion_tokens > 1:
            self._meter.observe(EACH_TOKEN, (now - self._first) / (usage.completion_tokens - 1), self._model)


def _pieces(told: Mapping[str, Any], alternatives: int) -> list[ChatDelta]:
    """Return what an event of the worker says."""
    text, logprobs = str(told["content"]), logprobs_of(told.get("completion_probabilities") or (), alternatives)
    if not told.get("stop"):
        return [ChatDelta(text, logprobs=logprobs)] if text or logprobs else []
    reason = "length" if told.get("stop_type") == "limit" else "stop"
    cached = int((told.get("timings") or {}).get("cache_n", 0))
    usage = Usage(int(told["tokens_evaluated"]), int(told["tokens_predicted"]), cached)
    end = ChatDelta("", reason, usage, stop=str(told.get("stopping_word") or ""))
    return [ChatDelta(text), end] if text else [end]
