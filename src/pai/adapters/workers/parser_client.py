"""The gateway's side of parsing: a fresh sandboxed process per document, one kept warm."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterable
from typing import Final

import msgspec

from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.single_shot import SingleShot, raised
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import Invalid, TooLarge

_MAX_RESULT: Final = 512 << 20
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
        # Processor time is bounded above the wall time, so that the wall time is what tells.
        options = {"cpu_seconds": int(seconds * 2) + 5}
        self._workers = SingleShot(launcher, "parser", options, seconds=seconds, limit=_MAX_RESULT, ahead=True)
        self._seconds = seconds
        self._limits = {"size": max_bytes, "pages": max_pages}
        self._turn = asyncio.Semaphore(at_once)

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
        await self._workers.close()

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
        try:
            body = await self._workers.ask({"name": name, "limits": self._limits}, [document])
        except TimeoutError:
            hint = "split the file or save it anew"
            raise Invalid(f"parsing took longer than {self._seconds:g} s", code="timed_out", hint=hint) from None
        if body is None:
            raise Invalid("the parser broke on this file", code="parser_died", hint="the file is damaged or hostile")
        return body


def _decode(body: bytes) -> ParsedDocument:
    # The worker may have been taken over by its document: what it says is data of this shape or an error, nothing else.
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError:
        raise Invalid("the parser gave no usable result", code="parser_died") from None
    if answer.document is not None:
        return answer.document
    raise raised(answer.error or {}, message="the file cannot be parsed", code="parser_failed")
