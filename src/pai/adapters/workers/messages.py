"""Messages between gateway, supervisor and workers: JSON datagrams with file descriptors beside them."""

from __future__ import annotations

import socket
from typing import Any

import msgspec

MAX_MESSAGE = 256 * 1024
MAX_FDS = 8


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets that keep message boundaries."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock: socket.socket, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
    """Send one message."""
    socket.send_fds(sock, [msgspec.json.encode(message)], list(fds))


def receive(sock: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return the next message and its descriptors; None when the other side has gone."""
    data, fds, _, _ = socket.recv_fds(sock, MAX_MESSAGE, MAX_FDS)
    return (msgspec.json.decode(data, type=dict[str, Any]) if data else None), fds
