"""OpenAI's SDK for Python: models, chats, streams, tools, completions, embeddings, errors."""

import os

import openai

sdk = openai.OpenAI(base_url=f"{os.environ['PAI_URL']}/v1", api_key=os.environ["PAI_API_KEY"])
assert "default" in [model.id for model in sdk.models.list()]
ask = [{"role": "user", "content": "Say one word."}]
whole = sdk.chat.completions.with_raw_response.create(model="default", messages=ask, max_tokens=20)
assert whole.headers["x-request-id"].startswith("req_")
assert whole.parse().choices[0].message.content
assert whole.parse()._request_id == whole.headers["x-request-id"]
chunks = list(sdk.chat.completions.create(model="default", messages=ask, max_tokens=20, stream=True))
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tool = {"type": "function", "function": {"name": "get_weather", "parameters": parameters}}
called = sdk.chat.completions.create(model="default", messages=ask, tools=[tool], tool_choice="required", max_tokens=50)
call = called.choices[0].message.tool_calls[0]
assert call.function.name == "get_weather"
history = [*ask, called.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
assert sdk.chat.completions.create(model="default", messages=history, max_tokens=20).choices[0].message.content
assert sdk.completions.create(model="default", prompt="one two", max_tokens=5).choices[0].text
assert len(sdk.embeddings.create(model="default-embedding", input=["a", "b"]).data) == 2
for wrong, kind in (
    ({"model": "no-such-model", "messages": ask}, openai.NotFoundError),
    ({"model": "default", "messages": ask, "temperature": 9}, openai.BadRequestError),
    (
        {
            "model": "default",
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}],
                }
            ],
        },
        openai.BadRequestError,
    ),
):
    try:
        sdk.chat.completions.create(**wrong)
        raise SystemExit(f"not refused: {wrong}")
    except kind as error:
        told = error.request_id
    assert told
print("models, chats, streams, tools, completions, embeddings, errors")
