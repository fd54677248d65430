"""A few pages of one document, one process: it decodes, reads, answers once and ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pai.adapters.workers.onnx_session import session_of
from pai.adapters.workers.single_shot import serve_once
from pai.core.perception.values import Page

_OUT_OF_MEMORY: Final = {
    "class": "TooLarge", "code": "picture_too_large", "message": "the picture needs too much memory", "hint": "make it smaller",
}  # fmt: skip
_FAILED: Final = {
    "class": "Invalid", "code": "bad_picture", "message": "the file cannot be read", "hint": "save it anew, as PNG, JPEG or PDF",
}  # fmt: skip
_CHARACTERS: Final = "character"

Networks = tuple[Callable[[Any], Any], Callable[[Any], Any], Sequence[str]]
"""What detects, what recognises, and what the recogniser's classes stand for."""


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """Which pages are wanted (numbers, or the first ``most`` of all), and how many the document may have."""

    pages: list[int]
    most: int
    limit: int


def serve_ocr(channel: socket.socket, threads: int, read: Callable[[int, Asked, Networks], Sequence[Page]]) -> None:
    """Wait for one document with the two networks, answer ``{"pages": [...]}`` or ``{"error": {class, code, message, hint}}``.

    The request is ``Asked`` with three descriptors: the document, the detector, the recogniser.
    """

    def answer(request: Mapping[str, Any], fds: Sequence[int]) -> Mapping[str, object]:
        document, *networks = fds
        return {"pages": read(document, msgspec.convert(request, Asked), _networks(networks, threads))}

    serve_once(channel, answer, failed=_FAILED, out_of_memory=_OUT_OF_MEMORY)


def _networks(fds: Sequence[int], threads: int) -> Networks:
    detector, recogniser = (session_of(fd, threads) for fd in fds)
    known = recogniser.get_modelmeta().custom_metadata_map[_CHARACTERS].splitlines()
    names = [session.get_inputs()[0].name for session in (detector, recogniser)]
    return (
        lambda pixels: detector.run(None, {names[0]: pixels})[0][0, 0],
        lambda pixels: recogniser.run(None, {names[1]: pixels})[0],
        ["", *known, " "],
    )
