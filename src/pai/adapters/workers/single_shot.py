"""Workers that answer one question and end: a fresh sandboxed process per question, over its own channel.

The process may be taken over by what it reads. So nothing is asked of it twice, and what it says is bytes until the one
who asked has found the expected shape in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pai.adapters.workers.launcher import Launcher, RunningWorker
from pai.adapters.workers.messages import FrameError, decode_mapping, pair, receive_frame, send_frame
from pai.foundation import errors
from pai.foundation.errors import Invalid, PaiError, Unavailable

_KINDS: Final[Mapping[str, type[PaiError]]] = {
    "Invalid": errors.Invalid,
    "Unsupported": errors.Unsupported,
    "TooLarge": errors.TooLarge,
}

Answer = Callable[[Mapping[str, Any], Sequence[int]], Mapping[str, object]]
"""What a worker does with a request and its descriptors."""


def serve_once(channel: socket.socket, answer: Answer, *, failed: object, out_of_memory: object) -> None:
    """In the worker: wait for one question, answer it or ``{"error": {class, code, message, hint}}``, and return.

    ``failed`` and ``out_of_memory`` are the errors told for what the answer did not foresee. When nobody asks, it simply
    ends.
    """
    frame = receive_frame(channel)
    if frame is None:
        return
    body, fds = frame
    request = decode_mapping(body)
    told: Mapping[str, object]
    try:
        told = answer(request, fds)
    except PaiError as error:
        told = {
            "error": {"class": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}
        }
    except MemoryError:
        told = {"error": out_of_memory}
    except Exception:  # noqa: BLE001  # boundary of the process: its text may hold content, so it stays here
        told = {"error": failed}
    try:
        send_frame(channel, told)
    except MemoryError:
        send_frame(channel, {"error": out_of_memory})
    for fd in fds:
        os.close(fd)


def raised(told: Mapping[str, Any], *, message: str, code: str) -> PaiError:
    """Return the error that a worker told of; ``message`` and ``code`` where it gave none."""
    kind = _KINDS.get(told.get("class", ""), Invalid)
    sentence = str(told.get("message") or message)[:500]
    return kind(sentence, code=str(told.get("code") or code)[:50], hint=str(told.get("hint", ""))[:500])


class SingleShot:
    """In the gateway: asks fresh workers of one kind. ``seconds`` bounds one answer, ``limit`` its bytes.

    With ``ahead`` the process for the next question is started while one is answered.
    """

    def __init__(
        self,
        launcher: Launcher | None,
        kind: str,
        options: Mapping[str, int],
        *,
        seconds: float,
        limit: int,
        ahead: bool = False,
    ) -> None:
        self._launcher = launcher
        self._kind = kind
        self._options = dict(options)
        self._seconds = seconds
        self._limit = limit
        self._ahead = ahead
        self._warm: asyncio.Task[tuple[RunningWorker, socket.socket]] | None = None

    def prepare(self) -> None:
        """Begin to start a process now, for the next question."""
        if self._warm is None:
            self._warm = asyncio.create_task(self._fresh())
            self._warm.add_done_callback(lambda task: task.cancelled() or task.exception())  # told when it is taken

    async def ask(self, request: object, fds: Sequence[int]) -> bytes | None:
        """Return the answer, undecoded; None when the process died of it. The caller keeps and closes its descriptors.

        Raises TimeoutError, or Unavailable when no process can be started.
        """
        worker, channel = await self._take()
        answer = asyncio.ensure_future(asyncio.to_thread(self._converse, channel, request, fds))
        try:
            done, _ = await asyncio.wait({answer}, timeout=self._seconds)
        finally:
            await self._end(worker, channel, answer)
        if not done:
            raise TimeoutError
        return answer.result()

    async def close(self) -> None:
        """End the process that waits, if one does."""
        warm, self._warm = self._warm, None
        if warm is not None:
            with contextlib.suppress(PaiError):
                worker, channel = await warm
                await self._end(worker, channel)

    async def _take(self) -> tuple[RunningWorker, socket.socket]:
        warm, self._warm = self._warm, None
        taken = None
        if warm is not None:
            with contextlib.suppress(PaiError):
                taken = await warm
        if taken is None or taken[0].died.is_set():
            taken = await self._fresh()
        if self._ahead:
            self.prepare()
        return taken

    async def _fresh(self) -> tuple[RunningWorker, socket.socket]:
        if self._launcher is None:
            raise Unavailable(
                "no server is running", code="not_serving", hint="start it with `make start` or `pai serve`"
            )
        ours, theirs = pair()
        try:
            worker = await self._launcher.start(self._kind, [theirs.fileno()], self._options)
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

    def _converse(self, channel: socket.socket, request: object, fds: Sequence[int]) -> bytes | None:
        try:
            send_frame(channel, request, fds)
            frame = receive_frame(channel, limit=self._limit)
        except (OSError, FrameError):
            return None
        if frame is None:
            return None
        body, given = frame
        for fd in given:  # such a worker has none to give
            os.close(fd)
        return body
