"""The gateway's side of seeing and hearing: a fresh sandboxed process per piece of input, with that input and one model."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol, cast

import msgspec

from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.single_shot import SingleShot, raised
from pai.core.models.values import Model
from pai.core.perception.ports import Input
from pai.core.perception.values import Heard, Page, Wish
from pai.foundation.errors import Invalid, TooLarge
from pai.foundation.refs import ModelRef

_TASKS: Final = {"ocr": "ppocr-v6-small", "transcription": "whisper-base"}
"""Tasks, and the model of the catalogue that does each."""
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_PAGES: Final = 4
"""Pages that one process reads: few, so that progress can be told and a page that breaks it takes few others along."""
_SECONDS: Final = 180.0
_MOST_ANSWER: Final = 32 << 20
_STRETCH: Final = 120.0
"""Seconds of a recording that one process listens to, at least: few, for progress; loading the model takes a second."""
_MOST_SEGMENTS: Final = 5000
_MOST_LINES: Final = 2000
_MOST_TEXT: Final = 2000
_MOST_CODE: Final = 8
_LONGEST_SOUND: Final = 1e6
_HELD: Final = 4
"""Inputs that are in memory at one time, those included that wait for their turn."""


class Opener(Protocol):
    """Looks models up and opens their files, verified."""

    async def model(self, name: str, task: str, usual: str) -> Model: ...
    def opened(self, model: Model) -> AbstractAsyncContextManager[list[int]]: ...


class _Pages(msgspec.Struct, forbid_unknown_fields=True):
    pages: list[Page] = []  # msgspec copies defaults
    error: dict[str, str] | None = None


class _Heard(msgspec.Struct, forbid_unknown_fields=True):
    heard: Heard | None = None
    error: dict[str, str] | None = None


class SealedInput:
    """Implements ``core.perception.ports.Input``: a file in memory that nobody can change any more and no disk ever sees."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self.fd = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._let_go = let_go
        self._open = True

    def close(self) -> None:
        """Let go of it, once."""
        if self._open:
            self._open = False
            os.close(self.fd)
            self._let_go()

    def given_up(self, filling: asyncio.Future[None]) -> None:
        """Let go of it once nobody writes to it; what ended the writing was told already, or nobody is there to be told."""
        filling.exception()
        self.close()

    def fill(self, data: Iterable[bytes], most: int) -> None:
        """Write and seal it. Raises TooLarge, Invalid (``empty``)."""
        size = 0
        for piece in data:
            size += len(piece)
            if size > most:
                raise TooLarge(f"the file is larger than {most >> 20} MB", hint="split the file")
            view = memoryview(piece)
            while view:
                view = view[os.write(self.fd, view) :]
        if not size:
            raise Invalid("the file is empty", code="empty", hint="check that it was saved or copied completely")
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)


