"""The gateway's side of the launcher socket: asks the supervisor for workers and hears of their ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pai.adapters.workers.messages import FrameError, decode_mapping, pair, receive_frame, send_frame
from pai.adapters.workers.supervisor import Supervisor
from pai.core.operations.ports import Taken
from pai.foundation.errors import Invalid, PaiError, Unavailable


@dataclass(slots=True, eq=False)
class RunningWorker:
    """A worker behind its walls. ``socket_path`` is where an engine listens once it is ready; ``died`` is set when the
    process has ended, with its exit ``status`` (negative: the signal); ``sandbox`` has one line per layer."""

    id: str
    socket_path: Path
    sandbox: tuple[str, ...] = ()
    died: asyncio.Event = field(default_factory=asyncio.Event)
    status: int | None = None


class Launcher:
    """Starts and stops workers over the launcher socket. Use it from one event loop."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.settimeout(None)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._running: dict[str, RunningWorker] = {}
        self._abandoned: set[int] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def start(
        self, kind: str, fds: Sequence[int] = (), options: Mapping[str, int] | None = None
    ) -> RunningWorker:
        """Start a worker of ``kind`` with these descriptors (the caller keeps and closes its own).

        Returns once its sandbox is up. Raises Invalid for a kind or option not in the table, Unavailable when it fails.
        """
        reply = await self._ask({"op": "start", "kind": kind, "options": dict(options or {})}, fds)
        return self._running[str(reply["worker"])]

    async def stop(self, worker_id: str) -> None:
        """End a worker now. Nothing happens when it has ended already."""
        if worker_id in self._running:
            await self._ask({"op": "stop", "worker": worker_id})

    async def weighed(self) -> Mapping[str, Taken]:
        """Return the memory of PAI's processes and workers by name; empty when the supervisor is gone."""
        try:
            reply = await self._ask({"op": "weigh"})
        except Unavailable:
            return {}
        return {str(name): Taken(str(kind), int(size)) for name, (kind, size) in reply["weighed"].items()}

    @property
    def workers(self) -> tuple[RunningWorker, ...]:
        """The workers that run now."""
        return tuple(self._running.values())

    def close(self) -> None:
        """Close the socket; the supervisor then ends all workers."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    async def _ask(self, message: dict[str, Any], fds: Sequence[int] = ()) -> Mapping[str, Any]:
        self._listen()
        number = next(self._numbers)
        reply: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        try:
            send_frame(self._connection, {"id": number, **message}, fds)
        except OSError as error:
            del self._waiting[number]
            raise _gone() from error
        try:
            return await reply
        except asyncio.CancelledError:
            self._abandoned.add(number)
            raise

    def _listen(self) -> None:
        if self._closed:
            raise _gone()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, args=(self._loop,), name="pai-launcher", daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand each frame to the loop, in a thread of its own; the supervisor sends no descriptors."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            try:
                while frame := receive_frame(self._connection):
                    loop.call_soon_threadsafe(self._hear, decode_mapping(frame[0]))
            except (FrameError, OSError):
                pass  # as when the supervisor ends
            loop.call_soon_threadsafe(self._lose_all)

    def _hear(self, message: Mapping[str, Any]) -> None:
        if message.get("event") == "died":
            worker = self._running.pop(message["worker"], None)
            if worker is not None:
                worker.status = message.get("status")
                worker.died.set()
            return
        number = message["id"]
        reply = self._waiting.pop(number, None)
        if "worker" in message:
            worker = RunningWorker(message["worker"], Path(message["socket"]), tuple(message.get("sandbox", ())))
            self._running[worker.id] = worker
            if number in self._abandoned:  # whoever asked has gone: do not keep a worker that nobody knows
                send_frame(self._connection, {"id": next(self._numbers), "op": "stop", "worker": worker.id})
        self._abandoned.discard(number)
        if reply is not None and not reply.done():
            if "error" in message:
                reply.set_exception(_raised(message["error"]))
            else:
                reply.set_result(message)

    def _lose_all(self) -> None:
        self._closed = True
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(_gone())
        self._waiting.clear()
        for worker in self._running.values():
            worker.died.set()
        self._running.clear()


class LocalLauncher(Launcher):
    """A launcher with its own supervisor in a thread of this process: for host commands without a server, tests."""

    def __init__(self, run_folder: Path, environment: Mapping[str, str]) -> None:
        ours, theirs = pair()
        self._supervisor = Supervisor(theirs, run_folder=run_folder, environment=environment)
        self._supervisor.start()
        super().__init__(ours)

    def close(self) -> None:
        """Close the socket and wait until all workers have ended."""
        super().close()
        self._supervisor.stop()


def _gone() -> PaiError:
    return Unavailable("the supervisor is gone", code="no_supervisor", hint="run `make start` or `pai serve` again")


def _raised(error: Mapping[str, str]) -> PaiError:
    kind = Invalid if error.get("class") == "Invalid" else Unavailable
    return kind(error.get("message", ""), code=error.get("code"), hint=error.get("hint", ""))
