"""Tool calls from any model that can write JSON: the schema of a call, and how a model that begins one is recognised.

Models are told of tools by their own chat template, and mark calls in as many ways as there are makers. What a call looks like is
settled here instead: a model that must call, or that begins to, is constrained to the schema of the calls, so that a name
exists and arguments match their schema, whichever engine runs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from pai.core.models.schemas import checked_schema, unwalkable
from pai.core.ports.engine import ChatRequest, Tool, ToolCall
from pai.foundation.errors import Invalid
from pai.foundation.ids import new_id

MOST_CALLS: Final = 8
"""Calls in one answer."""
MOST_TOOLS: Final = 128
_DEFINED: Final = ("$defs", "definitions")
NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_OPENERS: Final = tuple(
    opener + bracket + '{"name":"' for opener in ("<tool_call>", "```json", "```", "") for bracket in ("", "[")
)


class Beginning(StrEnum):
    """What the first words of an answer are."""

    TEXT = "text"
    CALL = "call"
    OPEN = "open"


def checked_tools(request: ChatRequest) -> None:
    """Raise Invalid (code ``bad_tool``) for tools that cannot be offered: too many, a name twice or malformed, a chosen one not there."""
    names = [tool.name for tool in request.tools]
    if len(names) > MOST_TOOLS:
        raise Invalid(f"at most {MOST_TOOLS} tools can be offered", code="bad_tool", hint="send fewer")
    if len(set(names)) != len(names) or not all(NAME.match(name) for name in names):
        hint = "give each tool a name of its own, of 1 to 64 letters, digits, '_', '-' and '.'"
        raise Invalid("a tool's name is missing, malformed or used twice", code="bad_tool", hint=hint)
    if request.tool and request.tool not in names:
        raise Invalid("the tool that must be called is not among the tools", code="bad_tool")
    if request.must_call and not names:
        raise Invalid("a tool must be called and none was given", code="bad_tool", hint="send tools")
    if names:
        checked_schema(calls_schema(request))


def checked_calls(calls: Sequence[ToolCall]) -> None:
    """Raise Invalid (code ``bad_tool``) for earlier calls whose arguments are no JSON, or nested so deep that a chat template, which writes
    them out, might not come back."""
    for call in calls:
        try:
            why = unwalkable(json.loads(call.arguments))
        except (ValueError, RecursionError):
            why = "is not JSON, or nested too deep"
        if why:
            raise Invalid(
                f"what an earlier call gave as its arguments {why}", code="bad_tool", hint="send a JSON object"
            )


def calls_schema(request: ChatRequest) -> dict[str, Any]:
    """Return the JSON schema of the calls that the request allows: an array of them, or one."""
    chosen = [tool for tool in request.tools if request.tool in ("", tool.name)]
    definitions: dict[str, Any] = {}
    calls = [_call(tool, definitions) for tool in chosen]
    one = {"anyOf": calls} if len(calls) > 1 else calls[0]
    if request.parallel_tool_calls and not request.tool:
        one = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_CALLS}
    return {**one, "$defs": definitions} if definitions else one


def _call(tool: Tool, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a call. What its parameters define goes to ``definitions``, under names of the tool's own: references
    begin at the root, and the parameters are no root here."""
    parameters = {key: value for key, value in tool.parameters.items() if key not in _DEFINED}
    for key in _DEFINED:
        defined = tool.parameters.get(key)
        for name, value in defined.items() if isinstance(defined, Mapping) else ():
            definitions[f"{tool.name}.{name}"] = _moved(value, tool.name)
    arguments = {"type": "object", **_moved(parameters, tool.name)}
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(value: Any, tool: str) -> Any:
    """Return a schema with its references led to the definitions of this tool."""
    if isinstance(value, list):
        return [_moved(one, tool) for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _moved(inner, tool) for key, inner in value.items()}
    reference = value.get("$ref")
    if isinstance(reference, str):
        for key in _DEFINED:
            if reference.startswith(f"#/{key}/"):
                found["$ref"] = f"#/$defs/{tool}.{reference.removeprefix(f'#/{key}/')}"
    return found


def beginning(text: str, tools: tuple[Tool, ...]) -> Beginning:
    """Tell whether an answer that begins so calls one of the tools; ``OPEN`` while more has to be seen."""
    told = re.sub(r"\s+", "", text)
    for opener in _OPENERS:
        if not told.startswith(opener):
            if opener.startswith(told):
                return Beginning.OPEN
            continue
        name, closed, _ = told.removeprefix(opener).partition('"')
        if closed:
            return Beginning.CALL if any(name == tool.name for tool in tools) else Beginning.TEXT
        return Beginning.OPEN if any(tool.name.startswith(name) for tool in tools) else Beginning.TEXT
    return Beginning.TEXT


def calls_of(text: str, tools: tuple[Tool, ...]) -> tuple[ToolCall, ...]:
    """Return the calls of these tools that a constrained answer makes; empty when it was cut off before its end.

    That a name exists and arguments are an object is looked at again: an engine that cannot follow a schema may not say so.
    """
    try:
        told = json.loads(text)
    except ValueError:
        return ()
    names = [tool.name for tool in tools]
    rows = [row for row in (told if isinstance(told, list) else [told]) if isinstance(row, Mapping)]
    calls = [(row.get("name"), row.get("arguments") or {}) for row in rows]
    return tuple(
        ToolCall(new_id("call"), name, json.dumps(arguments, ensure_ascii=False))
        for name, arguments in calls
        if isinstance(name, str) and name in names and isinstance(arguments, Mapping)
    )
