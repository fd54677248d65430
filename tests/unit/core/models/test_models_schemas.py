"""Schemas that can hold no answer are refused, and answers that were not held are told apart from those that were."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pai.core.models.schemas import checked_schema, held
from pai.core.models.tools import checked_calls, checked_tools
from pai.core.ports.engine import ChatDelta, ChatRequest, Tool, ToolCall
from pai.foundation.errors import Invalid

A = {"$defs": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {}, {"type": "object"}, {**A, "$ref": "#/$defs/a"}, {"properties": {"next": {"$ref": "#"}}},
        {"properties": {"$ref": {"type": "string"}}}, {"const": {"$ref": "anything"}}, {"$defs": {"b/c~d": True}, "$ref": "#/$defs/b~1c~0d"},
        {"$defs": {"tree": {"anyOf": [{"type": "null"}, {"properties": {"left": {"$ref": "#/$defs/tree"}}}]}}, "$ref": "#/$defs/tree"},
    ],
)  # fmt: skip
def test_schemas_that_can_hold_an_answer(schema: dict[str, Any]) -> None:
    checked_schema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"}, {"$ref": "#/$defs/none"}, {"$ref": "http://localhost/a.json"}, {"$ref": "file:///etc/passwd"}, {"$ref": "#name"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "items": [{"$ref": "#/$defs/a"}]}, {**A, "$ref": "#/$defs/a/type"},
    ],
)  # fmt: skip
def test_references_that_lead_nowhere(schema: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="reference") as refused:
        checked_schema(schema)
    assert refused.value.code == "bad_schema"


def test_tools_are_looked_at_as_they_are_sent() -> None:
    good = {"properties": {"a": {"$ref": "#/definitions/a"}}, "definitions": {"a": {"type": "string"}}}
    checked_tools(ChatRequest(tools=(Tool("one", parameters=good), Tool("two", parameters=good))))
    with pytest.raises(Invalid, match="reference"):
        checked_tools(ChatRequest(tools=(Tool("one", parameters={"properties": {"a": {"$ref": "#/$defs/a"}}}),)))
    checked_tools(ChatRequest(tools=(Tool("one", parameters={"definitions": 5}),)))


@pytest.mark.parametrize("count", ["minItems", "maxItems", "minProperties", "maxProperties"])
def test_counts_that_would_take_all_memory(count: str) -> None:
    checked_schema({"items": {count: 20_000}})
    with pytest.raises(Invalid, match=count):
        checked_schema({"items": {count: 10**9}})


@pytest.mark.parametrize(
    "arguments", ["[" * 65 + "]" * 65, "[" * 100_000 + "]" * 100_000, "[" * 10, "", json.dumps(["x"] * 30_000)]
)
def test_arguments_of_earlier_calls_that_nobody_can_walk(arguments: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_calls([ToolCall("call_1", "one", arguments)])
    assert refused.value.code == "bad_tool"
    checked_calls([ToolCall("call_1", "one", '{"a": [1]}'), ToolCall("call_2", "two", "{}")])


async def pieces(*texts: str, finish: str = "stop", stop: str = "") -> AsyncIterator[ChatDelta]:
    for text in texts:
        yield ChatDelta(text)
    yield ChatDelta("", finish, stop=stop)


async def test_json_is_let_through_as_it_comes() -> None:
    assert "".join([one.text async for one in held(pieces(" ", '{"a', '":1}'))]) == ' {"a":1}'
    assert "".join([one.text async for one in held(pieces('{"a', finish="length"))]) == '{"a'
    assert "".join([one.text async for one in held(pieces('{"a', stop='"'))]) == '{"a'


@pytest.mark.parametrize(("texts", "passed"), [(("", " Sorry, I", " cannot"), 1), (('{"a"', ":1"), 2)])
async def test_what_is_no_json_is_an_error(texts: tuple[str, ...], passed: int) -> None:
    found = []
    with pytest.raises(Invalid, match="follow"):
        async for one in held(pieces(*texts)):
            found.append(one)  # noqa: PERF401
    assert len(found) == passed
