"""How OpenAI's clients are answered: the shape of errors, and the statuses they know."""

from __future__ import annotations

from typing import Any, Final

from pai.entrypoints.http.dialects import Dialect, Told, below

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_TEXT: Final = {"type": "string"}


def _shape(told: Told) -> dict[str, Any]:
    kind = _TYPES.get(told.status, "api_error" if told.status >= 500 else "invalid_request_error")
    error = told.error
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": told.param,
            "code": error.code,
            "hint": error.hint,
        }
    }


DIALECT: Final = Dialect(
    "OpenAI", below("/v1"), _shape,
    {
        "type": "object", "required": ["error"],
        "properties": {
            "error": {
                "type": "object", "required": ["message", "type", "param", "code", "hint"],
                "properties": {
                    "message": _TEXT, "type": _TEXT, "param": {"anyOf": [_TEXT, {"type": "null"}]}, "code": _TEXT, "hint": _TEXT,
                },
            }
        },
    },
    statuses={415: 400},
)  # fmt: skip
