"""One model, one process: the model-check worker reads headers behind descriptors, answers once and ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from pai.adapters.workers.single_shot import serve_once

Validate = Callable[[str, Mapping[str, int]], object]
_OUT_OF_MEMORY: Final = {
    "class": "Invalid", "code": "bad_model_file", "message": "the header needs more memory than any model's does",
    "hint": "get the file again from its source",
}  # fmt: skip
_FAILED: Final = {
    "class": "Invalid", "code": "bad_model_file", "message": "the header cannot be read",
    "hint": "get the file again from its source",
}  # fmt: skip


def serve_model_check(channel: socket.socket, validate: Validate) -> None:
    """Wait for one model, answer ``{"header": ...}`` or ``{"error": {class, code, message, hint}}``.

    The request is ``{format, names}`` with one descriptor per name.
    """

    def answer(request: Mapping[str, Any], fds: Sequence[int]) -> Mapping[str, object]:
        names = msgspec.convert(request["names"], list[str])
        return {"header": validate(str(request["format"]), dict(zip(names, fds, strict=True)))}

    serve_once(channel, answer, failed=_FAILED, out_of_memory=_OUT_OF_MEMORY)
