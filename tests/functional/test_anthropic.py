"""Anthropic's dialect as its own SDK speaks it, against real processes."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx
import httpx2
import pytest

from installation import Installation
from pai.entrypoints.anthropic_api.schemas import MessageRequest, Prompted

VERSION = {"anthropic-version": "2023-06-01"}
ASK: list[Any] = [{"role": "user", "content": "one two three"}]
SLOW: list[Any] = [{"role": "user", "content": "Slowly: " + "word " * 400}]
SAMPLING = {"temperature": 0.5, "top_p": 0.9, "top_k": 3}
"""What newer versions of the SDK have no arguments for, and older ones send."""
WEATHER: Any = {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK: Any = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference,audit,admin")


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[anthropic.Anthropic]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with anthropic.Anthropic(
        base_url=served.url, api_key=key, max_retries=0, http_client=httpx2.Client(verify=trusted)
    ) as client:
        yield client


@pytest.fixture(scope="module")
def http(served: Installation) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=trusted, timeout=60, trust_env=False) as client:
        yield client


def ask(sdk: anthropic.Anthropic, **more: Any) -> anthropic.types.Message:
    asked: dict[str, Any] = {"model": "default", "max_tokens": 100, "messages": ASK, **more}
    return sdk.messages.create(**asked)


def refused(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The error of an answer in Anthropic's shape, with the id that its header names too."""
    assert answer.status_code == status, answer.text[:500]
    told = answer.json()
    assert set(told) == {"type", "error", "request_id"}
    assert told["type"] == "error"
    assert told["request_id"] == answer.headers["request-id"]
    assert told["error"]["type"] == kind, told
    assert told["error"]["message"]
    error: dict[str, Any] = told["error"]
    return error


def test_a_whole_message(sdk: anthropic.Anthropic) -> None:
    message = ask(sdk, system="be kind", metadata={"user_id": "u"}, service_tier="auto", extra_body=SAMPLING)
    assert [block.to_dict() for block in message.content] == [
        {"type": "text", "text": "Echo: one two three", "citations": None}
    ]
    assert (message.model, message.role, message.type) == ("echo", "assistant", "message")
    assert message.stop_reason == "end_turn"
    assert message.stop_sequence is None
    # Echo counts words: two of the system text, three of the question; four of the answer.
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 4)
    assert message.usage.cache_read_input_tokens == 0
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


