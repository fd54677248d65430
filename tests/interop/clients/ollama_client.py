"""Ollama's SDK: lists, chats, streams, tools, schemas, texts, embeddings, errors."""

import json
import os

import ollama

sdk = ollama.Client(host=os.environ["PAI_URL"], headers={"Authorization": f"Bearer {os.environ['PAI_API_KEY']}"})
ask = [{"role": "user", "content": "Say one word."}]
assert any(model.model.startswith("default") for model in sdk.list().models)
assert "completion" in sdk.show("default").capabilities
assert sdk.chat(model="default", messages=ask, options={"num_predict": 20}).message.content
parts = list(sdk.chat(model="default", messages=ask, options={"num_predict": 20}, stream=True))
assert "".join(part.message.content or "" for part in parts)
assert parts[-1].done
assert parts[-1].eval_count > 0
assert sdk.generate(model="default", prompt="one two", options={"num_predict": 5}).response
assert "".join(part.response for part in sdk.generate(model="default", prompt="one two", stream=True))


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"rain in {city}"


asked = [{"role": "user", "content": "Call get_weather for Paris."}]
called = sdk.chat(model="default", messages=asked, tools=[get_weather], options={"num_predict": 60})
assert called.message.content or called.message.tool_calls
if called.message.tool_calls:
    told = [*asked, called.message, {"role": "tool", "tool_name": "get_weather", "content": "rain"}]
    assert sdk.chat(model="default", messages=told, options={"num_predict": 20}).message.content
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
assert set(json.loads(sdk.chat(model="default", messages=ask, format=schema).message.content)) == {"city"}
assert len(sdk.embed(model="default-embedding", input=["a", "b"]).embeddings) == 2
assert len(sdk.embed(model="default-embedding", input="a", dimensions=8).embeddings[0]) == 8
assert sdk.ps().models
for call in (lambda: sdk.chat(model="no-such-model", messages=ask), lambda: sdk.show("no-such-model")):
    try:
        call()
        raise SystemExit("not refused")
    except ollama.ResponseError as error:
        status = error.status_code
    assert status == 404
print("lists, chats, streams, tools, schemas, texts, embeddings, errors")
