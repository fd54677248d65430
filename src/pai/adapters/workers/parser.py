"""One document, one process: the parser worker reads a descriptor, answers once and ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import msgspec

from pai.adapters.workers.messages import receive, send
from pai.foundation.errors import PaiError


def serve_parser(channel: socket.socket, parse: Callable[[int, str, dict[str, int]], object]) -> None:
    """Wait for one document (two descriptors: the document, and an empty file for the result), parse it, tell the outcome."""
    request, fds = receive(channel)
    if request is None:
        return
    try:
        data = msgspec.json.encode(parse(fds[0], request["name"], request["limits"]))
    except PaiError as error:
        kind = type(error).__name__
        send(channel, {"error": {"kind": kind, "code": error.code, "message": error.message, "hint": error.hint}})
        return
    except MemoryError:
        send(
            channel,
            {
                "error": {
                    "kind": "TooLarge",
                    "code": "too_large",
                    "message": "the document needs too much memory",
                    "hint": "",
                }
            },
        )
        return
    written = 0
    while written < len(data):
        written += os.write(fds[1], data[written:])
    send(channel, {"ok": True})
