"""One document, one process: the parser worker reads a descriptor, answers once and ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Final

import msgspec

from pai.adapters.workers.messages import decode_mapping, receive_frame, send_frame
from pai.core.knowledge.values import ParsedDocument
from pai.foundation.errors import PaiError

Parse = Callable[[int, str, dict[str, int]], ParsedDocument]
_OUT_OF_MEMORY: Final = {
    "class": "TooLarge", "code": "too_large", "message": "the document needs too much memory", "hint": "split the file",
}  # fmt: skip
_FAILED: Final = {
    "class": "Invalid", "code": "parser_failed", "message": "the file cannot be read",
    "hint": "open it in the program that made it and save it anew",
}  # fmt: skip


def serve_parser(channel: socket.socket, parse: Parse) -> None:
    """Wait for one document, parse it, answer ``{"document": ...}`` or ``{"error": {class, code, message, hint}}``.

    The request is ``{name, limits}`` with the document's descriptor. When nobody asks, it simply ends.
    """
    frame = receive_frame(channel)
    if frame is None:
        return
    body, fds = frame
    request = decode_mapping(body)
    limits = msgspec.convert(request["limits"], dict[str, int])
    try:
        answer: dict[str, object] = {"document": parse(fds[0], str(request["name"]), limits)}
    except PaiError as error:
        told = {"class": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}
        answer = {"error": told}
    except MemoryError:
        answer = {"error": _OUT_OF_MEMORY}
    except Exception:  # noqa: BLE001  # boundary of the process: its text may hold content, so it stays here
        answer = {"error": _FAILED}
    try:
        send_frame(channel, answer)
    except MemoryError:
        send_frame(channel, {"error": _OUT_OF_MEMORY})
    for fd in fds:
        os.close(fd)
