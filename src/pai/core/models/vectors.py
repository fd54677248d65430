"""Vectors as they were asked for: shorter, or of whole texts only."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final

from pai.core.ports.engine import Embeddings, Engine
from pai.foundation.errors import Invalid

_MARKS: Final = 2
"""Tokens that a model puts around a text, which take their place in its context."""


async def refuse_long(engine: Engine, texts: Sequence[str | Sequence[int]]) -> None:
    """Raise Invalid (code ``context_length_exceeded``) for a text that the engine would have to cut."""
    room = engine.capabilities.context_length - _MARKS
    for text in texts:
        if isinstance(text, str) and text.isascii() and len(text) <= room:
            continue  # a token stands for one character of such a text at least: the worker need not be asked
        tokens = await engine.count_tokens(text) if isinstance(text, str) else len(text)
        if tokens > room:
            raise Invalid(
                f"a text has {tokens} tokens, and the model reads {room} at most",
                code="context_length_exceeded",
                hint="send shorter texts, or allow that they are cut",
            )


def shortened(found: Embeddings, dimensions: int | None) -> Embeddings:
    """Return the vectors with their first numbers only, of unit length again. Raises Invalid (code ``bad_dimensions``) for more than
    there are."""
    if dimensions is None:
        return found
    if dimensions > found.dimensions:
        raise Invalid(
            f"this model's vectors have {found.dimensions} dimensions",
            code="bad_dimensions",
            hint="ask for no more than that",
        )
    return Embeddings(tuple(_cut(vector, dimensions) for vector in found.vectors), found.prompt_tokens, dimensions)


def _cut(vector: bytes, dimensions: int) -> bytes:
    kept = struct.unpack(f"<{dimensions}f", vector[: 4 * dimensions])
    length = math.sqrt(sum(value * value for value in kept)) or 1.0
    return struct.pack(f"<{dimensions}f", *(value / length for value in kept))
