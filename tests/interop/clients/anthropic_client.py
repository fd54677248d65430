"""Anthropic's SDK: models, messages, streams, tools, counting, errors."""

import os

import anthropic

sdk = anthropic.Anthropic(base_url=os.environ["PAI_URL"], api_key=os.environ["PAI_API_KEY"])
ask = {"model": "default", "max_tokens": 50, "messages": [{"role": "user", "content": "Say one word."}]}
assert "default" in [model.id for model in sdk.models.list()]
assert sdk.models.retrieve("default").id
whole = sdk.messages.create(system="Be kind.", **ask)
assert whole.content[0].text
assert whole.usage.output_tokens > 0
assert whole._request_id.startswith("req_")
assert sdk.messages.count_tokens(model="default", messages=ask["messages"]).input_tokens > 0
with sdk.messages.stream(**ask) as stream:
    assert "".join(stream.text_stream)
    assert stream.get_final_message().stop_reason in ("end_turn", "max_tokens")
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"name": "get_weather", "description": "Tells the weather.", "input_schema": schema}]
called = sdk.messages.create(tools=tools, tool_choice={"type": "any"}, **ask)
use = next(block for block in called.content if block.type == "tool_use")
assert (use.name, called.stop_reason) == ("get_weather", "tool_use")
assert isinstance(use.input["city"], str)
with sdk.messages.stream(tools=tools, tool_choice={"type": "tool", "name": "get_weather"}, **ask) as stream:
    assert isinstance(stream.get_final_message().content[-1].input["city"], str)
result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
told = [*ask["messages"], {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
assert sdk.messages.create(tools=tools, **{**ask, "messages": told}).content
for wrong, kind in (
    ({"model": "no-such-model"}, anthropic.NotFoundError),
    ({"max_tokens": 0}, anthropic.BadRequestError),
):
    try:
        sdk.messages.create(**{**ask, **wrong})
        raise SystemExit(f"not refused: {wrong}")
    except kind as error:
        told = error.request_id
    assert told
try:
    sdk.with_options(api_key="no-such-key").messages.create(**ask)
    raise SystemExit("a stranger was not refused")
except anthropic.AuthenticationError:
    pass
print("models, messages, streams, tools, counting, errors")
