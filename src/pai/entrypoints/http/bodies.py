"""What the bodies of other vendors' requests have in common. Fields that are not known are refused, in parts of a body left aside."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pai.core.models.schemas import unwalkable

Number = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Limit = Annotated[int, Field(ge=1, le=1_000_000)]
Stops = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...], Field(max_length=16, fail_fast=True)
]
MOST_IMAGE_BYTES: Final = 20 << 20
MOST_PARTS: Final = 2000


def bounded(given: Any) -> Any:
    """Return a value that a client formed as it liked. Raises ValueError for one that is too deep or too large to be walked."""
    why = unwalkable(given)
    if why:
        raise ValueError(f"it {why}")
    return given


Free = Annotated[dict[str, Any], BeforeValidator(bounded)]
"""An object whose fields are the client's own: a JSON schema, the arguments of a call."""
Pairs = Annotated[dict[str, str], BeforeValidator(bounded)]


class Body(BaseModel):
    """A body whose fields are all known. An explicit null is as good as nothing."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        return {k: v for k, v in given.items() if v is not None} if isinstance(given, dict) else given


class Open(Body):
    """A part of a body that may hold more than is read, as newer clients send it."""

    model_config = ConfigDict(extra="ignore")


class ObjectSchema(Open):
    """The JSON schema of a tool's arguments, as far as it is looked at here."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(pattern="^object$")] = "object"
    properties: dict[str, dict[str, Any] | bool] = {}
    required: Annotated[list[str], Field(fail_fast=True)] = []

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, given: Any) -> Any:
        return bounded(given)


def picture(data: str) -> bytes:
    """Return a picture that came as base64, encoded as it was. Raises ValueError when it is not base64 or too large."""
    if len(data) > MOST_IMAGE_BYTES * 4 // 3:
        raise ValueError("an image has at most 20 MB")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("an image is base64; addresses and files are never fetched") from None
