"""LiteLLM by all three dialects, OpenAI's, Anthropic's and Ollama's; and what it has besides of OpenAI's."""

import json
import os

import litellm

url, key = os.environ["PAI_URL"], os.environ["PAI_API_KEY"]
places = {
    "openai/default": {"api_base": f"{url}/v1", "api_key": key},
    "anthropic/default": {"api_base": url, "api_key": key},
    "ollama_chat/default": {"api_base": url, "api_key": key},
}
asked = [{"role": "user", "content": "Call get_weather for Paris."}]
parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tool = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tells the weather.", "parameters": parameters},
}
for name, place in places.items():
    place["max_tokens"] = 100
    whole = litellm.completion(model=name, messages=asked, **place)
    assert whole.choices[0].message.content, name
    assert whole.usage.completion_tokens > 0, name
    parts = litellm.completion(model=name, messages=asked, stream=True, **place)
    assert "".join(part.choices[0].delta.content or "" for part in parts), name
    chosen = {} if name.startswith("ollama") else {"tool_choice": "required"}
    called = litellm.completion(model=name, messages=asked, tools=[tool], **chosen, **place)
    calls = called.choices[0].message.tool_calls
    assert calls, name
    assert calls[0].function.name == "get_weather", name
    history = [
        *asked,
        called.choices[0].message.model_dump(),
        {"role": "tool", "tool_call_id": calls[0].id, "content": "rain"},
    ]
    assert litellm.completion(model=name, messages=history, tools=[tool], **place).choices, name
    try:
        litellm.completion(model=f"{name}-missing", messages=asked, **place)
        raise SystemExit(f"not refused: {name}")
    except (litellm.NotFoundError, litellm.APIConnectionError):
        pass  # of Ollama's errors it knows no kinds
embedded = litellm.embedding(model="openai/default-embedding", input=["a", "b"], api_base=f"{url}/v1", api_key=key)
assert len(embedded.data) == 2
allowed = {"dimensions": 64, "allowed_openai_params": ["dimensions"]}  # it knows OpenAI's own names of models only
shorter = litellm.embedding(model="openai/default-embedding", input="a b", api_base=f"{url}/v1", api_key=key, **allowed)
assert len(shorter.data[0]["embedding"]) == 64
place = places["openai/default"]
city = {"name": "city", "schema": {**parameters, "additionalProperties": False}, "strict": True}
form = {"type": "json_schema", "json_schema": city}
told = litellm.completion(model="openai/default", messages=asked, response_format=form, logprobs=True, **place)
assert set(json.loads(told.choices[0].message.content)) == {"city"}
assert told.choices[0].logprobs.content
place = {"model": "openai/default", "api_base": f"{url}/v1", "api_key": key}
first = litellm.responses(input="Say one word.", store=True, **place)
assert first.output[0].content[0].text
kinds = [event.type for event in litellm.responses(input="Say one word.", stream=True, **place)]
assert kinds[-1] == "response.completed"
scored = litellm.moderation(input="a letter", model="omni-moderation-latest", api_base=f"{url}/v1", api_key=key)
assert len(scored.results) == 1
ordered = litellm.rerank(
    model="jina_ai/default-reranker", query="when does the ferry leave", api_base=f"{url}/v1/rerank", api_key=key,
    documents=["the cat sat", "the ferry leaves at noon"],
)  # fmt: skip
assert ordered.results[0]["index"] == 1
print("chats, streams, tools, errors by three dialects; embeddings, schemas, logprobs, responses, moderations, rerank")
