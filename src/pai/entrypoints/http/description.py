"""The OpenAPI description of the application: what FastAPI tells of itself, put right where PAI answers otherwise."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from pai.core.policy.values import SCOPES, Permission
from pai.entrypoints.http.authentication import COOKIE
from pai.entrypoints.http.routing import MARK

ERROR = {
    "type": "object",
    "description": "Below /v1 it also carries type and param, as OpenAI's clients expect.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
        }
    },
}
SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "session": {
        "type": "apiKey", "in": "cookie", "name": COOKIE,
        "description": "A browser session; not below /v1. Requests that change something also send x-csrf-token.",
    },
}  # fmt: skip


class DescribedApp(FastAPI):
    """A FastAPI whose description names permissions, credentials and the errors that PAI really answers with."""

    def openapi(self) -> dict[str, Any]:
        """Return the description. It is made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            for path, methods in described["paths"].items():
                for operation in methods.values():
                    _put_right(path, operation)
            schemas = described["components"]["schemas"]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            schemas["Error"] = ERROR
            described["components"]["securitySchemes"] = SECURITY
        return super().openapi()


def _put_right(path: str, operation: dict[str, Any]) -> None:
    """Replace FastAPI's 422 by our errors, and the permission's tag by fields of its own."""
    marks = [tag.removeprefix(MARK) for tag in operation.pop("tags", ()) if tag.startswith(MARK)]
    responses = operation["responses"]
    responses.pop("422", None)
    if not marks:
        return
    scope = SCOPES[Permission(marks[0])]
    operation["x-permission"] = marks[0]
    operation["x-scope"] = scope.value if scope is not None else None
    operation["security"] = [{"key": []}] if path.startswith("/v1/") else [{"key": []}, {"session": []}]
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses["default"] = {"description": "Refused or failed; see docs/reference/errors.md", "content": content}
