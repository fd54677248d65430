"""Anthropic's and Ollama's SDKs with a real model behind them: what is counted, cached, streamed and called."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import ollama
import pytest

from installation import Installation

pytestmark = [pytest.mark.model, pytest.mark.slow]
MODEL = "qwen2.5-coder-0.5b-instruct"
SYSTEM = "You answer in one short sentence. " * 20
WEATHER: Any = {
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASK: list[Any] = [{"role": "user", "content": "What is the capital of France?"}]
RAIN: list[Any] = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    pai = Installation(tmp_path_factory.mktemp("small"), models="small")
    pai.init()
    pai.start()
    yield pai, pai.key("inference")
    pai.stop()


def test_a_real_model_by_anthropics_sdk(small: tuple[Installation, str]) -> None:
    pai, key = small
    client = httpx2.Client(verify=ssl.create_default_context(cafile=str(pai.ca)), timeout=300)
    with anthropic.Anthropic(base_url=pai.url, api_key=key, http_client=client) as sdk:
        asked: Any = {"model": "default", "messages": ASK, "system": SYSTEM}
        counted = sdk.messages.count_tokens(**asked).input_tokens
        cold: Any = {"temperature": 0}
        first = sdk.messages.create(**asked, max_tokens=40, extra_body=cold)
        assert first.model == MODEL
        text = first.content[0].to_dict()["text"]
        assert "Paris" in str(text)
        assert first.usage.input_tokens + (first.usage.cache_read_input_tokens or 0) == counted
        with sdk.messages.stream(**asked, max_tokens=40, extra_body=cold) as stream:
            kinds = [event.type for event in stream]
            again = stream.get_final_message()
        assert kinds[0] == "message_start"
        assert "Paris" in str(again.content[0].to_dict()["text"])
        assert again.usage.cache_read_input_tokens
        assert again.usage.input_tokens + again.usage.cache_read_input_tokens == counted
        called = sdk.messages.create(
            model="default",
            max_tokens=100,
            messages=RAIN,
            tools=[WEATHER],
            tool_choice={"type": "any"},
            extra_body=cold,
        )
        assert called.stop_reason == "tool_use"
        call: Any = called.content[0]
        assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain, 12 degrees."}
        history = [*RAIN, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
        told = sdk.messages.create(
            model="default",
            max_tokens=60,
            messages=history,
            tools=[WEATHER],
            tool_choice={"type": "none"},
            extra_body=cold,
        )
        assert "12" in str(told.content[0].to_dict()["text"])


def test_a_real_model_by_ollamas_sdk(small: tuple[Installation, str]) -> None:
    pai, key = small
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    with ollama.Client(host=pai.url, headers={"Authorization": f"Bearer {key}"}, verify=trusted, timeout=300) as sdk:
        cold = {"temperature": 0, "num_predict": 40}
        parts = list(sdk.chat(model="default", messages=ASK, stream=True, options=cold))
        assert "Paris" in "".join(part.message.content or "" for part in parts)
        last = parts[-1]
        assert last.model == MODEL
        assert last.eval_count is not None
        assert last.eval_count >= len(parts) - 1  # the end is a token too
        assert last.eval_duration is not None
        assert last.eval_duration > 0
        tool = {"type": "function", "function": {"name": WEATHER["name"], "parameters": WEATHER["input_schema"]}}
        called = sdk.chat(model="default", messages=RAIN, tools=[tool], options=cold)
        assert called.message.tool_calls is not None
        assert called.message.tool_calls[0].function.arguments == {"city": "Paris"}
        result = {"role": "tool", "tool_name": "get_weather", "content": "Rain, 12 degrees."}
        assert sdk.chat(model="default", messages=[*RAIN, called.message, result], options=cold).message.content
        schema = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}
        assert "Paris" in str(
            sdk.generate(model="default", prompt=ASK[0]["content"], format=schema, options=cold).response
        )
        assert len(sdk.embed(model="default-embedding", input="a cat").embeddings[0]) == 384
        assert "completion" in (sdk.show("default").capabilities or [])


def test_what_a_real_engine_cannot_see_is_refused(small: tuple[Installation, str], tmp_path: Path) -> None:
    pai, key = small
    image = tmp_path / "a.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n")
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    with ollama.Client(host=pai.url, headers={"Authorization": f"Bearer {key}"}, verify=trusted) as sdk:
        with pytest.raises(ollama.ResponseError, match="image-input"):
            sdk.generate(model="default", prompt="what?", images=[str(image)])
        shown = sdk.show("default-embedding")
        assert shown.capabilities == ["embedding"]
        with pytest.raises(ollama.ResponseError) as wrong:
            sdk.chat(model="default-embedding", messages=ASK)
        assert wrong.value.status_code == 400
