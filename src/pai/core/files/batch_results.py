"""What came of a batch, as the lines of an output or error file in OpenAI's form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Final

from pai.core.files.ports import BatchesUnit
from pai.core.files.values import Batch, BatchLine, BatchState
from pai.core.ports.work import Work
from pai.foundation.redaction import Secret

PAGE: Final = 500
"""Requests that are read at a time, at most."""
_NEVER: Final = {
    BatchState.EXPIRED: ("batch_expired", "the batch's time was over before this request was asked"),
    BatchState.CANCELLED: ("batch_cancelled", "the batch was cancelled before this request was asked"),
}


class Results:
    """The good or the other lines of a batch, to be iterated in a thread. Requests that were never asked are told among the others."""

    def __init__(
        self, work: Work[BatchesUnit], loop: asyncio.AbstractEventLoop, batch: Batch, key: Secret, *, good: bool
    ) -> None:
        self._work, self._loop, self._batch, self._key, self._good = work, loop, batch, key, good

    @property
    def any(self) -> bool:
        """Return whether there are any lines."""
        batch = self._batch
        return batch.done > 0 if self._good else batch.total > batch.done

    def __iter__(self) -> Iterator[bytes]:
        after = -1
        while page := asyncio.run_coroutine_threadsafe(self._page(after), self._loop).result():
            after = page[-1].n
            yield b"".join(self._line(line) for line in page if (0 < line.status < 400) is self._good)

    async def _page(self, after: int) -> Sequence[BatchLine]:
        return await self._work.read(lambda unit: unit.open_batch(self._batch.id, self._key).lines(after, PAGE))

    def _line(self, line: BatchLine) -> bytes:
        response, error = "null", "null"
        if line.status:
            response = f'{{"status_code":{line.status},"request_id":"{line.request_id}","body":{line.answer}}}'
        else:
            code, message = _NEVER.get(
                self._batch.outcome, ("batch_failed", "the batch ended before this request was asked")
            )
            error = json.dumps({"code": code, "message": message})
        name = json.dumps(line.custom_id, ensure_ascii=False)
        told = f'{{"id":"{line.request_id}","custom_id":{name},"response":{response},"error":{error}}}'
        return told.encode() + b"\n"
