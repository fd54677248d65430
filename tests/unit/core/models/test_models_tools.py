"""Tool calls and thoughts, from engines that say what the test lets them say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from pai.core.models.generation import answered
from pai.core.models.reasoning import apart
from pai.core.models.tools import Beginning, beginning, calls_of, calls_schema, checked_tools
from pai.core.ports.engine import ChatDelta, ChatMessage, ChatRequest, Engine, Tool, Usage
from pai.foundation.errors import Invalid

WEATHER = Tool("weather", "of a city", {"properties": {"city": {"type": "string"}}, "required": ["city"]})
CLOCK = Tool("clock")
ASKED = ChatRequest((ChatMessage("user", "hello"),), tools=(WEATHER, CLOCK))
CALL = '{"name": "weather", "arguments": {"city": "Oslo"}}'


@dataclass
class Saying:
    """Says one text freely, another one under a schema, in pieces of three characters."""

    free: str
    bound: str = "[" + CALL + "]"
    asked: list[ChatRequest] = field(default_factory=list)
    closed: int = 0
    finish: str = "stop"

    async def chat(self, request: ChatRequest) -> AsyncIterator[ChatDelta]:
        self.asked.append(request)
        text = self.free if request.json_schema is None else self.bound
        try:
            for at in range(0, len(text), 3):
                yield ChatDelta(text[at : at + 3])
            yield ChatDelta("", self.finish, Usage(5, len(text)))
        finally:
            self.closed += 1


async def said(engine: Saying, request: ChatRequest = ASKED) -> list[ChatDelta]:
    return [delta async for delta in answered(cast("Engine", engine), request)]


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("", Beginning.OPEN),
        ("Hello", Beginning.TEXT),
        ("```", Beginning.OPEN),
        ("```json\n{", Beginning.OPEN),
        ("```python", Beginning.TEXT),
        ('{"name": "wea', Beginning.OPEN),
        ('{"name": "weather", "arg', Beginning.CALL),
        ('{"name": "weatherman"', Beginning.TEXT),
        ('<tool_call>\n{"name": "clock"', Beginning.CALL),
        ('[{ "name" : "clock"', Beginning.CALL),
        ('{"city": "Oslo"}', Beginning.TEXT),
    ],
)
def test_how_a_call_is_recognised(text: str, tells: Beginning) -> None:
    assert beginning(text, ASKED.tools) is tells


@pytest.mark.parametrize("free", [CALL, f"<tool_call>\n{CALL}\n</tool_call>", f"```json\n[{CALL}]\n```"])
async def test_a_model_that_begins_a_call_is_held_to_its_schema(free: str) -> None:
    engine = Saying(free)
    told = await said(engine)
    assert [delta.text for delta in told] == [""]
    assert told[0].finish_reason == "tool_calls"
    assert [(call.name, json.loads(call.arguments)) for call in told[0].tool_calls] == [("weather", {"city": "Oslo"})]
    assert engine.asked[0].json_schema is None
    assert engine.asked[1].json_schema == calls_schema(ASKED)
    assert engine.closed == 2


@pytest.mark.parametrize("free", ["It rains in Oslo.", '{"name": "Ada", "age": 3}', "", "``"])
async def test_what_is_no_call_comes_through_whole(free: str) -> None:
    engine = Saying(free)
    told = await said(engine)
    assert "".join(delta.text for delta in told) == free
    assert told[-1].finish_reason == "stop"
    assert len(engine.asked) == 1


async def test_a_call_that_must_be_made_is_asked_for_at_once() -> None:
    engine = Saying("unused", CALL)
    chosen = ChatRequest(ASKED.messages, tools=ASKED.tools, must_call=True, tool="weather")
    told = await said(engine, chosen)
    assert len(engine.asked) == 1
    schema = cast("dict[str, Any]", engine.asked[0].json_schema)
    assert schema["properties"]["name"] == {"const": "weather"}
    assert told[0].tool_calls[0].name == "weather"


async def test_a_call_that_is_cut_off_is_told_as_text() -> None:
    engine = Saying("", '[{"name": "weather", "argu', finish="length")
    told = await said(engine, ChatRequest(ASKED.messages, tools=ASKED.tools, must_call=True))
    assert told[-1].finish_reason == "length"
    assert told[-1].tool_calls == ()
    assert told[-1].text.startswith('[{"name"')


def test_schemas_of_calls() -> None:
    assert calls_schema(ASKED)["maxItems"] == 8
    one = ChatRequest(ASKED.messages, tools=ASKED.tools, parallel_tool_calls=False)
    assert len(calls_schema(one)["anyOf"]) == 2
    assert calls_of("[1, {}]", ASKED.tools) == ()
    assert calls_of("nonsense", ASKED.tools) == ()


def test_what_an_engine_made_up_is_no_call() -> None:
    def named(text: str) -> list[str]:
        return [call.name for call in calls_of(text, ASKED.tools)]

    assert named(f'[{CALL}, {{"name": "unknown", "arguments": {{}}}}]') == ["weather"]
    assert named('{"name": "clock", "arguments": null}') == ["clock"]
    assert (
        named('[{"name": "clock", "arguments": "{}"}, {"name": ["clock"]}, {"name": "clock", "arguments": [1]}]') == []
    )


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest(tools=(CLOCK, CLOCK)),
        ChatRequest(tools=(Tool("no spaces"),)),
        ChatRequest(tools=(CLOCK,), tool="other"),
        ChatRequest(must_call=True),
        ChatRequest(tools=tuple(Tool(f"t{n}") for n in range(129))),
    ],
)
def test_tools_that_cannot_be_offered(request_: ChatRequest) -> None:
    with pytest.raises(Invalid):
        checked_tools(request_)


async def pieces(*texts: str) -> AsyncIterator[ChatDelta]:
    for text in texts:
        yield ChatDelta(text)
    yield ChatDelta("", "stop")


@pytest.mark.parametrize(
    ("texts", "thought", "answer"),
    [
        (("<think>Let me see.</think>\n\nFour.",), "Let me see.", "Four."),
        (("<th", "ink>Let", " me</", "thi", "nk>Four", "."), "Let me", "Four."),
        (("Four <think>no</think>",), "", "Four <think>no</think>"),
        (("<think>never closed",), "never closed", ""),
        (("<", "b>bold</b>"), "", "<b>bold</b>"),
        (("\n <think>a < b</think>yes",), "a < b", "yes"),
    ],
)
async def test_thoughts_are_told_apart(texts: tuple[str, ...], thought: str, answer: str) -> None:
    told = [delta async for delta in apart(pieces(*texts))]
    assert "".join(delta.reasoning for delta in told) == thought
    assert "".join(delta.text for delta in told) == answer
    assert told[-1].finish_reason == "stop"