def test_why_an_answer_ends(sdk: anthropic.Anthropic) -> None:
    assert ask(sdk, max_tokens=2).stop_reason == "max_tokens"
    stopped = ask(sdk, stop_sequences=["never", " three"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " three")
    assert stopped.content[0].to_dict()["text"] == "Echo: one two"


def test_a_stream_has_anthropics_events_in_their_order(sdk: anthropic.Anthropic) -> None:
    events = list(ask_stream(sdk, stop_sequences=[" three"]))
    assert [event.type for event in events] == [
        "message_start", "content_block_start", *["content_block_delta"] * 3, "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    start: Any = events[0]
    assert start.message.content == []
    assert start.message.stop_reason is None
    assert (start.message.usage.input_tokens, start.message.usage.output_tokens) == (3, 0)
    end: Any = events[-2]
    assert (end.delta.stop_reason, end.delta.stop_sequence) == ("stop_sequence", " three")
    assert (end.usage.input_tokens, end.usage.output_tokens) == (3, 3)


def ask_stream(sdk: anthropic.Anthropic, **more: Any) -> anthropic.Stream[anthropic.types.RawMessageStreamEvent]:
    asked: dict[str, Any] = {"model": "default", "max_tokens": 1000, "messages": ASK, "stream": True, **more}
    stream: anthropic.Stream[anthropic.types.RawMessageStreamEvent] = sdk.messages.create(**asked)
    return stream


def test_a_stream_on_the_wire(http: httpx.Client, key: str) -> None:
    body = {"model": "default", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "stream": True}
    answer = http.post("/v1/messages", json=body, headers={"x-api-key": key})
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = answer.text.removesuffix("\n\n").split("\n\n")
    names = [block.split("\n")[0].removeprefix("event: ") for block in blocks]
    assert names == [
        "message_start", "ping", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert blocks[1] == 'event: ping\ndata: {"type":"ping"}'


def test_thoughts_are_shown_to_whom_asks_for_them(sdk: anthropic.Anthropic) -> None:
    thinking: list[Any] = [{"role": "user", "content": "Think: of it"}]
    plain = ask(sdk, messages=thinking)
    assert [block.type for block in plain.content] == ["text"]
    shown = ask(sdk, messages=thinking, max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 1024})
    assert [block.type for block in shown.content] == ["thinking", "text"]
    with sdk.messages.stream(
        model="default", max_tokens=99, messages=thinking, thinking={"type": "adaptive"}
    ) as stream:
        kinds = [event.delta.type for event in stream if event.type == "content_block_delta"]
        told = stream.get_final_message()
    assert kinds == ["thinking_delta"] * 5 + ["text_delta"] * 4
    assert told.content[0].to_dict()["thinking"] == "Someone asks: Think: of it"
    # What was thought is taken back, and left aside.
    again: list[Any] = [*thinking, {"role": "assistant", "content": told.content}, *ASK]
    assert ask(sdk, messages=again).content[0].to_dict()["text"] == "Echo: one two three"


def test_a_tool_is_used_and_its_result_taken(sdk: anthropic.Anthropic, served: Installation) -> None:
    asked: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "call get_weather"}]}]
    message = ask(sdk, messages=asked, tools=[WEATHER, CLOCK])
    assert message.stop_reason == "tool_use"
    call: Any = message.content[0]
    assert (call.type, call.name, set(call.input)) == ("tool_use", "get_weather", {"city"})
    result: Any = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "rain"}], "is_error": True},
            {"type": "text", "text": "and now"},
        ],
    }  # fmt: skip
    history = [*asked, {"role": "assistant", "content": message.content}, result]
    after = ask(sdk, messages=history, tools=[WEATHER], tool_choice={"type": "none"})
    assert after.content[0].to_dict()["text"] == "Echo: and now"
    # The error is counted as one more word: "Error: rain".
    assert sdk.messages.count_tokens(model="default", messages=history).input_tokens == 2 + 2 + 2
    names = [event["name"] for event in served.ok("audit", "tail", "--limit", "3")["events"]]
    assert "models:prompt:count" in names


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "any"}, ["get_weather"]),
        ({"type": "any", "disable_parallel_tool_use": True}, ["get_weather"]),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
        ({"type": "auto"}, []),
        ({"type": "none"}, []),
    ],
)
def test_which_tool_is_used_can_be_chosen(sdk: anthropic.Anthropic, choice: Any, names: list[str]) -> None:
    message = ask(sdk, tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [block.name for block in message.content if block.type == "tool_use"] == names
    assert message.stop_reason == ("tool_use" if names else "end_turn")


def test_a_tool_in_a_stream(sdk: anthropic.Anthropic) -> None:
    events: list[Any] = list(ask_stream(sdk, tools=[WEATHER], tool_choice={"type": "any"}))
    assert [event.type for event in events[1:4]] == ["content_block_start", "content_block_delta", "content_block_stop"]
    assert events[1].content_block.to_dict() | {"id": ""} == {
        "type": "tool_use",
        "id": "",
        "name": "get_weather",
        "input": {},
        "caller": {"type": "direct"},
    }
    assert events[2].delta.type == "input_json_delta"
    assert events[-2].delta.stop_reason == "tool_use"
    with sdk.messages.stream(
        model="default", max_tokens=99, messages=ASK, tools=[WEATHER], tool_choice={"type": "any"}
    ) as stream:
        block: Any = stream.get_final_message().content[0]
    assert set(block.input) == {"city"}


def test_an_answer_is_held_to_a_schema(sdk: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    message = ask(sdk, output_config={"format": {"type": "json_schema", "schema": schema}, "effort": "low"})
    assert message.content[0].to_dict()["text"] == '{"n": 0}'


def test_tokens_are_counted_before_they_are_used(sdk: anthropic.Anthropic) -> None:
    counted = sdk.messages.count_tokens(model="default", messages=ASK, system=[{"type": "text", "text": "be kind"}])
    assert counted.input_tokens == ask(sdk, system="be kind").usage.input_tokens == 5


def test_models_in_anthropics_shape(sdk: anthropic.Anthropic, http: httpx.Client, key: str) -> None:
    names = [model.id for model in sdk.models.list()]
    assert {"echo", "default", "default-embedding"} <= set(names)
    assert [model.id for model in sdk.models.list(limit=1)] == names  # the SDK turns the pages
    model = sdk.models.retrieve("default")
    assert (model.type, model.display_name) == ("model", "default (echo)")
    assert model.capabilities is not None
    assert (model.max_tokens, model.capabilities.structured_outputs.supported) == (model.max_input_tokens, True)
    assert not model.capabilities.batch.supported
    first = sdk.models.list(limit=2)
    assert (first.has_more, first.first_id, first.last_id) == (True, names[0], names[1])
    before = sdk.models.list(limit=1, before_id=names[2])
    assert [model.id for model in before.data] == [names[1]]
    with pytest.raises(anthropic.NotFoundError):
        sdk.models.retrieve("no-such-model")
    with pytest.raises(anthropic.BadRequestError):
        sdk.models.list(after_id="no-such-model")
    # The version header alone decides the shape.
    bearer = {"authorization": f"Bearer {key}"}
    assert http.get("/v1/models", headers=bearer).json()["object"] == "list"
    assert http.get("/v1/models", headers=bearer | VERSION).json()["has_more"] is False


def test_pictures_are_never_fetched_and_need_a_model_that_sees(sdk: anthropic.Anthropic) -> None:
    def with_image(source: dict[str, str]) -> list[Any]:
        return [{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "what?"}]}]

    data = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    with pytest.raises(anthropic.BadRequestError) as blind:
        ask(sdk, messages=with_image({"type": "base64", "media_type": "image/png", "data": data}))
    assert blind.value.error_code == "missing_capability"
    for source in (
        {"type": "url", "url": "https://example.org/a.png"},
        {"type": "file", "file_id": "file_1"},
        {"type": "base64", "media_type": "image/png", "data": "no base64!"},
    ):
        with pytest.raises(anthropic.BadRequestError) as refusal:
            ask(sdk, messages=with_image(source))
        assert "never fetched" in str(refusal.value), source


