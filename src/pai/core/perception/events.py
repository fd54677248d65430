"""Events of the perception room. None says what was seen or heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRead(Event):
    """The text of a picture or a scan is read for a client; written before the model sees it."""

    name: ClassVar[str] = "perception:picture:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundHeard(Event):
    """A recording is written down for a client; written before the model hears it."""

    name: ClassVar[str] = "perception:sound:transcribe"
    translated: bool
