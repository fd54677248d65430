"""The gateway's side: asks the supervisor for workers."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from dataclasses import dataclass, field
from typing import Any

from pai.adapters.workers.messages import receive, send
from pai.foundation.errors import Unavailable


@dataclass(slots=True)
class RunningWorker:
    """A worker. ``channel`` is the socket to it, ``socket_path`` where an engine listens; ``died`` is set when it is gone."""

    id: str
    socket_path: str
    channel: socket.socket
    died: asyncio.Event = field(default_factory=asyncio.Event)
    exit_code: int | None = None


class Launcher:
    """Asks for workers over the launcher socket. Create it inside the running event loop."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.setblocking(False)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[RunningWorker]] = {}
        self._workers: dict[str, RunningWorker] = {}
        asyncio.get_running_loop().add_reader(connection.fileno(), self._on_message)

    async def start(self, kind: str, fds: tuple[int, ...] = (), options: dict[str, Any] | None = None) -> RunningWorker:
        """Start a worker of this kind; the descriptors are given to it. Raises Unavailable when it cannot be started."""
        number = next(self._numbers)
        future: asyncio.Future[RunningWorker] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        send(self._connection, {"op": "start", "request": number, "kind": kind, "options": options or {}}, fds)
        return await asyncio.wait_for(future, 30)

    def stop(self, worker: RunningWorker) -> None:
        """End a worker at once."""
        if not worker.died.is_set():
            send(self._connection, {"op": "stop", "id": worker.id})

    def _on_message(self) -> None:
        try:
            message, fds = receive(self._connection)
        except BlockingIOError:
            return
        except OSError:
            message, fds = None, []
        if message is None:
            asyncio.get_running_loop().remove_reader(self._connection.fileno())
            for future in self._waiting.values():
                future.set_exception(Unavailable("the supervisor is gone", hint="restart PAI"))
            return
        if "died" in message:
            worker = self._workers.pop(message["died"], None)
            if worker is not None:
                worker.exit_code = message["code"]
                worker.died.set()
                worker.channel.close()
            return
        future = self._waiting.pop(message["request"])
        if "error" in message or future.done():
            for fd in fds:
                os.close(fd)
            if not future.done():
                future.set_exception(Unavailable(message["error"], code="worker", hint="see the log of `pai serve`"))
            return
        worker = RunningWorker(message["id"], message["socket"], socket.socket(fileno=fds[0]))
        self._workers[worker.id] = worker
        future.set_result(worker)
