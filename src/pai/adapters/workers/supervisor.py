"""Starts, watches and ends workers for the gateway, which may start nothing itself.

Each worker is a fresh ``python -I -m pai.bootstrap.worker`` with an environment built from nothing and just the
descriptors that came with the request. Its first words, over a pipe, are the report of its
sandbox; only then is it announced.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pai.adapters.workers.kinds import KINDS, SOCKET_NAME, checked_options
from pai.adapters.workers.messages import FrameError, decode_mapping, receive_frame, send_frame
from pai.adapters.workers.weighing import weigh
from pai.foundation.errors import Invalid, PaiError, Unavailable

_WORKER_MODULE: Final = "pai.bootstrap.worker"
_FORGETFUL: Final = {
    # Memory is overwritten when it is given back (mallopt(3), M_PERTURB), and all of Python's goes through malloc: what people typed
    # must not outlive its use. The per-thread cache would keep pieces back unwritten.
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0",
    "PYTHONMALLOC": "malloc",
}
_FRAME_SECONDS: Final = 5.0
_END_SECONDS: Final = 5.0
_MOST_WORKERS: Final = 64


@dataclass(slots=True)
class _Worker:
    id: str
    request: object
    process: subprocess.Popen[bytes]
    pidfd: int
    status: int
    folder: Path
    told: bytes = b""
    announced: bool = field(default=False)


class Supervisor:
    """Serves one launcher socket in a thread of its own. ``run_folder`` gets one folder (0700) per worker.

    ``start`` returns at once; ``stop`` ends all workers and the thread. When the other end of the socket closes, all
    workers end too. Workers are killed by the kernel when this process, or the serving thread, ends in any way.
    """

    def __init__(self, connection: socket.socket, *, run_folder: Path, environment: Mapping[str, str]) -> None:
        self._connection = connection
        self._run_folder = run_folder
        self._environment = dict(environment)
        self._workers: dict[str, _Worker] = {}
        self.companions = {"supervisor": os.getpid()}
        """Processes besides workers whose memory may be asked for, by name."""
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="pai-supervisor", daemon=True)

    def start(self) -> None:
        """Clear what an earlier run left behind and begin to serve."""
        self._run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._run_folder.iterdir():
            shutil.rmtree(left, ignore_errors=True)
        self._connection.settimeout(_FRAME_SECONDS)
        self._selector.register(self._connection, selectors.EVENT_READ, "launcher")
        self._selector.register(self._wake_read, selectors.EVENT_READ, "wake")
        self._thread.start()

    def stop(self) -> None:
        """End all workers and the serving thread. May be called more than once."""
        if self._wake_write >= 0:
            os.close(self._wake_write)
            self._wake_write = -1
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS + 1)

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self._end_all()
            self._selector.close()
            self._connection.close()
            os.close(self._wake_read)

    def _turn(self) -> bool:
        """Handle what is ready; return False when it is time to end."""
        for key, _ in self._selector.select():
            match key.data:
                case "wake":
                    return False
                case "launcher":
                    if not self._serve_frame():
                        return False
                case ("status", str(worker_id)):
                    self._on_status(worker_id)
                case ("ended", str(worker_id)):
                    self._on_end(worker_id)
        return True

    def _serve_frame(self) -> bool:
        try:
            frame = receive_frame(self._connection)
        except (FrameError, OSError):
            return False  # the gateway is gone or broken; workers without it have no purpose
        if frame is None:
            return False
        body, fds = frame
        request: object = None
        try:
            message = decode_mapping(body)
            request = message.get("id")
            self._obey(message, request, fds)
        except FrameError:
            return False
        except PaiError as error:
            self._send({"id": request, "error": _told(error)})
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _obey(self, message: Mapping[str, Any], request: object, fds: Sequence[int]) -> None:
        match message.get("op"):
            case "start":
                options = message.get("options")
                if not isinstance(options, dict):
                    raise Invalid("options are an object", code="bad_worker_option")
                self._start_worker(str(message.get("kind")), options, request, fds)
            case "stop":
                worker = self._workers.get(str(message.get("worker")))
                if worker is not None:
                    worker.process.kill()  # workers hold nothing that an orderly end would save
                self._send({"id": request, "ok": True})
            case "weigh":
                processes = {**self.companions, **{one.id: one.process.pid for one in self._workers.values()}}
                found = {name: taken for name, pid in processes.items() if (taken := weigh(pid)) is not None}
                self._send({"id": request, "weighed": found})
            case _:
                raise Invalid("no such operation", code="unknown_operation")

    def _start_worker(self, kind: str, given: Mapping[str, Any], request: object, fds: Sequence[int]) -> None:
        options = checked_options(kind, given)
        if len(fds) != KINDS[kind].descriptors:
            raise Invalid(f"a {kind} worker takes {KINDS[kind].descriptors} descriptors", code="bad_descriptors")
        if len(self._workers) >= _MOST_WORKERS:
            raise Unavailable("too many workers are running", code="too_many_workers")
        worker_id = secrets.token_hex(4)
        folder = self._run_folder / worker_id
        folder.mkdir(mode=0o700)
        status_read, status_write = os.pipe2(os.O_CLOEXEC)
        try:
            process = self._spawn(kind, folder, options, fds, status_write)
        except OSError as error:
            os.close(status_read)
            shutil.rmtree(folder, ignore_errors=True)
            raise Unavailable(
                f"a {kind} worker cannot be started: {error.strerror}",
                code="worker_not_started",
                hint="the machine may be out of memory or processes",
            ) from error
        finally:
            os.close(status_write)
        worker = _Worker(worker_id, request, process, os.pidfd_open(process.pid), status_read, folder)
        self._workers[worker_id] = worker
        self._selector.register(status_read, selectors.EVENT_READ, ("status", worker_id))
        self._selector.register(worker.pidfd, selectors.EVENT_READ, ("ended", worker_id))

    def _spawn(
        self, kind: str, folder: Path, options: Mapping[str, int], fds: Sequence[int], status: int
    ) -> subprocess.Popen[bytes]:
        arguments = [
            kind,
            f"--run={folder}",
            f"--fds={','.join(str(fd) for fd in fds)}",
            f"--options={json.dumps(dict(options))}",
            f"--status={status}",
            f"--parent={os.getpid()}",
        ]
        return subprocess.Popen(
            # As -I, but for what is said of memory: the environment is built from nothing by us.
            [sys.executable, "-s", "-P", "-m", _WORKER_MODULE, *arguments],
            env={**self._environment, **_FORGETFUL},
            pass_fds=(*fds, status),
            close_fds=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )

    def _on_status(self, worker_id: str) -> None:
        worker = self._workers.get(worker_id)
        if worker is None:
            return  # its end was handled in this same turn
        data = os.read(worker.status, 65536)
        worker.told += data
        if data and len(worker.told) < 65536:
            return
        self._forget(worker.status)
        worker.status = -1
        try:
            report = decode_mapping(worker.told)
        except FrameError:
            worker.process.kill()  # it never came up: its end will be the answer
            return
        worker.announced = True
        socket_path = str(worker.folder / SOCKET_NAME)
        self._send({"id": worker.request, "worker": worker.id, "socket": socket_path, "sandbox": report["sandbox"]})

    def _on_end(self, worker_id: str) -> None:
        worker = self._workers.pop(worker_id)
        code = worker.process.wait()
        self._forget(worker.pidfd)
        if worker.status >= 0:
            self._forget(worker.status)
        shutil.rmtree(worker.folder, ignore_errors=True)
        if worker.announced:
            self._send({"event": "died", "worker": worker_id, "status": code})
        else:
            failure = Unavailable(f"a worker ended while it started (status {code})", code="worker_not_started")
            self._send({"id": worker.request, "error": _told(failure)})

    def _forget(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)

    def _send(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a gateway that is gone shows on the next read
            send_frame(self._connection, message)

    def _end_all(self) -> None:
        for worker in self._workers.values():
            worker.process.kill()
        for worker in self._workers.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(_END_SECONDS)
            os.close(worker.pidfd)
            if worker.status >= 0:
                os.close(worker.status)
            shutil.rmtree(worker.folder, ignore_errors=True)
        self._workers.clear()


def _told(error: PaiError) -> dict[str, str]:
    return {"class": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}
