"""Dialects: how the programs of each vendor are answered. Composition passes in those that are spoken; PAI's own is the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from pai.foundation.errors import PaiError

OpenApiSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A refusal to put into words: the error, the status it goes out with, the field it is about (None for none), the request's id."""

    error: PaiError
    status: int
    param: str | None
    request_id: str

    @property
    def sentence(self) -> str:
        """The message with its hint, for shapes that hold one text."""
        return f"{self.error.message} ({self.error.hint})" if self.error.hint else self.error.message


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to speak. ``speaks`` tells from path and headers whether a request is in it; ``shape`` puts an error into its words.

    ``statuses`` are HTTP statuses that its clients know by another number. ``id_header`` carries the request's id on every answer.
    ``key_header`` names where its clients put their key, besides Authorization, which is understood everywhere.
    """

    name: str
    speaks: Callable[[str, Headers], bool]
    shape: Callable[[Told], dict[str, Any]]
    schema: OpenApiSchema
    statuses: Mapping[int, int] = field(default_factory=dict)
    id_header: str = "x-request-id"
    key_header: str = ""

    def status(self, error: PaiError) -> int:
        """Return the HTTP status of an error."""
        return self.statuses.get(error.status, error.status)


def below(*roots: str) -> Callable[[str, Headers], bool]:
    """Return what tells whether a path is one of these or lies below one."""

    def speaks(path: str, _headers: Headers) -> bool:
        return any(path == root or path.startswith(root + "/") for root in roots)

    return speaks


def _own_shape(told: Told) -> dict[str, Any]:
    return {"error": {"code": told.error.code, "message": told.error.message, "hint": told.error.hint}}


OWN: Final = Dialect(
    "", lambda _path, _headers: True, _own_shape,
    {
        "type": "object", "required": ["error"],
        "properties": {
            "error": {
                "type": "object", "required": ["code", "message", "hint"],
                "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
            }
        },
    },
)  # fmt: skip
"""PAI's own API and pages."""


def spoken(dialects: Sequence[Dialect], path: str, headers: Headers) -> Dialect:
    """Return the first dialect that a request is in."""
    return next((dialect for dialect in dialects if dialect.speaks(path, headers)), OWN)


def note(scope: Scope, dialect: Dialect, request_id: str) -> None:
    """Write down for all that comes later how a request is to be answered. Decided once, before anything else is looked at."""
    scope["state"] = {**scope.get("state", {}), "dialect": dialect, "request_id": request_id}


def dialect_of(request: Request) -> Dialect:
    """Return the dialect that a request is in."""
    found: Dialect = request.state.dialect
    return found


def error_body(request: Request, error: PaiError, param: str | None = None) -> dict[str, Any]:
    """Return an error in the shape of the dialect that was spoken."""
    dialect = dialect_of(request)
    return dialect.shape(Told(error, dialect.status(error), param, request.state.request_id))
