"""Listening sockets, bound before the process that serves on them gives up the right to bind."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

from pai.foundation.errors import Conflict, Unavailable

BACKLOG = 512
_AGAIN = 0.05


def bind_tcp(host: str, port: int, *, patience: float = 0.0) -> socket.socket:
    """Return a listening TCP socket. Raises Conflict when the port is taken, Unavailable when it cannot be bound.

    A taken port is tried again for ``patience`` seconds: a server that was killed just now holds it until the kernel is done with it.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return _bind_tcp(host, port)
        except Conflict:
            if time.monotonic() >= end:
                raise
            time.sleep(_AGAIN)


def _bind_tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"port {port} on {host} is already in use",
                code="port_in_use",
                hint="stop the other program or choose another port with --port or PAI_PORT",
            ) from error
        raise Unavailable(
            f"cannot listen on {host}:{port}: {error.strerror}",
            code="cannot_listen",
            hint="ports below 1024 need privileges; the default is 8443",
        ) from error
    return listener


def bind_unix(path: Path) -> socket.socket:
    """Return a listening Unix socket with mode 0600, replacing a stale one. The caller holds the home's lock."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"cannot create {path}: {error.strerror or error}",
            code="cannot_listen",
            hint="the path of PAI_HOME may be too long for a Unix socket (107 bytes) or the disk may be full",
        ) from error
    finally:
        os.umask(before)
    return listener
