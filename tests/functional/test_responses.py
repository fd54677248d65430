"""Responses as OpenAI's own SDK meets them."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from installation import Installation

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WEATHER: Any = {
    "type": "function", "name": "get_weather", "description": "The weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, "strict": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference")


@pytest.fixture(scope="module")
def web(served: Installation, key: str) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted)) as client:
        yield client


def events(web: httpx.Client, **body: Any) -> list[Any]:
    """Every event, named as it says, numbered without a gap, and in the SDK's own shape."""
    told = []
    with web.stream("POST", "/v1/responses", json={"model": "default", "stream": True, **body}) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        for block in "".join(answer.iter_text()).strip().split("\n\n"):
            name, data = block.split("\n")
            value = json.loads(data.removeprefix("data: "))
            assert name == f"event: {value['type']}"
            told.append(EVENT.validate_python(value))
    assert [event.sequence_number for event in told] == list(range(len(told)))
    return told


def test_a_text_in_a_text_out(sdk: openai.OpenAI) -> None:
    told = sdk.responses.create(model="default", input="one two three", metadata={"a": "b"}, temperature=0.3)
    Response.model_validate(told.model_dump())
    assert told.output_text == "Echo: one two three"
    assert told.model == "echo"
    assert told.status == "completed"
    assert told.metadata == {"a": "b"}
    assert told.temperature == 0.3
    assert told.store is False  # type: ignore[attr-defined]  # not of the SDK's type, but of OpenAI's answers
    assert told.usage is not None
    assert (told.usage.input_tokens, told.usage.output_tokens, told.usage.total_tokens) == (3, 4, 7)
    assert told.created_at <= time.time() + 1
    assert (told.error, told.incomplete_details, told.previous_response_id) == (None, None, None)


def test_the_whole_object_is_as_the_sdk_has_it(web: httpx.Client) -> None:
    body = {
        "model": "default", "input": "x", "tools": [WEATHER], "tool_choice": {"type": "function", "name": "get_weather"},
        "text": {"format": {"type": "text"}, "verbosity": "low"}, "reasoning": {"effort": "low"}, "truncation": "disabled",
        "include": ["reasoning.encrypted_content"], "top_p": 0.5, "max_output_tokens": 50, "parallel_tool_calls": False,
    }  # fmt: skip
    told = web.post("/v1/responses", json=body).json()
    known = Response.model_validate(told, strict=True)
    assert {
        "id",
        "object",
        "created_at",
        "output",
        "tools",
        "tool_choice",
        "usage",
        "text",
        "truncation",
    } <= told.keys()
    assert known.text is not None
    # Open Responses, which others than OpenAI speak too, has these two besides.
    assert (told["presence_penalty"], told["frequency_penalty"]) == (0.0, 0.0)
    assert told["tools"] == [WEATHER]
    assert told["tool_choice"] == {"type": "function", "name": "get_weather"}


def test_items_of_every_kind_are_read(sdk: openai.OpenAI) -> None:
    items: Any = [
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "the weather in"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Oslo"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "It rains.", "annotations": []}]},
        {"role": "user", "content": "and now"},
    ]  # fmt: skip
    told = sdk.responses.create(model="default", input=items, instructions="You are a clock.")
    assert told.output_text == "Echo: and now"
    assert told.usage is not None
    # Instructions 4, brief 2, the user's 3 and 2, the call's turn 0 (arguments are not counted by echo), rain 1, said 2.
    assert told.usage.input_tokens == 14


def test_a_function_is_called_and_its_result_read(sdk: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "use get_weather please"}]
    first = sdk.responses.create(model="default", input=asked, tools=[WEATHER])
    [call] = first.output
    assert call.type == "function_call"
    assert call.name == "get_weather"
    assert isinstance(json.loads(call.arguments)["city"], str)
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = sdk.responses.create(model="default", input=[*asked, call.to_dict(), output], tools=[WEATHER])
    assert second.output_text.startswith("Echo:")


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("none", "message"),
        ("required", "function_call"),
        ({"type": "function", "name": "get_weather"}, "function_call"),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]}, "function_call"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, "message"),
    ],
)  # fmt: skip
def test_a_choice_of_tool_binds(sdk: openai.OpenAI, choice: Any, kind: str) -> None:
    told = sdk.responses.create(model="default", input="say get_weather", tools=[WEATHER], tool_choice=choice)
    assert [item.type for item in told.output] == [kind]


