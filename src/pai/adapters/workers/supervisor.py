"""Starts workers for the gateway, from a fixed table of kinds, and tells it when one dies."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pai.adapters.workers.messages import pair, receive, send

KINDS = frozenset({"llama", "onnx-embedding", "echo", "parser"})
STOP_SECONDS = 3.0


class Supervisor:
    """Serves one launcher socket in a thread. What the gateway can ask for is a kind, descriptors and numbers; no command."""

    def __init__(self, connection: socket.socket, run_folder: Path, environment: Mapping[str, str]) -> None:
        self._connection = connection
        self._folder = run_folder
        self._environment = dict(environment)
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin to serve; folders of earlier workers are removed."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """End all workers."""
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _serve(self) -> None:
        while True:
            try:
                message, fds = receive(self._connection)
            except OSError:
                return
            if message is None:
                return
            try:
                self._answer(message, tuple(fds))
            finally:
                for fd in fds:
                    os.close(fd)

    def _answer(self, message: dict[str, Any], fds: tuple[int, ...]) -> None:
        match message:
            case {"op": "start", "request": request, "kind": str(kind), "options": dict(options)} if kind in KINDS:
                self._start(request, kind, options, fds)
            case {"op": "stop", "id": str(worker_id)}:
                worker = self._workers.get(worker_id)
                if worker is not None:
                    worker.kill()
            case {"request": request}:
                self._tell({"request": request, "error": "not a kind of worker"})
            case _:
                pass

    def _start(self, request: Any, kind: str, options: dict[str, Any], fds: tuple[int, ...]) -> None:
        worker_id = secrets.token_hex(6)
        folder = self._folder / worker_id
        folder.mkdir(mode=0o700)
        ours, theirs = pair()
        arguments = ["--kind", kind, "--channel", str(theirs.fileno()), "--folder", str(folder)]
        try:
            worker = subprocess.Popen(
                [sys.executable, "-I", "-m", "pai.bootstrap.worker", *arguments],
                env=self._environment,
                pass_fds=(theirs.fileno(), *fds),
                close_fds=True,
                stdin=subprocess.DEVNULL,
                cwd="/",
            )
        except OSError as error:
            ours.close()
            self._tell({"request": request, "error": f"cannot start a worker: {error.strerror}"})
            return
        finally:
            theirs.close()
        with self._lock:
            self._workers[worker_id] = worker
        # The same descriptor numbers are valid in the child: pass_fds keeps them.
        send(ours, {"options": options, "fds": list(fds)})
        self._tell({"request": request, "id": worker_id, "socket": str(folder / "s")}, (ours.fileno(),))
        ours.close()
        threading.Thread(target=self._reap, args=(worker_id, worker, folder), daemon=True).start()

    def _reap(self, worker_id: str, worker: subprocess.Popen[bytes], folder: Path) -> None:
        code = worker.wait()
        with self._lock:
            self._workers.pop(worker_id, None)
        shutil.rmtree(folder, ignore_errors=True)
        self._tell({"died": worker_id, "code": code})

    def _tell(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        with contextlib.suppress(OSError):  # the gateway has gone: nobody is left to tell
            send(self._connection, message, fds)
