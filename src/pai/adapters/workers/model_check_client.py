"""The gateway's side of checking model files: a sandboxed process per model reads the header before any engine does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.messages import MAX_DESCRIPTORS
from pai.adapters.workers.single_shot import SingleShot, raised
from pai.foundation.errors import Invalid

_SECONDS: Final = 60.0
_MAX_HEADER: Final = 32 << 20


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    header: dict[str, Any] | None = None
    error: dict[str, str] | None = None


class ModelCheck:
    """Reads and validates headers of model files behind walls. Use it from one event loop."""

    def __init__(self, launcher: Launcher | None, *, seconds: float = _SECONDS) -> None:
        self._workers = SingleShot(launcher, "model-check", {}, seconds=seconds, limit=_MAX_HEADER)
        self._seconds = seconds

    def prepare(self) -> None:
        """Begin to start a process now: a check is about to be asked for."""
        self._workers.prepare()

    async def check(self, format: str, files: Mapping[str, int]) -> dict[str, Any]:  # noqa: A002  # the word of the catalogue
        """Return the header of a model as plain values (see ``adapters/models/formats/headers.py``).

        ``files``: name in the model's folder -> open descriptor, the file to read first. Raises Invalid with the codes of
        the validators, ``model_check_died`` (the process broke on this file) or ``too_many_model_files``, Unavailable when
        no process can be started.
        """
        if len(files) > MAX_DESCRIPTORS:
            raise Invalid(
                f"a model has at most {MAX_DESCRIPTORS} files", code="too_many_model_files", hint="merge its files"
            )
        try:
            body = await self._workers.ask({"format": format, "names": [*files]}, [*files.values()])
        except TimeoutError:
            raise Invalid(
                f"reading the header took longer than {self._seconds:g} s", code="bad_model_file",
                hint="get the file again from its source",
            ) from None  # fmt: skip
        if body is None:
            raise Invalid(
                "the process that reads headers broke on this file",
                code="model_check_died",
                hint="the file is damaged or hostile",
            )
        return _decode(body)

    async def close(self) -> None:
        """End the process that waits, if one does."""
        await self._workers.close()


def _decode(body: bytes) -> dict[str, Any]:
    # The worker may have been taken over by the file: what it says is data of this shape or an error, nothing else.
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError:
        raise Invalid("the reader of headers gave no usable result", code="model_check_died") from None
    if answer.header is not None:
        return answer.header
    raise raised(answer.error or {}, message="the header cannot be read", code="bad_model_file")
