"""The gateway's side of seeing and hearing: a fresh sandboxed process per piece of input, with that input and one model."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol

import msgspec

from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.single_shot import SingleShot, raised
from pai.core.models.values import Model
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

    async def hear(self, name: str, data: Iterable[bytes], wish: Wish) -> AsyncGenerator[Heard, None]:
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

    @asynccontextmanager
    async def _held(self, data: Iterable[bytes]) -> AsyncIterator[int]:
        """Hold an input in memory, as a file that nobody can change any more and no disk ever sees."""
        fd = os.memfd_create("input", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            await asyncio.to_thread(self._fill, fd, data)
            yield fd
        finally:
            os.close(fd)

    def _fill(self, fd: int, data: Iterable[bytes]) -> None:
        size = 0
        for piece in data:
            size += len(piece)
            if size > self._max_bytes:
                raise TooLarge(f"the file is larger than {self._max_bytes >> 20} MB", hint="split the file")
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
        if not size:
            raise Invalid("the file is empty", code="empty", hint="check that it was saved or copied completely")
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)


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
