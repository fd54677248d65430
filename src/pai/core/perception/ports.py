"""What the perception room needs: models that see and hear, each input in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Final, Protocol

from pai.core.audit.ports import AuditTrail
from pai.core.models.ports import ModelRepository
from pai.core.perception.values import Heard, Page, Wish
from pai.foundation.refs import ModelRef

OCR: Final = "default-ocr"
"""The model that reads the text of pictures."""
TRANSCRIPTION: Final = "default-transcription"
"""The model that writes down what is said."""


class PerceptionUnit(Protocol):
    """A unit of work for perception."""

    @property
    def models(self) -> ModelRepository: ...
    @property
    def audit(self) -> AuditTrail: ...


class Input(Protocol):
    """An input that was taken in whole, for one use: nobody can change it any more, and no disk has seen it."""

    def close(self) -> None:
        """Let go of it, unless it was used, which does that too."""
        ...


class Senses(Protocol):
    """Models of one kind each, verified before each use. Inputs are decoded where the model runs, behind walls."""

    async def model(self, name: str, task: str) -> ModelRef:
        """Return the model for a task (``ocr``, ``transcription``) that a name or alias stands for. Raises NotFound (``model_not_found``)
        with how to add one, Unsupported (``missing_capability``, ``extra_missing``).
        """
        ...

    async def take(self, data: Iterable[bytes]) -> Input:
        """Take an input in before it is known what is wanted of it. Waits while as many as may be are held. Raises TooLarge, Invalid
        (``empty``)."""
        ...

    def read(self, name: str, data: Iterable[bytes], *, only: Sequence[int] = ()) -> AsyncGenerator[Page, None]:
        """Yield the pages of a picture or a PDF (all, or the numbers in ``only``) as they are read.

        Raises Invalid (``bad_picture``, ``encrypted``, ``truncated``, ``timed_out``), TooLarge (``picture_too_large``, ``too_many_pages``),
        NotFound, Corrupt (a model's file is not the signed one) or Unavailable.
        """
        ...

    def hear(self, name: str, data: Iterable[bytes] | Input, wish: Wish) -> AsyncGenerator[Heard, None]:
        """Yield what is said in a recording, part after part, each beginning where the one before was done.

        Raises Invalid (``bad_sound``, ``no_sound``, ``timed_out``), TooLarge (``sound_too_long``), Unsupported (``unsupported_sound``,
        ``missing_capability`` for a language or a translation that the model does not do), NotFound, Corrupt or Unavailable.
        """
        ...
