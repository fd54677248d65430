"""The OpenAPI description of the application: what FastAPI tells of itself, put right where PAI answers otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers

from pai.core.policy.values import SCOPES, Permission
from pai.entrypoints.http.authentication import COOKIE
from pai.entrypoints.http.dialects import OWN, Dialect, spoken
from pai.entrypoints.http.routing import MARK

SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "session": {
        "type": "apiKey", "in": "cookie", "name": COOKIE,
        "description": "A browser session; not below /v1 and /api. Requests that change something also send x-csrf-token.",
    },
}  # fmt: skip


class DescribedApp(FastAPI):
    """A FastAPI whose description names permissions, credentials and the errors that PAI really answers with."""

    dialects: Sequence[Dialect] = ()

    def openapi(self) -> dict[str, Any]:
        """Return the description. It is made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            for path, methods in described["paths"].items():
                for operation in methods.values():
                    _put_right(spoken(self.dialects, path, Headers()), operation)
            schemas = described["components"]["schemas"]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas |= {_error_name(dialect): dialect.schema for dialect in (OWN, *self.dialects)}
            described["components"]["securitySchemes"] = SECURITY | {
                dialect.key_header: {"type": "apiKey", "in": "header", "name": dialect.key_header}
                for dialect in self.dialects
                if dialect.key_header
            }
        return super().openapi()


def _error_name(dialect: Dialect) -> str:
    return f"{dialect.name}Error"


def _put_right(dialect: Dialect, operation: dict[str, Any]) -> None:
    """Replace FastAPI's 422 by our errors, and the permission's tag by fields of its own."""
    marks = [tag.removeprefix(MARK) for tag in operation.pop("tags", ()) if tag.startswith(MARK)]
    responses = operation["responses"]
    responses.pop("422", None)
    if not marks:
        return
    scope = SCOPES[Permission(marks[0])]
    operation["x-permission"] = marks[0]
    operation["x-scope"] = scope.value if scope is not None else None
    other = "session" if dialect is OWN else dialect.key_header
    operation["security"] = [{"key": []}, {other: []}] if other else [{"key": []}]
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_error_name(dialect)}"}}}
    responses["default"] = {"description": "Refused or failed; see docs/reference/errors.md", "content": content}
