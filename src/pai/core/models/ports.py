"""Where models are registered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pai.core.audit.ports import AuditTrail
from pai.core.models.values import Form, Made, Measurement, Model, Taken


class ModelRepository(Protocol):
    """The register of models (main database)."""

    def add(self, model: Model) -> None: ...
    def get(self, name_or_alias: str) -> Model | None: ...
    def list(self) -> Sequence[Model]: ...
    def set_alias(self, alias: str, name: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def measured(self, found: Measurement) -> None: ...
    def measurements(self) -> Sequence[Measurement]: ...


class Converter(Protocol):
    """Makes models into another format."""

    async def convert(self, model: Model, target: str, form: Form) -> Made:
        """Return what was made of a model, its files kept under the name ``target``. Raises Unsupported, Unavailable or Corrupt."""
        ...


class Intake(Protocol):
    """Takes the files of models that an operator brought and laid ready."""

    async def take(self, staged: str, name: str) -> Taken:
        """Check and hash what lies in the staging folder ``staged``, and keep it under ``name``, which no model has.
        Raises Invalid for files that are malformed or unsafe, Unavailable."""
        ...

    async def take_known(self, staged: str, model: Model) -> None:
        """Keep what lies in the staging folder ``staged`` if it is byte for byte what ``model`` says. Raises Corrupt otherwise, Invalid,
        Unavailable."""
        ...


class Pictures(Protocol):
    """Makes pictures of unknown origin safe to look at."""

    async def clean(self, data: bytes) -> bytes:
        """Return the picture made anew, as a PNG of bounded size without anything but its pixels. Raises Invalid (``bad_picture``),
        TooLarge (``picture_too_large``), Unavailable."""
        ...


class ModelsUnit(Protocol):
    """A unit of work for models."""

    @property
    def models(self) -> ModelRepository: ...
    @property
    def audit(self) -> AuditTrail: ...
