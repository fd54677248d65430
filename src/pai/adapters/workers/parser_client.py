"""The gateway's side of parsing: a fresh sandboxed process per document, one kept warm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import msgspec

from pai.adapters.workers.launcher import Launcher, RunningWorker
from pai.adapters.workers.messages import receive, send
from pai.core.knowledge.values import ParsedDocument
from pai.foundation import errors
from pai.foundation.errors import Invalid, PaiError, TooLarge, Unavailable

MAX_RESULT = 512 * 1024 * 1024


class SandboxedParser:
    """Implements ``core.knowledge.ports.DocumentParser``. ``seconds`` bounds one document; then its process is killed."""

    def __init__(self, launcher: Launcher | None, *, seconds: float, max_bytes: int, max_pages: int) -> None:
        self._launcher = launcher
        self._seconds = seconds
        self._limits = {"size": max_bytes, "pages": max_pages}
        self._warm: asyncio.Task[RunningWorker] | None = None

    async def parse(self, data: Iterable[bytes], *, name: str, size: int) -> ParsedDocument:
        """Parse one original in a process of its own. Raises as the port says."""
        if size > self._limits["size"]:
            raise TooLarge(f"the file is larger than {self._limits['size'] >> 20} MB", hint="split the file")
        document = os.memfd_create("document", os.MFD_CLOEXEC)
        result = os.memfd_create("result", os.MFD_CLOEXEC)
        try:
            await asyncio.to_thread(_fill, document, data)
            worker = await self._take()
            try:
                outcome = await self._run(worker, name, document, result)
            finally:
                if self._launcher is not None:
                    self._launcher.stop(worker)
            if "error" in outcome:
                raise _error(outcome["error"])
            return await asyncio.to_thread(_decode, result)
        finally:
            os.close(document)
            os.close(result)

    async def _take(self) -> RunningWorker:
        warm, self._warm = self._warm, None
        worker = await warm if warm is not None else await self._fresh()
        if worker.died.is_set():
            worker = await self._fresh()
        self._warm = asyncio.create_task(self._fresh())
        return worker

    async def _fresh(self) -> RunningWorker:
        if self._launcher is None:
            raise Unavailable("no server is running", code="not_serving", hint="start `pai serve` first")
        return await self._launcher.start("parser", (), {"cpu_seconds": int(self._seconds) + 5})

    async def _run(self, worker: RunningWorker, name: str, document: int, result: int) -> dict[str, Any]:
        send(worker.channel, {"name": name, "limits": self._limits}, (document, result))
        try:
            outcome, _ = await asyncio.wait_for(asyncio.to_thread(receive, worker.channel), self._seconds)
        except TimeoutError:
            raise Invalid(
                f"parsing took longer than {self._seconds:.0f} s", code="timed_out", hint="split or re-save the file"
            ) from None
        except OSError:
            outcome = None
        if outcome is None:
            raise Invalid("the parser broke on this file", code="parser_died", hint="the file is damaged or hostile")
        return outcome


def _fill(fd: int, data: Iterable[bytes]) -> None:
    for piece in data:
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]


def _decode(fd: int) -> ParsedDocument:
    size = os.fstat(fd).st_size
    if size > MAX_RESULT:
        raise TooLarge("the parsed document is too large", hint="split the file")
    try:
        # The worker may have been taken over by its document: what it says is data of this shape or an error.
        return msgspec.json.decode(os.pread(fd, size, 0), type=ParsedDocument)
    except msgspec.MsgspecError:
        raise Invalid("the parser gave no usable result", code="parser_died") from None


def _error(told: dict[str, str]) -> PaiError:
    kinds = {"Invalid": errors.Invalid, "Unsupported": errors.Unsupported, "TooLarge": errors.TooLarge}
    kind = kinds.get(told["kind"], errors.Invalid)
    return kind(told["message"][:500], code=told["code"][:50], hint=told["hint"][:500])
