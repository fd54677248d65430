"""The gateway's side of pictures: a fresh sandboxed process decodes each; only what it made anew goes to an engine."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import msgspec

from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.single_shot import SingleShot, raised
from pai.foundation.errors import Invalid

_SECONDS: Final = 15.0
_MOST: Final = 24 << 20
_PNG: Final = b"\x89PNG\r\n\x1a\n"


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    picture: bytes = b""
    error: dict[str, str] | None = None


class SandboxedPictures:
    """Implements ``core.models.ports.Pictures``. ``seconds`` bounds one picture; then its process is killed. ``at_once`` are decoded
    at a time."""

    def __init__(self, launcher: Launcher | None, *, seconds: float = _SECONDS, at_once: int = 2) -> None:
        self._workers = SingleShot(launcher, "picture", {}, seconds=seconds, limit=_MOST)
        self._turn = asyncio.Semaphore(at_once)

    async def clean(self, data: bytes) -> bytes:
        """Return a picture made anew. Raises Invalid, TooLarge, Unavailable."""
        fd = os.memfd_create("picture", os.MFD_CLOEXEC)
        try:
            await asyncio.to_thread(_fill, fd, data)
            async with self._turn:
                body = await self._workers.ask({}, [fd])
        except TimeoutError:
            raise Invalid("decoding the picture took too long", code="bad_picture", hint="make it smaller") from None
        finally:
            os.close(fd)
        if body is None:
            raise Invalid(
                "the decoder broke on this picture", code="bad_picture", hint="it is damaged or hostile: save it anew"
            )
        return _decoded(body)


def _fill(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _decoded(body: bytes) -> bytes:
    # The worker may have been taken over by its picture: what it says is a PNG or an error, nothing else.
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError:
        raise Invalid("the decoder gave no usable result", code="bad_picture") from None
    if answer.picture.startswith(_PNG):
        return answer.picture
    raise raised(answer.error or {}, message="the picture cannot be decoded", code="bad_picture")
