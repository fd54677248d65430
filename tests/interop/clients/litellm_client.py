"""LiteLLM by all three dialects: OpenAI's, Anthropic's and Ollama's."""

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
print("chats, streams, tools and errors by three dialects, embeddings")