def test_a_schema_binds(sdk: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    text: Any = {"format": {"type": "json_schema", "name": "number", "schema": schema, "strict": True}}
    told = sdk.responses.create(model="default", input="x", text=text)
    assert json.loads(told.output_text) == {"n": 0}
    assert told.text is not None
    assert told.text.to_dict()["format"] == {**text["format"], "description": None}
    loose: Any = {"format": {"type": "json_object"}}
    assert json.loads(sdk.responses.create(model="default", input="x", text=loose).output_text) == {}


def test_the_events_of_a_text(web: httpx.Client) -> None:
    told = events(web, input="one two", include=["message.output_text.logprobs"])
    assert [event.type for event in told] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        *["response.output_text.delta"] * 3, "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed",
    ]  # fmt: skip
    deltas = [event for event in told if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in deltas) == told[-4].text == "Echo: one two"
    assert all(event.logprobs[0].logprob == 0.0 for event in deltas)
    assert told[0].response.status == "in_progress"
    assert told[0].response.output == []
    assert told[-1].response.output == [told[-2].item]
    assert told[-1].response.id == told[0].response.id
    assert told[-1].response.usage.output_tokens == 3


def test_the_events_of_thoughts(web: httpx.Client) -> None:
    told = events(web, input="Think: twice")
    names = [event.type for event in told]
    assert names.index("response.reasoning_text.delta") < names.index("response.output_text.delta")
    assert "".join(e.delta for e in told if e.type == "response.reasoning_text.delta") == "Someone asks: Think: twice"
    last = told[-1].response
    assert [item.type for item in last.output] == ["reasoning", "message"]
    assert [item.status for item in last.output] == ["completed", "completed"]
    assert 0 < last.usage.output_tokens_details.reasoning_tokens < last.usage.output_tokens


def test_the_events_of_a_call(web: httpx.Client) -> None:
    told = events(web, input="use get_weather", tools=[WEATHER])
    assert [event.type for event in told] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert told[2].item.arguments == ""
    assert told[3].delta == told[4].arguments == told[5].item.arguments


def test_a_limit_leaves_it_incomplete(web: httpx.Client, sdk: openai.OpenAI) -> None:
    told = events(web, input="one two three four", max_output_tokens=2)
    assert told[-1].type == "response.incomplete"
    assert told[-1].response.incomplete_details.reason == "max_output_tokens"
    assert told[-1].response.output[0].status == "incomplete"
    whole = sdk.responses.create(model="default", input="one two three four", max_output_tokens=2)
    assert (whole.status, whole.output_text) == ("incomplete", "Echo: one")


def test_the_sdk_gathers_a_stream(sdk: openai.OpenAI) -> None:
    with sdk.responses.stream(model="default", input="one two") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert "".join(pieces) == "Echo: one two"
        assert stream.get_final_response().output_text == "Echo: one two"


