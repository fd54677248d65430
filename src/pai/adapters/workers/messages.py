"""Frames between processes of PAI: a 4-byte big-endian length, then JSON.

Descriptors ride on the length (SCM_RIGHTS, unix(7)). Never pickle: a frame can only ever become plain values.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

MAX_FRAME: Final = 1 << 20
MAX_DESCRIPTORS: Final = 16
_LENGTH: Final = struct.Struct(">I")


class FrameError(Exception):
    """The peer closed inside a frame, or sent one that is too long or no JSON."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected stream sockets, close-on-exec."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def send_frame(connection: socket.socket, value: object, fds: Sequence[int] = ()) -> None:
    """Send ``value`` as one frame with these descriptors (the sender keeps its own). Raises OSError without a peer."""
    data = msgspec.json.encode(value)
    head = _LENGTH.pack(len(data))
    if fds:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        # Four bytes always fit: the descriptors arrive with the length or not at all.
        connection.sendmsg([head], rights)
    else:
        connection.sendall(head)
    connection.sendall(data)


def receive_frame(connection: socket.socket, *, limit: int = MAX_FRAME) -> tuple[bytes, list[int]] | None:
    """Return the body of the next frame (at most ``limit`` bytes) and its descriptors, close-on-exec; None at the end.

    Raises FrameError on a broken frame, TimeoutError as the socket's timeout says.
    """
    head, fds = _receive_head(connection)
    try:
        if not head:
            return None
        head += _receive(connection, _LENGTH.size - len(head))
        (length,) = _LENGTH.unpack(head)
        if length > limit:
            raise FrameError(f"a frame of {length} bytes passes the limit of {limit}")
        return _receive(connection, length), fds
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise


def decode_mapping(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object in ``body``. Raises FrameError for anything else."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise FrameError(f"not a JSON object: {error}") from error


def _receive_head(connection: socket.socket) -> tuple[bytes, list[int]]:
    room = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
    head, ancillary, flags, _ = connection.recvmsg(_LENGTH.size, room, socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            received = array.array("i")
            received.frombytes(data[: len(data) - len(data) % received.itemsize])
            fds += received
    if flags & socket.MSG_CTRUNC:
        for fd in fds:
            os.close(fd)
        raise FrameError("more descriptors than a frame may carry")
    return head, fds


def _receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise FrameError("the peer closed inside a frame")
        data += piece
    return bytes(data)
