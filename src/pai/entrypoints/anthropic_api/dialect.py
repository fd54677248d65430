"""How Anthropic's clients are known and answered: their paths, their version header, the shape of errors, the statuses they know."""

from __future__ import annotations

from typing import Any, Final

from starlette.datastructures import Headers

from pai.entrypoints.http.dialects import Dialect, Told, below

VERSION: Final = "anthropic-version"
_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_TEXT: Final = {"type": "string"}
_messages = below("/v1/messages")
_models = below("/v1/models")


def speaks(path: str, headers: Headers) -> bool:
    """Tell whether a request is Anthropic's. OpenAI's clients ask for models at the same paths, without the version header."""
    return _messages(path, headers) or (VERSION in headers and _models(path, headers))


def shape(told: Told) -> dict[str, Any]:
    """Return an error. The code and the hint are where newer clients of Anthropic look for details."""
    kind = _TYPES.get(told.status, "api_error" if told.status >= 500 else "invalid_request_error")
    details = {"error_code": told.error.code, "hint": told.error.hint}
    return {
        "type": "error",
        "error": {"type": kind, "message": told.sentence, "details": details},
        "request_id": told.request_id,
    }


DIALECT: Final = Dialect(
    "Anthropic", speaks, shape,
    {
        "type": "object", "required": ["type", "error", "request_id"],
        "properties": {
            "type": {"const": "error"},
            "request_id": _TEXT,
            "error": {
                "type": "object", "required": ["type", "message", "details"],
                "properties": {
                    "type": _TEXT, "message": _TEXT,
                    "details": {"type": "object", "properties": {"error_code": _TEXT, "hint": _TEXT}},
                },
            },
        },
    },
    statuses={415: 400, 503: 529}, id_header="request-id", key_header="x-api-key",
)  # fmt: skip