def test_refusals_have_their_status_also_when_streamed(sdk: openai.OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as missing:
            sdk.responses.create(model="no-such-model", input="x", stream=stream)
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as long:
            sdk.responses.create(model="default", input="word " * 20_000, stream=stream)
        assert long.value.code == "context_length_exceeded"


STRANGE: list[Any] = [
    None,
    [],
    {},
    5,
    -1,
    1e308,
    10**30,
    True,
    "\ud800",
    ["\ud800"],
    [[]],
    {"a": {"b": [None]}},
    [{"type": "wizard"}],
]
FIELDS = [
    "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "max_output_tokens", "temperature", "top_p",
    "top_logprobs", "truncation", "reasoning", "metadata", "include", "stream", "stream_options", "background", "store",
    "max_tool_calls", "user", "service_tier", "model", "previous_response_id", "conversation", "prompt", "unknown",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_wrong_types_are_never_a_fault_of_ours(web: httpx.Client, field: str) -> None:
    for value in STRANGE:
        body = json.dumps({"model": "default", "input": "x", field: value}).encode()
        answer = web.post("/v1/responses", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 404), (field, value, answer.text)
        if answer.status_code == 200 and "event-stream" not in answer.headers["content-type"]:
            Response.model_validate(answer.json(), strict=True)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "wizard", "content": "x"},
        {"type": "message", "role": "user"},
        {"role": "user", "content": [{"type": "input_file", "file_id": "x"}]},
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.org/a.png"}]},
        {"role": "user", "content": [{"type": "input_image", "file_id": "x"}]},
        {"type": "function_call", "name": "x", "arguments": "{}"},
        {"type": "function_call_output", "call_id": 5, "output": "x"},
        {"type": "function_call_output", "call_id": "x", "output": {}},
        {"type": "item_reference", "id": "msg_1"},
        {"type": ["message"], "role": "user", "content": "x"},
        {"type": {}, "role": "user", "content": "x"},
        5,
        "x",
        None,
    ],
)
def test_wrong_items_are_400(web: httpx.Client, item: Any) -> None:
    answer = web.post("/v1/responses", json={"model": "default", "input": [item]})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "tool", [{"type": "web_search"}, {"type": "function"}, {"type": "function", "name": ""}, 5, {}]
)
def test_wrong_tools_are_400(web: httpx.Client, tool: Any) -> None:
    answer = web.post("/v1/responses", json={"model": "default", "input": "x", "tools": [tool]})
    assert answer.status_code == 400, answer.text


def test_a_key_that_is_revoked_ends_its_stream(served: Installation, web: httpx.Client) -> None:
    short = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "cut", "--scopes", "inference")
    body = {"model": "default", "input": "Slowly: " + "word " * 200, "stream": True}
    headers = {"authorization": f"Bearer {short['key']}"}
    with web.stream("POST", "/v1/responses", json=body, headers=headers) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: response.created"
        served.ok("key", "revoke", short["id"])
        rest = [line for line in lines if line]
    error = EVENT.validate_json(rest[-1].removeprefix("data: "))
    assert (error.type, error.code) == ("error", "session_ended")
    assert len(rest) < 300


def test_a_client_that_goes_away_stops_the_model(served: Installation, web: httpx.Client) -> None:
    body = {"model": "default", "input": "Slowly: " + "word " * 400, "stream": True}
    with web.stream("POST", "/v1/responses", json=body) as answer:
        next(answer.iter_lines())
    audit = {"authorization": f"Bearer {served.key('audit')}"}
    for _ in range(100):
        told = web.get("/pai/v1/audit/events?name=models:chat:end&limit=1", headers=audit).json()["events"]
        if told and told[0]["reason"] == "stopped by its reader":
            break
        time.sleep(0.05)
    assert told[0]["outcome"] == "failed"
    assert told[0]["completion_tokens"] < 400


def test_kept_responses_as_the_sdk_uses_them(sdk: openai.OpenAI, served: Installation) -> None:
    first = sdk.responses.create(model="default", input="a word about Berta Kiesel", store=True, metadata={"case": "7"})
    assert first.store is True  # type: ignore[attr-defined]
    again = sdk.responses.retrieve(first.id)
    assert again.to_dict() == first.to_dict()
    second = sdk.responses.create(model="default", input="and now", previous_response_id=first.id, store=True)
    assert second.previous_response_id == first.id
    assert second.usage is not None
    assert second.usage.input_tokens == 5 + 6 + 2  # the question, the answer, the question
    items = sdk.responses.input_items.list(first.id)
    assert [item.type for item in items] == ["message"]
    assert items.data[0].content[0].text == "a word about Berta Kiesel"  # type: ignore[union-attr]
    with pytest.raises(openai.BadRequestError) as nothing:
        sdk.responses.cancel(first.id)
    assert nothing.value.code == "not_background"
    found = [path for path in served.home.rglob("*") if path.is_file() and b"Berta Kiesel" in path.read_bytes()]
    assert found == []
    sdk.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        sdk.responses.retrieve(first.id)
    with pytest.raises(openai.NotFoundError) as gone:
        sdk.responses.create(model="default", input="x", previous_response_id=second.id)
    assert gone.value.code == "previous_response_not_found"


