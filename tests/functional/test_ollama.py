"""Ollama's dialect as its own SDK speaks it, against real processes."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx
import ollama
import pytest

from installation import Installation
from pai import __version__
from pai.entrypoints.ollama_api.schemas import ChatBody, EmbedBody, EmbeddingsBody, GenerateBody, Options, ShowBody

ASK: list[Any] = [{"role": "user", "content": "one two three"}]
SLOW: list[Any] = [{"role": "user", "content": "Slowly: " + "word " * 400}]


def get_weather(city: str) -> str:
    """Tell the weather of a city.

    Args:
        city: The city's name.
    """
    return f"rain in {city}"


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference,audit,admin")


def client(served: Installation, key: str) -> ollama.Client:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    return ollama.Client(host=served.url, headers={"Authorization": f"Bearer {key}"}, verify=trusted)


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[ollama.Client]:
    with client(served, key) as made:
        yield made


@pytest.fixture(scope="module")
def http(served: Installation, key: str) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as made:
        yield made


def refused(answer: httpx.Response, status: int) -> str:
    """The error of an answer: one text, nothing else."""
    assert answer.status_code == status, answer.text[:500]
    told = answer.json()
    assert set(told) == {"error"}
    assert isinstance(told["error"], str)
    assert answer.headers["x-request-id"].startswith("req_")
    return str(told["error"])


def test_a_chat_whole_and_as_lines(sdk: ollama.Client) -> None:
    whole = sdk.chat(
        model="default:latest", messages=ASK, keep_alive="5m", options={"num_ctx": 4096, "temperature": 0.1}
    )
    assert (whole.message.role, whole.message.content) == ("assistant", "Echo: one two three")
    assert (whole.model, whole.done, whole.done_reason) == ("echo", True, "stop")
    assert (whole.prompt_eval_count, whole.eval_count) == (3, 4)
    parts = list(sdk.chat(model="default", messages=ASK, stream=True))
    assert "".join(part.message.content or "" for part in parts) == "Echo: one two three"
    assert [part.done for part in parts] == [False] * 4 + [True]
    for told in (whole, parts[-1]):
        assert told.total_duration is not None
        measured = [told.load_duration, told.prompt_eval_duration, told.eval_duration]
        assert all(one is not None and 0 < one < told.total_duration for one in measured)
        assert sum(one or 0 for one in measured) <= told.total_duration
    assert parts[0].total_duration is None


def test_a_chat_is_lines_unless_told_otherwise(http: httpx.Client) -> None:
    answer = http.post("/api/chat", json={"model": "default", "messages": ASK})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["done"] for line in lines] == [False] * 4 + [True]
    assert lines[0]["message"] == {"role": "assistant", "content": "Echo:"}
    assert set(lines[0]) == {"model", "created_at", "message", "done"}


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_body_is_json_whatever_is_said_of_it(http: httpx.Client, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    asked = {"model": "default", "messages": ASK, "stream": False}
    answer = http.post("/api/chat", content=json.dumps(asked), headers=headers)
    assert answer.json()["message"]["content"] == "Echo: one two three"
    refused(http.post("/api/chat", content="model=default", headers=headers), 400)


def test_options_are_honoured(sdk: ollama.Client) -> None:
    cut = sdk.chat(model="default", messages=ASK, options={"num_predict": 2})
    assert (cut.message.content, cut.done_reason) == ("Echo: one", "length")
    stopped = sdk.chat(model="default", messages=ASK, options=ollama.Options(stop=[" two"], seed=-1, num_predict=-1))
    assert (stopped.message.content, stopped.done_reason) == ("Echo: one", "stop")
    probable = sdk.chat(model="default", messages=ASK, logprobs=True, top_logprobs=1)
    assert probable.logprobs is not None
    assert [one.token for one in probable.logprobs] == ["Echo:", " one", " two", " three"]
    assert probable.logprobs[0].top_logprobs is not None


def test_a_format_holds_the_answer(sdk: ollama.Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert json.loads(sdk.chat(model="default", messages=ASK, format=schema).message.content or "") == {"n": 0}
    assert json.loads(sdk.generate(model="default", prompt="x", format="json").response or "") == {}


def test_thoughts_are_told_apart_or_left_out(sdk: ollama.Client) -> None:
    thinking: list[Any] = [{"role": "user", "content": "Think: of it"}]
    shown = sdk.chat(model="default", messages=thinking, think=True)
    assert (shown.message.thinking, shown.message.content) == ("Someone asks: Think: of it", "Echo: Think: of it")
    assert sdk.chat(model="default", messages=thinking, think=False).message.thinking is None
    parts = list(sdk.generate(model="default", prompt="Think: of it", stream=True, think="low"))
    assert "".join(part.thinking or "" for part in parts) == "Someone asks: Think: of it"
    assert sdk.chat(model="default", messages=[*thinking, shown.message, *ASK]).message.content == "Echo: one two three"


def test_a_tool_is_called_and_its_result_taken(sdk: ollama.Client) -> None:
    asked: list[Any] = [{"role": "user", "content": "call get_weather"}]
    called = sdk.chat(model="default", messages=asked, tools=[get_weather])
    assert called.done_reason == "stop"
    assert called.message.tool_calls is not None
    call = called.message.tool_calls[0].function
    assert (call.name, set(call.arguments)) == ("get_weather", {"city"})
    # A call comes as one piece, so that the time to it and the time of it cannot be told apart.
    assert called.eval_duration is None
    assert called.total_duration is not None
    parts = list(sdk.chat(model="default", messages=asked, tools=[get_weather], stream=True))
    assert [bool(part.message.tool_calls) for part in parts] == [True, False]
    result = {"role": "tool", "tool_name": "get_weather", "content": "rain"}
    after = sdk.chat(model="default", messages=[*asked, called.message, result], tools=[get_weather])
    assert after.message.content == "Echo: call get_weather"
    assert after.prompt_eval_count == 3


def test_completions(sdk: ollama.Client) -> None:
    plain = sdk.generate(model="default", prompt="one two", system="be kind")
    assert (plain.response, plain.prompt_eval_count) == ("Echo: one two", 4)
    assert plain.context is None
    assert sdk.generate(model="default", prompt="[x] raw", raw=True).response == "Echo: [x] raw"
    loaded = sdk.generate(model="default")
    assert (loaded.response, loaded.done_reason) == ("", "load")
    assert sdk.chat(model="default").done_reason == "load"


def test_what_only_loads_a_model_is_recorded_too(sdk: ollama.Client, served: Installation) -> None:
    with served.web(served.key("audit")) as auditor:
        query = {"resource": "echo", "limit": 1000}

        def loads() -> int:
            events = auditor.get("/pai/v1/audit/events", params=query).json()["events"]
            return [event["name"] for event in events].count("models:model:load")

        before = loads()
        sdk.generate(model="default")
        sdk.chat(model="default", messages=[])
        assert loads() == before + 2
        with pytest.raises(ollama.ResponseError):
            sdk.generate(model="nowhere")
        assert loads() == before + 2


def test_embeddings(sdk: ollama.Client) -> None:
    two = sdk.embed(model="default-embedding", input=["the cat", "a dog"])
    assert [len(vector) for vector in two.embeddings] == [384, 384]
    assert two.prompt_eval_count == 4
    assert two.total_duration is not None
    one = sdk.embed(model="default-embedding", input=" ".join(map(str, range(99))), dimensions=64).embeddings[0]
    assert len(one) == 64
    assert sum(value * value for value in one) == pytest.approx(1.0, abs=1e-5)
    older = sdk.embeddings(model="default-embedding", prompt="the cat").embedding
    assert list(older) == list(two.embeddings[0])
    long = "word " * 9000
    assert len(sdk.embed(model="default-embedding", input=long).embeddings) == 1
    with pytest.raises(ollama.ResponseError, match="8190 at most"):
        sdk.embed(model="default-embedding", input=long, truncate=False)
    with pytest.raises(ollama.ResponseError, match="384 dimensions"):
        sdk.embed(model="default-embedding", input="x", dimensions=385)


def test_what_there_is(sdk: ollama.Client, http: httpx.Client) -> None:
    names = [model.model for model in sdk.list().models]
    assert {"echo:latest", "default:latest", "default-embedding:latest"} <= set(names)
    for name in ("default", "default:latest"):
        shown = sdk.show(name)
        assert shown.capabilities == ["completion", "tools", "embedding"]
        assert shown.modelinfo is not None
        assert shown.modelinfo["unknown.context_length"] == 8192
        assert shown.license
    assert http.post("/api/show", json={"name": "default"}).status_code == 200
    sdk.generate(model="default")
    assert "echo:latest" in [model.name for model in sdk.ps().models]
    assert http.get("/api/version").json() == {"version": __version__}


def test_errors_are_one_text(served: Installation, sdk: ollama.Client, http: httpx.Client) -> None:
    for call in (
        lambda: sdk.chat(model="no-such-model", messages=ASK),
        lambda: sdk.generate(model="no-such-model", prompt="x"),
        lambda: sdk.embed(model="no-such-model", input="x"),
        lambda: sdk.show("no-such-model"),
        lambda: list(sdk.chat(model="no-such-model", messages=ASK, stream=True)),
    ):
        with pytest.raises(ollama.ResponseError, match="is not here") as missing:
            call()
        assert missing.value.status_code == 404
    with client(served, "pai_wrong") as stranger, pytest.raises(ollama.ResponseError) as unknown:
        stranger.list()
    assert unknown.value.status_code == 401
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    with pytest.raises(ollama.ResponseError, match="image-input") as blind:
        sdk.chat(model="default", messages=[{"role": "user", "content": "what?", "images": [image]}])
    assert blind.value.status_code == 400
    for path in ("/api/pull", "/api/create", "/api/delete", "/api/chat/x", "/api"):
        refused(http.post(path, json={}), 404)
    refused(http.post("/api/chat", headers={"host": "evil.example"}), 400)
    refused(http.post("/api/chat", content=b"x" * (9 << 20)), 413)
    refused(http.post("/api/chat", content=b"[[["), 400)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat", {"options": {"mirostat": 2}}),
        ("chat", {"options": {"repeat_penalty": 1.3}}),
        ("chat", {"options": {"typical_p": 0.5}}),
        ("chat", {"options": {"tfs_z": 0.5}}),
        ("chat", {"options": {"no_such_option": 1}}),
        ("chat", {"options": {"stop": [""]}}),
        ("chat", {"messages": [{"role": "user", "content": "x", "images": ["https://example.org/a.png"]}]}),
        ("chat", {"messages": [{"role": "wizard", "content": "x"}]}),
        ("chat", {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "array"}}}]}),
        ("chat", {"tools": [{"type": "function", "function": {"name": "a b"}}]}),
        ("chat", {"messages": [], "keep_alive": 0}),
        ("chat", {"no_such_field": 1}),
        ("generate", {"prompt": "x", "template": "{{ .Prompt }}"}),
        ("generate", {"prompt": "x", "suffix": "end"}),
        ("generate", {"prompt": "x", "context": [1, 2]}),
        ("generate", {"prompt": "x", "raw": True, "system": "be kind"}),
        ("generate", {"prompt": "x", "images": ["!"]}),
    ],
)
def test_what_cannot_be_honoured_is_refused(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    given = {"model": "default", **({"messages": ASK} if path == "chat" else {}), **body}
    refused(http.post(f"/api/{path}", json=given), 400)


WRONG: tuple[Any, ...] = (-7, 1e300, "text", "", True, [], [5], [[]], {}, {"a": 1}, {"type": 5}, [{"role": 5}])
BODIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "chat": (ChatBody, {"messages": ASK}), "generate": (GenerateBody, {"prompt": "x"}), "embed": (EmbedBody, {"input": "x"}),
    "embeddings": (EmbeddingsBody, {"prompt": "x"}), "show": (ShowBody, {}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "field"), [(path, field) for path, (kind, _) in BODIES.items() for field in sorted(kind.model_fields)]
)
def test_wrong_types_are_400_for_every_field(http: httpx.Client, path: str, field: str) -> None:
    statuses = set()
    for wrong in WRONG:
        answer = http.post(f"/api/{path}", json={"model": "default", **BODIES[path][1], field: wrong})
        statuses.add(answer.status_code)
        if answer.status_code == 400:
            refused(answer, 400)
    assert 400 in statuses
    assert statuses <= {200, 400, 404}


@pytest.mark.parametrize("option", sorted(Options.model_fields))
def test_wrong_types_are_400_for_every_option(http: httpx.Client, option: str) -> None:
    found = [
        http.post("/api/chat", json={"model": "default", "messages": ASK, "options": {option: wrong}}).status_code
        for wrong in WRONG
    ]
    assert 400 in found
    assert set(found) <= {200, 400}


def chat_ends(http: httpx.Client) -> list[dict[str, Any]]:
    events = http.get("/pai/v1/audit/events?limit=30").json()["events"]
    return [event for event in events if event["name"] == "models:chat:end"]


def test_a_reader_who_goes_away_stops_the_model(served: Installation, http: httpx.Client, key: str) -> None:
    before = {event["index"] for event in chat_ends(http)}
    with client(served, key) as reader:
        lines = reader.chat(model="default", messages=SLOW, stream=True)
        next(lines)
        lines.close()  # type: ignore[attr-defined]
    end = time.monotonic() + 5
    while not (new := [event for event in chat_ends(http) if event["index"] not in before]):
        assert time.monotonic() < end, "the audit log has no end of the answer"
        time.sleep(0.05)
    assert (new[0]["outcome"], new[0]["reason"]) == ("failed", "stopped by its reader")
    assert new[0]["completion_tokens"] < 100


def test_a_revoked_key_ends_its_stream_with_an_error(served: Installation) -> None:
    made = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "short", "--scopes", "inference")
    with client(served, made["key"]) as reader:
        lines = reader.chat(model="default", messages=SLOW, stream=True)
        next(lines)
        served.ok("key", "revoke", made["id"])
        with pytest.raises(ollama.ResponseError, match="has ended"):
            list(lines)
        with pytest.raises(ollama.ResponseError) as after:
            reader.list()
    assert after.value.status_code == 401


def test_a_cookie_and_anthropics_header_are_no_credentials(served: Installation, key: str) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=trusted, trust_env=False) as nobody:
        for headers in ({"x-api-key": key}, {"cookie": f"__Host-pai_session={'a' * 43}"}):
            refused(nobody.get("/api/tags", headers=headers), 401)
            refused(nobody.post("/api/chat", headers=headers, json={}), 401)
