"""The gateway's side of parsing: a fresh sandboxed process per document, one kept warm."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from pai.adapters.workers.launcher import Launcher, RunningWorker
from pai.adapters.workers.messages import FrameError, pair, receive_frame, send_frame
from pai.core.knowledge.values import ParsedDocument
from pai.foundation import errors
from pai.foundation.errors import Invalid, PaiError, TooLarge, Unavailable

_MAX_RESULT: Final = 512 << 20
_KINDS: Final[Mapping[str, type[PaiError]]] = {
    "Invalid": errors.Invalid,
    "Unsupported": errors.Unsupported,
    "TooLarge": errors.TooLarge,
}
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    document: ParsedDocument | None = None
    error: dict[str, str] | None = None


class SandboxedParser:
    """Implements ``core.knowledge.ports.DocumentParser``. ``seconds`` bounds one document; then its process is killed.

    ``max_bytes`` and ``max_pages`` bound the document; ``at_once`` documents are parsed at a time.
    """

    def __init__(
        self, launcher: Launcher | None, *, seconds: float, max_bytes: int, max_pages: int, at_once: int = 1
    ) -> None:
        self._launcher = launcher
        self._seconds = seconds
        self._limits = {"size": max_bytes, "pages": max_pages}
        self._turn = asyncio.Semaphore(at_once)
        self._warm: asyncio.Task[tuple[RunningWorker, socket.socket]] | None = None

    async def parse(self, data: Iterable[bytes], *, name: str, size: int) -> ParsedDocument:
        """Parse one original in a process of its own. Raises as the port says, also with the codes ``parser_died`` (the
        process broke on this file) and ``not_serving``. The bytes counted decide, whatever ``size`` says."""
        self._check(size)
        async with self._turn:
            document = os.memfd_create("document", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            try:
                await asyncio.to_thread(self._fill, document, data)
                body = await self._ask(name, document)
            finally:
                os.close(document)
        return await asyncio.to_thread(_decode, body)

    async def close(self) -> None:
        """End the warm process."""
        warm, self._warm = self._warm, None
        if warm is not None:
            with contextlib.suppress(PaiError):
                worker, channel = await warm
                await self._end(worker, channel)

    def _check(self, size: int) -> None:
        if size > self._limits["size"]:
            raise TooLarge(f"the file is larger than {self._limits['size'] >> 20} MB", hint="split the file")

    def _fill(self, fd: int, data: Iterable[bytes]) -> None:
        size = 0
        for piece in data:
            size += len(piece)
            self._check(size)
            view = memoryview(piece)
            while view:
                view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)  # whoever holds it from here on can read it only

    async def _ask(self, name: str, document: int) -> bytes:
        worker, channel = await self._take()
        answer = asyncio.ensure_future(asyncio.to_thread(_converse, channel, name, self._limits, document))
        try:
            done, _ = await asyncio.wait({answer}, timeout=self._seconds)
        finally:
            await self._end(worker, channel, answer)
        if not done:
            hint = "split the file or save it anew"
            raise Invalid(f"parsing took longer than {self._seconds:g} s", code="timed_out", hint=hint)
        body = answer.result()
        if body is None:
            raise Invalid("the parser broke on this file", code="parser_died", hint="the file is damaged or hostile")
        return body

    async def _take(self) -> tuple[RunningWorker, socket.socket]:
        warm, self._warm = self._warm, None
        taken = None
        if warm is not None:
            with contextlib.suppress(PaiError):
                taken = await warm
        if taken is None or taken[0].died.is_set():
            taken = await self._fresh()
        self._warm = asyncio.create_task(self._fresh())
        self._warm.add_done_callback(lambda task: task.cancelled() or task.exception())  # told when it is taken
        return taken

    async def _fresh(self) -> tuple[RunningWorker, socket.socket]:
        if self._launcher is None:
            raise Unavailable("no server is running", code="not_serving", hint="start `pai serve` first")
        ours, theirs = pair()
        try:
            # Processor time is bounded above the wall time, so that the wall time is what tells.
            limit = {"cpu_seconds": int(self._seconds * 2) + 5}
            worker = await self._launcher.start("parser", [theirs.fileno()], limit)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return worker, ours

    async def _end(
        self, worker: RunningWorker, channel: socket.socket, answer: asyncio.Future[bytes | None] | None = None
    ) -> None:
        with contextlib.suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
        if answer is not None:
            await asyncio.wait({answer})  # only then may the descriptor's number be used again
        channel.close()
        if self._launcher is not None:
            with contextlib.suppress(PaiError):
                await self._launcher.stop(worker.id)


def _converse(channel: socket.socket, name: str, limits: Mapping[str, int], document: int) -> bytes | None:
    try:
        send_frame(channel, {"name": name, "limits": limits}, [document])
        frame = receive_frame(channel, limit=_MAX_RESULT)
    except (OSError, FrameError):
        return None
    if frame is None:
        return None
    body, fds = frame
    for fd in fds:  # a parser has none to give
        os.close(fd)
    return body


def _decode(body: bytes) -> ParsedDocument:
    # The worker may have been taken over by its document: what it says is data of this shape or an error, nothing else.
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError:
        raise Invalid("the parser gave no usable result", code="parser_died") from None
    if answer.document is not None:
        return answer.document
    raise _raised(answer.error or {})


def _raised(told: Mapping[str, Any]) -> PaiError:
    kind = _KINDS.get(told.get("class", ""), Invalid)
    message = str(told.get("message") or "the file cannot be parsed")
    return kind(message[:500], code=str(told.get("code") or "parser_failed")[:50], hint=str(told.get("hint", ""))[:500])