def test_a_kept_stream_reads_back_as_its_last_event(web: httpx.Client) -> None:
    told = events(web, input="Think: one", store=True, include=["message.output_text.logprobs"])
    kept = web.get(f"/v1/responses/{told[-1].response.id}").json()
    assert Response.model_validate(kept, strict=True) == told[-1].response
    assert web.get(f"/v1/responses/{kept['id']}", params={"stream": "true"}).status_code == 400
    assert web.get(f"/v1/responses/{kept['id']}", params={"include[]": "wizardry"}).status_code == 400


def test_items_come_a_page_at_a_time(web: httpx.Client, sdk: openai.OpenAI) -> None:
    items: Any = [{"role": "user", "content": f"n{n}"} for n in range(5)]
    kept = sdk.responses.create(model="default", input=items, store=True)
    texts = [item.content[0].text for item in sdk.responses.input_items.list(kept.id, limit=2, order="asc")]  # type: ignore[union-attr]
    assert texts == [f"n{n}" for n in range(5)]
    page = web.get(f"/v1/responses/{kept.id}/input_items", params={"limit": 2}).json()
    assert [item["content"][0]["text"] for item in page["data"]] == ["n4", "n3"]
    assert page["has_more"] is True
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][1]["id"])
    for wrong in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"order": "up"}):
        assert web.get(f"/v1/responses/{kept.id}/input_items", params=wrong).status_code == 400
    assert web.get(f"/v1/responses/{kept.id}/input_items", params={"after": "msg_x"}).status_code == 404


def test_a_key_that_opens_no_content_keeps_nothing(served: Installation, sdk: openai.OpenAI, web: httpx.Client) -> None:
    """What whoever holds the console can make for a member: a key without what opens their content."""
    served.member("kept@pai.test")
    headers = {"authorization": f"Bearer {served.key('inference', owner='kept@pai.test')}"}
    kept = sdk.responses.create(model="default", input="mine", store=True)
    refused = web.post("/v1/responses", json={"model": "default", "input": "x", "store": True}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "locked")
    assert web.get(f"/v1/responses/{kept.id}", headers=headers).status_code == 403
    assert web.post("/v1/responses", json={"model": "default", "input": "x"}, headers=headers).status_code == 200


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"a": [inner]}
    return inner


@pytest.mark.parametrize("depth", [30, 40, 130, 400])
@pytest.mark.parametrize("store", [False, True])
def test_schemas_are_nested_to_a_bound(web: httpx.Client, depth: int, store: bool) -> None:
    """Deeper ones went as far as the answer, which could not be written then."""
    for more in (
        {"tools": [{**WEATHER, "parameters": nested(depth)}]},
        {"text": {"format": {"type": "json_schema", "name": "x", "schema": nested(depth)}}},
    ):
        answer = web.post("/v1/responses", json={"model": "default", "input": "x", "store": store, **more})
        assert answer.status_code == (200 if depth < 35 else 400), answer.text


def test_no_two_items_have_an_id_in_common(web: httpx.Client) -> None:
    """Clients that page through them by id would go round for ever."""
    items = [{"id": "same", "role": "user", "content": "x"}, {"id": "same", "role": "user", "content": "y"}]
    answer = web.post("/v1/responses", json={"model": "default", "input": items})
    assert answer.status_code == 400, answer.text
    assert "same id" in answer.json()["error"]["message"]
