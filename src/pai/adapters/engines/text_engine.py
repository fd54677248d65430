"""Text by a worker with a place for several answers: fair turns, and prompt caches that cross no users."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from pai.adapters.engines.marks import Marks
from pai.adapters.engines.slots import Slots
from pai.adapters.engines.socket_engine import SocketEngine
from pai.core.ports.engine import Capabilities, ChatRequest
from pai.foundation.refs import ModelRef

_USUAL_ANSWER: Final = 1024  # tokens reserved for an answer without a limit
_TELL_SECONDS: Final = 3.0
_BYTES_PER_TOKEN: Final = 3  # a low estimate: reserves rather too much


class TextEngine(SocketEngine):
    """The engine of a worker that writes ``parallel`` answers at once and keeps ``pool`` tokens of their contexts.

    The worker itself keeps the caches of different owners apart (``paged``): it is told whose each request is.
    """

    forgets_whole: ClassVar[bool] = True
    """Whether nothing of an owner's is left in the worker's memory after ``forget``; else the worker has to end for that."""

    def __init__(
        self, socket_path: Path, model: ModelRef, capabilities: Capabilities, *, parallel: int, pool: int
    ) -> None:
        super().__init__(socket_path, model, capabilities)
        self._slots = Slots(parallel, pool)
        self.served: set[str] = set()
        """Whose prompts the worker has seen."""

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return self._slots.waiting

    async def learn_marks(self, header: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Ask the worker, which reads the tokeniser and the template behind its walls. Raises Unavailable."""
        told = await self._post("/marks", {})
        try:
            self.marks = Marks(msgspec.convert(told["marks"], list[str]), msgspec.convert(told["template"], str))
        except (KeyError, msgspec.MsgspecError) as error:
            raise self._nonsense() from error

    async def forget(self, cache_key: str) -> None:
        """Drop what is cached for this user: at logout, erasure and the end of retention."""
        self._slots.forget(cache_key)
        await self._post("/forget", {"owner": cache_key})

    async def _placed(self, request_: ChatRequest, body: dict[str, Any]) -> AsyncGenerator[int | None, None]:
        prompt = body["prompt"]
        size = len(prompt.encode()) // _BYTES_PER_TOKEN if isinstance(prompt, str) else len(prompt)
        tokens = min(size + (request_.max_tokens or _USUAL_ANSWER), self.capabilities.context_length)
        self.served.add(request_.cache_key)
        with self._slots.queue(request_.cache_key, tokens) as turn:
            while not await turn.comes(_TELL_SECONDS):
                yield turn.before
            body["id_slot"], body["cache_prompt"] = turn.place
            yield None


class LlamaEngine(TextEngine):
    """llama.cpp's server, whose caches lie in slots: each request names its own.

    A slot's cache is switched on only when the same ``cache_key`` filled it; for anyone else the slot starts from nothing, so
    neither an answer nor its timing depends on another user's prompt being cached.
    """

    forgets_whole: ClassVar[bool] = False  # pieces of requests stay on the stacks of the server's threads

    async def learn_marks(self, header: Mapping[str, Any]) -> None:
        """Take them from the header, which was read behind walls before the model was loaded."""
        self.marks = Marks(header.get("marks") or (), str(header.get("chat_template") or ""))

    async def forget(self, cache_key: str) -> None:
        """Drop what is cached for this user: at logout, erasure and the end of retention."""
        for number in self._slots.forget(cache_key):
            # An empty prompt takes the place of the cached one; a busy slot does it when its answer has ended.
            body = {"prompt": "", "n_predict": 0, "id_slot": number, "cache_prompt": False, "stream": False}
            await self._post("/completion", body)
