"""Tries to get out of a worker, from inside. A program: ``escape_attempts.py KIND|none FOLDER PORT`` prints JSON.

``FOLDER`` holds ``secret`` (a file), ``model`` (given by descriptor), ``run/`` (the worker's own) and ``open.sock`` (a
listener).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pai.bootstrap.worker import _KINDS, Given

LIBC = ctypes.CDLL(None, use_errno=True)
OPTIONS = {
    "context_length": 256, "pool": 256, "parallel": 1, "threads": 1, "max_tokens": 16, "cpu_seconds": 30, "memory_mb": 1024,
}  # fmt: skip


def call(number: int, *arguments: object) -> int:
    result = LIBC.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def forked() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def traced() -> None:
    if LIBC.ptrace(0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def unix_stream(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(path)


def new_process_by_clone() -> None:
    child = call(56, ctypes.c_ulong(17), None, None, None, None)  # clone(SIGCHLD)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def attempts(folder: Path, port: int) -> dict[str, Callable[[], object]]:
    return {
        "tcp connect": lambda: socket.create_connection(("127.0.0.1", port), 2).close(),
        "tcp bind": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
        "udp6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        "name lookup": lambda: socket.getaddrinfo("localhost", 80),
        "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
        "unix connect": lambda: unix_stream(str(folder / "open.sock")),
        "abstract connect": lambda: unix_stream(f"\0pai-{port}"),
        "unix datagram": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        "datagram pair": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        "read a file": lambda: (folder / "secret").read_bytes(),
        "list a folder": lambda: list(folder.iterdir()),
        "read passwd": lambda: Path("/etc/passwd").read_bytes(),
        "read another process": lambda: Path(f"/proc/{os.getppid()}/cmdline").read_bytes(),
        "write outside": lambda: (folder / "new").write_text("x"),
        "write own folder": lambda: (folder / "run" / "new").write_text("x"),
        "write tmp": lambda: Path(f"/tmp/pai-escape-{os.getpid()}").write_text("x"),
        "rename": lambda: (folder / "victim").rename(folder / "moved"),
        "chmod": lambda: (folder / "secret").chmod(0o644),
        "utime": lambda: os.utime(folder / "secret"),
        "exec": lambda: subprocess.run(["/bin/true"], check=True),
        "fork": forked,
        "clone": new_process_by_clone,
        "ptrace": traced,
        "signal parent": lambda: os.kill(os.getppid(), 0),
        "limit parent": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE),
        "pidfd of parent": lambda: os.pidfd_open(os.getppid()),
        "io_uring": lambda: call(425, 8, ctypes.create_string_buffer(256)),
        "userfaultfd": lambda: call(323, 1),
        "unshare": lambda: call(272, 0x10000000),  # CLONE_NEWUSER
        "keyring": lambda: call(250, 0, ctypes.c_int(-2), 1),
        "dumpable again": lambda: call(157, 4, 1, 0, 0, 0),
        "outlive the parent": lambda: call(157, 1, 0, 0, 0, 0),
    }


def run(kind: str, folder: Path, port: int) -> dict[str, str]:
    tries = attempts(folder, port)
    os.chdir(folder / "run")
    if kind != "none":
        from pai.adapters.system.sandbox import apply

        model = os.open(folder / "model", os.O_RDONLY)
        profile, _ = _KINDS[kind](Given(folder / "run", (model, model), OPTIONS))
        report = apply(profile)
        tries["read the model"] = lambda: Path(f"/proc/self/fd/{model}").read_bytes()
        tries["start a thread"] = lambda: threading.Thread(target=int).start()
        tries["import native code"] = lambda: __import__("numpy")
        tries["all layers"] = lambda: [None][not report.complete]
    told = {}
    for name, attempt in tries.items():
        try:
            attempt()
            told[name] = "done"
        except (OSError, IndexError, ImportError, RuntimeError) as error:
            told[name] = f"{type(error).__name__}: {error}"
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
