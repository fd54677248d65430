"""Answers that are held to a JSON schema: which schemas can hold one, and whether an answer was held."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Final

from pai.core.ports.engine import ChatDelta
from pai.foundation.errors import Invalid

DEEPEST: Final = 64
MOST_VALUES: Final = 20_000
MOST_ITEMS: Final = 20_000
"""Items and properties that a schema may count to: no context holds more, and an engine that is told to may take all memory for them."""
_COUNTS: Final = ("minItems", "maxItems", "minProperties", "maxProperties")
_BEGINS: Final = frozenset('{["-0123456789tfn')
"""How a JSON value can begin (RFC 8259, section 3)."""


def unwalkable(given: Any) -> str:
    """Return why a value is too deep or too large to be walked, empty when it is not: by us, by a chat template or by an engine, each of
    which recurses in its own way and may end of it."""
    left, level = MOST_VALUES, [given]
    for _ in range(DEEPEST):
        inner = [one for one in level if isinstance(one, dict | list)]
        left -= sum(len(one) for one in inner)
        if left < 0:
            return f"holds more than {MOST_VALUES} values"
        level = [value for one in inner for value in (one.values() if isinstance(one, dict) else one)]
        if not level:
            return ""
    return f"is nested more than {DEEPEST} levels deep"


def checked_schema(schema: Mapping[str, Any], part: Any = None) -> None:
    """Raise Invalid (code ``bad_schema``) for a schema with references that lead nowhere, elsewhere or round and round: an engine that
    cannot follow a schema may answer without it."""
    found = schema if part is None else part
    if isinstance(found, list):
        for one in found:
            checked_schema(schema, one)
    elif isinstance(found, Mapping):
        for count in _COUNTS:
            number = found.get(count)
            if isinstance(number, int | float) and number > MOST_ITEMS:
                raise unfollowed(f"{count} is more than {MOST_ITEMS}")
        if isinstance(found.get("$ref"), str):
            _led(schema, found["$ref"])
        for key, one in found.items():
            if key not in ("const", "enum", "default", "examples") and isinstance(one, list | Mapping):
                checked_schema(schema, one)


def _led(schema: Mapping[str, Any], reference: str) -> None:
    seen: set[str] = set()
    while True:
        target: Any = schema
        if reference in seen or not (reference == "#" or reference.startswith("#/")):
            raise unfollowed(f"the reference {reference[:60]!r} leads elsewhere or in a circle")
        seen.add(reference)
        for step in reference.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping | bool):
            raise unfollowed(f"the reference {reference[:60]!r} leads nowhere")
        following = target.get("$ref") if isinstance(target, Mapping) else None
        if not isinstance(following, str):
            return
        reference = following


async def held(deltas: AsyncIterator[ChatDelta]) -> AsyncGenerator[ChatDelta, None]:
    """Yield an answer as long as it is JSON. Raises Invalid (code ``bad_schema``) where the engine did not follow the schema: told before
    the first piece if it shows then, as it nearly always does."""
    text = ""
    async for delta in deltas:
        text += delta.text
        begun = text.lstrip()
        if begun and begun[0] not in _BEGINS:
            raise unfollowed("the engine cannot follow it")
        if delta.finish_reason == "stop" and begun and not (delta.stop or _json(text)):
            raise unfollowed("the engine did not follow it")
        yield delta


def _json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def unfollowed(why: str) -> Invalid:
    """Return the error for a schema that cannot hold an answer."""
    hint = "send a simpler schema; references are local ones, to $defs"
    return Invalid(f"the JSON schema cannot be followed: {why}", code="bad_schema", hint=hint)