class SandboxedSenses:
    """Implements ``core.perception.ports.Senses``. ``max_bytes`` and ``max_pages`` bound one input; one process sees or hears at a
    time, so that answers from chat models are not slowed by more than that."""

    def __init__(self, launcher: Launcher | None, models: Opener, *, max_bytes: int, max_pages: int) -> None:
        self._models = models
        self._readers = SingleShot(
            launcher, "ocr", {"cpu_seconds": int(_SECONDS * 2)}, seconds=_SECONDS, limit=_MOST_ANSWER
        )
        self._hearers = SingleShot(
            launcher, "whisper", {"cpu_seconds": int(_SECONDS * 2)}, seconds=_SECONDS, limit=_MOST_ANSWER
        )
        self._max_bytes = max_bytes
        self._max_pages = max_pages
        self._turn = asyncio.Semaphore(1)
        self._places = asyncio.Semaphore(_HELD)

    async def model(self, name: str, task: str) -> ModelRef:
        """Return the model for a task that a name or alias stands for. Raises NotFound, Unsupported."""
        model = await self._found(name, task)
        return ModelRef(model.name, model.sha256)

    async def _found(self, name: str, task: str) -> Model:
        return await self._models.model(name, task, _TASKS[task])

    async def read(self, name: str, data: Iterable[bytes], *, only: Sequence[int] = ()) -> AsyncGenerator[Page, None]:
        """Yield pages as they are read. Raises as the port says."""
        model = await self._found(name, "ocr")
        async with self._held(data) as document:
            waiting, all_of_it = list(only), not only
            while waiting or all_of_it:
                pages = await self._read(model, document, waiting[:_PAGES])
                for page in pages:
                    yield page
                waiting = [*range(len(pages) + 1, pages[0].of + 1)] if all_of_it else waiting[_PAGES:]
                all_of_it = False  # from here on it is known how many there are

    async def _read(self, model: Model, document: int, wanted: Sequence[int]) -> list[Page]:
        asked = {"pages": wanted, "most": _PAGES, "limit": self._max_pages}
        body = await self._ask(self._readers, model, asked, document)
        answer: _Pages = _decoded(body, _Pages)
        if answer.error is not None or not answer.pages:
            raise raised(answer.error or {}, message="the file cannot be read", code="bad_picture")
        if not all(_plausible(page, self._max_pages) for page in answer.pages):
            raise _broken()
        return answer.pages

    async def hear(self, name: str, data: Iterable[bytes] | Input, wish: Wish) -> AsyncGenerator[Heard, None]:
        """Yield what is said, part after part. Raises as the port says."""
        model = await self._found(name, "transcription")
        async with self._held(data) as recording:
            at, language = 0.0, wish.language
            while True:
                part = await self._hear(model, recording, wish, at, language)
                yield part
                at, language = part.until, part.language
                if at >= part.total:
                    return

    async def _hear(self, model: Model, recording: int, wish: Wish, at: float, language: str) -> Heard:
        asked = {
            "start": at, "seconds": _STRETCH, "language": language, "translate": wish.translate, "prompt": wish.prompt,
            "temperature": wish.temperature,
        }  # fmt: skip
        answer: _Heard = _decoded(await self._ask(self._hearers, model, asked, recording), _Heard)
        if answer.error is not None or answer.heard is None:
            raise raised(answer.error or {}, message="the recording cannot be read", code="bad_sound")
        if not _credible(answer.heard, at):
            raise _broken()
        return answer.heard

    async def _ask(self, workers: SingleShot, model: Model, asked: object, given: int) -> bytes:
        try:
            async with self._turn, self._models.opened(model) as fds:
                body = await workers.ask(asked, [given, *fds])
        except TimeoutError:
            raise Invalid(
                f"it took longer than {_SECONDS:g} s", code="timed_out", hint="make it smaller or split it"
            ) from None
        if body is None:
            raise Invalid(
                "the process that read this file broke on it", code="parser_died", hint="it is damaged or hostile"
            )
        return body

    async def take(self, data: Iterable[bytes]) -> SealedInput:
        """Take an input in. Raises as the port says."""
        await self._places.acquire()
        taken = SealedInput(self._places.release)
        filling = asyncio.ensure_future(asyncio.to_thread(taken.fill, data, self._max_bytes))
        try:
            await asyncio.shield(filling)
        except BaseException:
            # Not before the thread has ended: the descriptor's number would be somebody else's while it still writes.
            filling.add_done_callback(taken.given_up)
            raise
        return taken

    @asynccontextmanager
    async def _held(self, data: Iterable[bytes] | Input) -> AsyncIterator[int]:
        taken = data if isinstance(data, SealedInput) else await self.take(cast("Iterable[bytes]", data))
        try:
            yield taken.fd
        finally:
            taken.close()


def _decoded(body: bytes, kind: Any) -> Any:
    # The worker may have been taken over by its input: what it says is data of this shape or an error, nothing else.
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError:
        raise _broken() from None


def _broken() -> Invalid:
    return Invalid(
        "the process that read this file gave no usable result", code="parser_died", hint="it is damaged or hostile"
    )


def _plausible(page: Page, most: int) -> bool:
    return (
        1 <= page.number <= page.of <= most
        and len(page.lines) <= _MOST_LINES
        and page.turned in (0, 90, 180, 270)
        and all(0 <= line.confidence <= 1 and len(line.text) <= _MOST_TEXT for line in page.lines)
    )


def _credible(heard: Heard, start: float) -> bool:
    # Also that it goes on: a part that ends where it began would be asked for again for ever.
    return (
        start < heard.until <= heard.total < _LONGEST_SOUND
        and len(heard.segments) <= _MOST_SEGMENTS
        and len(heard.language) <= _MOST_CODE
        and all(0 <= one.start <= one.end <= heard.total and len(one.text) <= _MOST_TEXT for one in heard.segments)
    )