def test_errors_are_the_sdks_own(sdk: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as missing:
        ask(sdk, model="no-such-model")
    assert (missing.value.type, missing.value.error_code) == ("not_found_error", "model_not_found")
    with pytest.raises(anthropic.AuthenticationError):
        ask(sdk.with_options(api_key="pai_wrong"))
    with pytest.raises(anthropic.BadRequestError) as long:
        ask(sdk, messages=[{"role": "user", "content": "word " * 20_000}])
    assert long.value.error_code == "context_length_exceeded"
    with pytest.raises(anthropic.BadRequestError) as long:
        list(ask_stream(sdk, messages=[{"role": "user", "content": "word " * 20_000}]))
    assert long.value.error_code == "context_length_exceeded"
    with pytest.raises(anthropic.RequestTooLargeError) as large:
        ask(sdk, messages=[{"role": "user", "content": "x" * (9 << 20)}])
    assert large.value.request_id


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [*ASK, {"role": "assistant", "content": "It is"}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}]},
        {"messages": [{"role": "assistant", "content": [{"type": "image"}]}, *ASK]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"tools": [{"name": "a", "input_schema": {"type": "string"}}]},
        {"tools": [{"name": "a", "input_schema": {"type": "object", "properties": 5}}]},
        {"tools": [{"name": "a b", "input_schema": {"type": "object"}}]},
        {"tools": [WEATHER, WEATHER]},
        {"tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "tool"}},
        {"tool_choice": {"type": "tool", "name": "get_weather"}, "tools": [CLOCK]},
        {"container": "c"},
        {"mcp_servers": []},
        {"context_management": {}},
        {"thinking": {"type": "enabled", "budget_tokens": 5}},
        {"stop_sequences": [""]},
        {"temperature": 1.5},
        {"max_tokens": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused(http: httpx.Client, key: str, body: dict[str, Any]) -> None:
    asked = {"model": "default", "max_tokens": 9, "messages": ASK, **body}
    refused(http.post("/v1/messages", json=asked, headers={"x-api-key": key}), 400, "invalid_request_error")


WRONG: tuple[Any, ...] = (
    5,
    -1,
    1e300,
    "text",
    "",
    True,
    [],
    [5],
    [[]],
    {},
    {"a": 1},
    {"type": 5},
    [{"type": "text", "text": 5}],
)


@pytest.mark.parametrize("field", sorted(MessageRequest.model_fields))
def test_wrong_types_are_400_for_every_field(http: httpx.Client, key: str, field: str) -> None:
    statuses = set()
    for wrong in WRONG:
        asked = {"model": "default", "max_tokens": 9, "messages": ASK, field: wrong}
        answer = http.post("/v1/messages", json=asked, headers={"x-api-key": key})
        statuses.add(answer.status_code)
        if answer.status_code == 400:
            refused(answer, 400, "invalid_request_error")
        if field in Prompted.model_fields:
            asked.pop("max_tokens")
            statuses.add(http.post("/v1/messages/count_tokens", json=asked, headers={"x-api-key": key}).status_code)
    assert 400 in statuses
    assert statuses <= {200, 400, 404}


def test_every_refusal_below_its_paths_has_its_shape(http: httpx.Client, key: str) -> None:
    mine = {"x-api-key": key}
    refused(http.post("/v1/messages", json={}), 401, "authentication_error")
    refused(http.get("/v1/models", headers=VERSION), 401, "authentication_error")
    refused(http.get("/v1/messages", headers=mine), 404, "not_found_error")
    refused(http.post("/v1/messages/batches", headers=mine), 404, "not_found_error")
    refused(http.post("/v1/messages", headers=mine | {"host": "evil.example"}), 400, "invalid_request_error")
    refused(http.post("/v1/messages", headers=mine, content=b"{" * 99), 400, "invalid_request_error")
    refused(http.post("/v1/messages", headers=mine, content=b"x" * (9 << 20)), 413, "request_too_large")
    refused(http.post("/v1/messages", headers=mine, json={}), 400, "invalid_request_error")


def test_a_key_without_the_scope_is_refused(served: Installation, http: httpx.Client) -> None:
    headers = {"x-api-key": served.key("audit")}
    body = {"model": "default", "max_tokens": 9, "messages": ASK}
    refused(http.post("/v1/messages", json=body, headers=headers), 403, "permission_error")
    assert http.get("/v1/models", headers=headers | VERSION).status_code == 200


def test_one_key_in_either_header_and_never_two_that_differ(served: Installation, http: httpx.Client, key: str) -> None:
    other = served.key("inference")
    body = {"model": "default", "max_tokens": 9, "messages": ASK}

    def status(*headers: tuple[str, str], path: str = "/v1/messages") -> int:
        if path == "/v1/messages":
            return http.post(path, json=body, headers=list(headers)).status_code
        return http.get(path, headers=list(headers)).status_code

    mine, theirs = ("x-api-key", key), ("authorization", f"Bearer {other}")
    assert status(mine) == status(theirs) == status(mine, ("authorization", f"Bearer {key}")) == 200
    assert status(mine, theirs) == status(mine, ("x-api-key", other)) == status(mine, mine) == 401
    assert status(mine, ("authorization", "Basic eA==")) == status(("x-api-key", ""), theirs) == 401
    assert status(("x-api-key", "pai_x")) == status(("x-api-key", f"Bearer {key}")) == 401
    # Elsewhere the header is nothing, so that it cannot be a second way in.
    for path in ("/v1/models", "/v1/models/default", "/pai/v1/me", "/api/tags", "/v1/messagesx", "/v1/modelsx"):
        assert status(mine, path=path) in (401, 404), path
    assert status(mine, *VERSION.items(), path="/v1/models/default") == 200
    for path in ("/pai/v1/me", "/api/tags", "/pai/v1/collections"):
        assert status(mine, *VERSION.items(), path=path) == 401, path


def test_cookies_and_queries_are_no_credentials(http: httpx.Client, key: str) -> None:
    for headers in ({"cookie": f"x-api-key={key}"}, {"cookie": f"__Host-pai_session={'a' * 43}"}):
        refused(http.post("/v1/messages", json={}, headers=headers), 401, "authentication_error")
        refused(http.get("/v1/models", headers=headers | VERSION), 401, "authentication_error")
    refused(http.post(f"/v1/messages?x-api-key={key}", json={}), 401, "authentication_error")


def test_a_strangers_an_expired_and_a_revoked_key(served: Installation, http: httpx.Client, key: str) -> None:
    body = {"model": "default", "max_tokens": 9, "messages": ASK}

    def post(text: str) -> httpx.Response:
        return http.post("/v1/messages", json=body, headers={"x-api-key": text})

    stranger = served.member("anthropic-stranger@pai.test")
    assert post(stranger).status_code == 200  # inference is open to members; content is not
    refused(post(stranger[:-1] + ("a" if stranger[-1] != "a" else "b")), 401, "authentication_error")
    soon = datetime.now(UTC) + timedelta(seconds=2)
    asked = {"name": "soon over", "scopes": ["inference"], "expires_at": soon.isoformat()}
    short = http.post("/pai/v1/keys", json=asked, headers={"authorization": f"Bearer {key}"}).json()["key"]
    assert post(short).status_code == 200
    made = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "short", "--scopes", "inference")
    assert post(made["key"]).status_code == 200
    served.ok("key", "revoke", made["id"])
    refused(post(made["key"]), 401, "authentication_error")
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    refused(post(short), 401, "authentication_error")


def chat_ends(http: httpx.Client, key: str) -> list[dict[str, Any]]:
    events = http.get("/pai/v1/audit/events?limit=30", headers={"authorization": f"Bearer {key}"}).json()["events"]
    return [event for event in events if event["name"] == "models:chat:end"]


def test_a_reader_who_goes_away_stops_the_model(sdk: anthropic.Anthropic, http: httpx.Client, key: str) -> None:
    before = {event["index"] for event in chat_ends(http, key)}
    with ask_stream(sdk, messages=SLOW) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                break
    end = time.monotonic() + 5
    while not (new := [event for event in chat_ends(http, key) if event["index"] not in before]):
        assert time.monotonic() < end, "the audit log has no end of the answer"
        time.sleep(0.05)
    assert (new[0]["outcome"], new[0]["reason"]) == ("failed", "stopped by its reader")
    assert new[0]["completion_tokens"] < 100


def test_a_revoked_key_ends_its_stream_with_an_error(served: Installation, sdk: anthropic.Anthropic) -> None:
    made = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "short", "--scopes", "inference")
    stream = ask_stream(sdk.with_options(api_key=made["key"]), messages=SLOW)
    assert next(iter(stream)).type == "message_start"
    served.ok("key", "revoke", made["id"])
    with pytest.raises(anthropic.APIStatusError) as ended:
        list(stream)
    assert ended.value.error_code == "session_ended"
    assert ended.value.type == "authentication_error"
