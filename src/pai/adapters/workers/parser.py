"""One document, one process: the parser worker reads a descriptor, answers once and ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pai.adapters.workers.single_shot import serve_once
from pai.core.knowledge.values import ParsedDocument

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

    The request is ``{name, limits}`` with the document's descriptor.
    """

    def answer(request: Mapping[str, Any], fds: Sequence[int]) -> Mapping[str, object]:
        limits = msgspec.convert(request["limits"], dict[str, int])
        return {"document": parse(fds[0], str(request["name"]), limits)}

    serve_once(channel, answer, failed=_FAILED, out_of_memory=_OUT_OF_MEMORY)
