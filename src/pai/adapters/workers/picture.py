"""One picture, one process: the picture worker decodes what is behind a descriptor, answers once and ends."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pai.adapters.workers.single_shot import serve_once

_OUT_OF_MEMORY: Final = {
    "class": "TooLarge", "code": "picture_too_large", "message": "the picture needs too much memory", "hint": "make it smaller",
}  # fmt: skip
_FAILED: Final = {
    "class": "Invalid", "code": "bad_picture", "message": "the picture cannot be decoded", "hint": "save it anew, as PNG or JPEG",
}  # fmt: skip


def serve_picture(channel: socket.socket, clean: Callable[[int], bytes]) -> None:
    """Wait for one picture, answer ``{"picture": PNG in base64}`` or ``{"error": {class, code, message, hint}}``."""

    def answer(_request: Mapping[str, Any], fds: Sequence[int]) -> Mapping[str, object]:
        return {"picture": base64.b64encode(clean(fds[0])).decode()}

    serve_once(channel, answer, failed=_FAILED, out_of_memory=_OUT_OF_MEMORY)
