"""OpenAI's dialect through its own SDK: tools, schemas, log-probabilities, thoughts, raw completions, odd bodies."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from installation import Installation

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather", "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}, "required": ["city"],
                       "$defs": {"City": {"enum": ["Oslo", "Lima"]}}},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference")


@pytest.fixture(scope="module")
def http(served: Installation, key: str) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.url, verify=trusted, timeout=60, trust_env=False, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(verify=trusted, trust_env=False) as client:
        yield openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=client, max_retries=0)


def asked(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_is_called(sdk: openai.OpenAI, choice: Any) -> None:
    told = sdk.chat.completions.create(
        model="default", messages=asked("What does weather say of Oslo?"), tools=[WEATHER], tool_choice=choice
    )
    assert told.choices[0].finish_reason == "tool_calls"
    (call,) = told.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})
    answer = sdk.chat.completions.create(
        model="default", tools=[WEATHER],
        messages=[*asked("weather?"), told.choices[0].message.model_dump(exclude_none=True),
                  {"role": "tool", "tool_call_id": call.id, "content": "rain"}],
    )  # fmt: skip
    assert answer.choices[0].finish_reason == "stop"


def test_tool_calls_stream(sdk: openai.OpenAI) -> None:
    stream = sdk.chat.completions.create(
        model="default", messages=asked("weather in Lima"), tools=[WEATHER], stream=True
    )
    deltas = [chunk.choices[0] for chunk in stream]
    calls = [call for delta in deltas for call in delta.delta.tool_calls or ()]
    assert [call.function.name for call in calls if call.function] == ["weather"]
    assert deltas[-1].finish_reason == "tool_calls"


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_a_tool_that_is_not_asked_for_is_not_called(sdk: openai.OpenAI, choice: Any) -> None:
    text = "weather" if choice == "none" else "hello"
    told = sdk.chat.completions.create(model="default", messages=asked(text), tools=[WEATHER], tool_choice=choice)
    assert told.choices[0].message.content == f"Echo: {text}"
    assert told.choices[0].message.tool_calls is None


def test_schemas_thoughts_and_what_tokens_are_worth(sdk: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    told = sdk.chat.completions.create(model="default", messages=asked("hi"), response_format=form)
    assert json.loads(told.choices[0].message.content or "") == {"n": 3}
    told = sdk.chat.completions.create(model="default", messages=asked("Think: of it"), n=2)
    for choice in told.choices:
        assert choice.message.content == "Echo: Think: of it"
        assert choice.message.model_extra is not None
        assert choice.message.model_extra["reasoning_content"] == "Someone asks: Think: of it"
    told = sdk.chat.completions.create(model="default", messages=asked("a b"), logprobs=True, top_logprobs=1)
    assert told.choices[0].logprobs is not None
    assert [one.token for one in told.choices[0].logprobs.content or ()] == ["Echo:", " a", " b"]


def test_texts_are_continued(sdk: openai.OpenAI) -> None:
    told = sdk.completions.create(
        model="default", prompt=["one two", "three"], n=2, echo=True, max_tokens=50, logprobs=1
    )
    assert [choice.text for choice in told.choices] == ["one twoEcho: one two"] * 2 + ["threeEcho: three"] * 2
    assert told.usage is not None
    assert told.usage.prompt_tokens == 3  # each prompt once, however many answers it has
    chunks = list(
        sdk.completions.create(
            model="default",
            prompt="one two",
            n=2,
            stream=True,
            max_tokens=50,
            logprobs=0,
            stream_options={"include_usage": True},
        )
    )
    tokens = [chunk.choices[0].logprobs.tokens for chunk in chunks if chunk.choices and chunk.choices[0].logprobs]
    assert sorted(token for one in tokens for token in one or ()) == sorted(["Echo:", " one", " two"] * 2)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": []}, {"prompt": [[]]}, {"prompt": ""}, {"prompt": [""]}, {"prompt": [-1]}, {"prompt": [2**40]}, {"prompt": [1, "a"]},
        {"prompt": "x", "n": 9}, {"prompt": "x", "logprobs": 6}, {"prompt": "x", "stop": [""]}, {"prompt": "x", "suffix": "y"},
        {"prompt": "x", "logit_bias": {"a": 1}}, {"prompt": "x", "logit_bias": {"1": 1000}}, {"prompt": "x", "best_of": 2},
    ],
)  # fmt: skip
def test_odd_completions_are_400(http: httpx.Client, wrong: dict[str, Any]) -> None:
    answer = http.post("/v1/completions", json={"model": "default", **wrong})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "wrong",
    [
        {"tools": [{"type": "function", "function": {"name": "no spaces please"}}]}, {"tools": [WEATHER, WEATHER]},
        {"tools": [{"type": "retrieval"}]}, {"tools": [WEATHER] * 200}, {"tool_choice": {"type": "function", "function": {"name": "x"}}},
        {"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 21}, {"response_format": {"type": "json_schema"}},
        {"messages": [{"role": "tool", "content": "x"}]}, {"messages": [{"role": "user"}]}, {"messages": [{"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, {"temperature": 3}, {"seed": "x"}, {"n": 0}, {"mystery": 1},
    ],
)  # fmt: skip
def test_odd_chats_are_400(http: httpx.Client, wrong: dict[str, Any]) -> None:
    answer = http.post("/v1/chat/completions", json={"model": "default", "messages": asked("x"), **wrong})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_picture_needs_a_model_that_sees(http: httpx.Client) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    answer = http.post(
        "/v1/chat/completions", json={"model": "default", "messages": [{"role": "user", "content": [picture]}]}
    )
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"] == "missing_capability"


@pytest.mark.parametrize("temperature", [1e-40, 5e-324])
def test_the_coldest_temperature_is_answered(http: httpx.Client, temperature: float) -> None:
    body = {"model": "default", "messages": asked("x"), "temperature": temperature}
    assert http.post("/v1/chat/completions", json=body).status_code == 200


def test_nulls_are_as_good_as_nothing(http: httpx.Client) -> None:
    body = {"model": "default", "messages": asked("x"), "tools": None, "stop": None, "max_tokens": None, "seed": None}
    assert http.post("/v1/chat/completions", json=body).status_code == 200


def test_vectors_are_cut_to_the_dimensions_asked_for(sdk: openai.OpenAI, http: httpx.Client) -> None:
    vector = (
        sdk.embeddings.create(model="default-embedding", input=" ".join(f"word{n}" for n in range(99)), dimensions=16)
        .data[0]
        .embedding
    )
    assert len(vector) == 16
    assert sum(value * value for value in vector) == pytest.approx(1, abs=1e-4)
    too_many = http.post("/v1/embeddings", json={"model": "default-embedding", "input": "x", "dimensions": 4096})
    assert (too_many.status_code, too_many.json()["error"]["code"]) == (400, "bad_dimensions")
    assert http.post("/v1/embeddings", json={"model": "default-embedding", "input": [[]]}).status_code == 400
