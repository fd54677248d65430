"""How Ollama's clients are answered: an error is one text."""

from __future__ import annotations

from typing import Any, Final

from pai.entrypoints.http.dialects import Dialect, Told, below


def shape(told: Told) -> dict[str, Any]:
    """Return an error."""
    return {"error": told.sentence}


DIALECT: Final = Dialect(
    "Ollama",
    below("/api"),
    shape,
    {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    statuses={415: 400},
)
