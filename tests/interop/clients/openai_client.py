"""OpenAI's SDK for Python: chats, tools, schemas, embeddings, responses, files, stores, batches, moderations, errors."""

import base64
import json
import math
import os
import struct
import time

import openai

sdk = openai.OpenAI(base_url=f"{os.environ['PAI_URL']}/v1", api_key=os.environ["PAI_API_KEY"])
ASK = [{"role": "user", "content": "Say one word."}]
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
FORM = {"name": "city", "schema": CITY, "strict": True}
LETTER = b"The ferry to Harbour Island leaves at 14:40 from pier nine. Mrs Terwilliger keeps the timetable.\n"
QUESTION = "When does the ferry to Harbour Island leave?"


def chats():
    assert "default" in [model.id for model in sdk.models.list()]
    assert sdk.models.retrieve("default").id
    whole = sdk.chat.completions.with_raw_response.create(model="default", messages=ASK, max_tokens=20)
    assert whole.headers["x-request-id"].startswith("req_")
    assert whole.parse().choices[0].message.content
    assert whole.parse()._request_id == whole.headers["x-request-id"]
    more = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(sdk.chat.completions.create(model="default", messages=ASK, max_tokens=20, **more))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage.completion_tokens > 0
    told = sdk.chat.completions.create(model="default", messages=ASK, max_tokens=5, n=2, logprobs=True, top_logprobs=2)
    assert len(told.choices) == 2
    for choice in told.choices:
        assert all(one.logprob <= 0 and one.bytes for one in choice.logprobs.content)
        assert all(len(one.top_logprobs) <= 2 for one in choice.logprobs.content)
    with sdk.chat.completions.stream(model="default", messages=ASK, max_tokens=20) as stream:
        assert stream.get_final_completion().choices[0].message.content
    assert sdk.completions.create(model="default", prompt="one two", max_tokens=5).choices[0].text


def tools_and_schemas():
    asked = {"model": "default", "messages": ASK, "tools": [TOOL], "tool_choice": "required", "max_tokens": 50}
    called = sdk.chat.completions.create(**asked)
    call = called.choices[0].message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    deltas = [chunk.choices[0].delta for chunk in sdk.chat.completions.create(**asked, stream=True) if chunk.choices]
    pieces = [one for delta in deltas for one in delta.tool_calls or ()]
    assert pieces[0].function.name == "get_weather"
    assert json.loads("".join(one.function.arguments or "" for one in pieces))["city"] is not None
    history = [*ASK, called.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    assert sdk.chat.completions.create(model="default", messages=history, max_tokens=20).choices[0].message.content
    form = {"type": "json_schema", "json_schema": FORM}
    told = sdk.chat.completions.create(model="default", messages=ASK, response_format=form, max_tokens=100)
    assert set(json.loads(told.choices[0].message.content)) == {"city"}


def embeddings():
    whole = sdk.embeddings.create(model="default-embedding", input=["a", "b"], encoding_format="float")
    assert [one.index for one in whole.data] == [0, 1]
    text = "when does the ferry to Harbour Island leave"
    short = sdk.embeddings.create(model="default-embedding", input=text, dimensions=256, encoding_format="float")
    vector = short.data[0].embedding
    assert len(vector) == 256
    assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-3)
    raw = sdk.embeddings.create(model="default-embedding", input=text, dimensions=256, encoding_format="base64")
    packed = base64.b64decode(raw.data[0].embedding)
    assert list(struct.unpack("<256f", packed)) == vector
    silent = sdk.embeddings.create(
        model="default-embedding", input=text, dimensions=256
    )  # it asks for base64 by itself
    assert list(silent.data[0].embedding) == vector


def responses():
    first = sdk.responses.create(model="default", input="Say one word.", store=True, metadata={"case": "7"})
    assert first.output_text
    assert sdk.responses.retrieve(first.id).output_text == first.output_text
    with sdk.responses.stream(
        model="default", input="And another.", previous_response_id=first.id, store=True, max_output_tokens=20
    ) as stream:
        assert "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        second = stream.get_final_response()
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens
    assert [item.type for item in sdk.responses.input_items.list(first.id)] == ["message"]
    tool = {"type": "function", **TOOL["function"], "strict": True}
    called = sdk.responses.create(model="default", input="Weather?", tools=[tool], tool_choice="required").output[0]
    assert called.name == "get_weather"
    history = [{"role": "user", "content": "Weather?"}, called]
    history.append({"type": "function_call_output", "call_id": called.call_id, "output": "rain"})
    assert sdk.responses.create(model="default", input=history, max_output_tokens=20).output_text
    form = {"format": {"type": "json_schema", **FORM}}
    assert set(json.loads(sdk.responses.create(model="default", input="Oslo", text=form).output_text)) == {"city"}
    for one in (first, second):
        sdk.responses.delete(one.id)
    refused(openai.NotFoundError, sdk.responses.retrieve, first.id)


def files_and_stores():
    file = sdk.files.create(file=("letter.txt", LETTER), purpose="assistants")
    assert file.id in [one.id for one in sdk.files.list()]
    assert sdk.files.content(file.id).read() == LETTER
    store = sdk.vector_stores.create(name=f"ferries {time.time_ns()}")
    attached = sdk.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id, poll_interval_ms=100)
    assert attached.status == "completed", attached
    assert [one.status for one in sdk.vector_stores.files.list(store.id)] == ["completed"]
    assert "14:40" in next(iter(sdk.vector_stores.search(store.id, query=QUESTION))).content[0].text
    tool = {"type": "file_search", "vector_store_ids": [store.id]}
    include = ["file_search_call.results"]
    told = sdk.responses.create(model="default", input=QUESTION, tools=[tool], include=include)
    search, said = told.output
    assert (search.type, search.status) == ("file_search_call", "completed")
    assert "14:40" in search.results[0].text
    assert "14:40" in told.output_text
    assert said.content[0].annotations[0].filename == "letter.txt"
    events = list(sdk.responses.create(model="default", input=QUESTION, tools=[tool], stream=True))
    kinds = [event.type for event in events]
    assert "response.file_search_call.completed" in kinds
    assert "response.output_text.annotation.added" in kinds
    assert kinds[-1] == "response.completed"
    assert sdk.vector_stores.delete(store.id).deleted
    assert sdk.files.delete(file.id).deleted
    refused(openai.NotFoundError, sdk.files.retrieve, file.id)


def batches():
    url = "/v1/chat/completions"
    body = {"model": "default", "messages": ASK, "max_tokens": 10}
    lines = [json.dumps({"custom_id": f"q{n}", "method": "POST", "url": url, "body": body}) for n in range(3)]
    file = sdk.files.create(file=("requests.jsonl", "\n".join(lines).encode()), purpose="batch")
    batch = sdk.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h", metadata={"case": "7"})
    end = time.monotonic() + 120
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < end, batch
        time.sleep(0.2)
        batch = sdk.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("completed", 3), batch
    told = [json.loads(line) for line in sdk.files.content(batch.output_file_id).text.splitlines()]
    assert [one["custom_id"] for one in told] == ["q0", "q1", "q2"]
    assert all(one["response"]["body"]["choices"][0]["message"]["content"] for one in told)
    assert batch.id in [one.id for one in sdk.batches.list()]


def moderations():
    told = sdk.moderations.create(input=["I want to kill myself", "a letter about ferries"])
    assert len(told.results) == 2
    assert all(0 <= one.category_scores.self_harm <= 1 for one in told.results)


def errors():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    create = sdk.chat.completions.create
    refused(openai.NotFoundError, create, model="no-such-model", messages=ASK)
    refused(openai.BadRequestError, create, model="default", messages=ASK, temperature=9)
    refused(openai.BadRequestError, create, model="default", messages=[{"role": "user", "content": [image]}])
    refused(openai.BadRequestError, sdk.embeddings.create, model="default-embedding", input="a", dimensions=60_000)
    refused(openai.NotFoundError, sdk.vector_stores.retrieve, "no-such-store")
    stranger = sdk.with_options(api_key="no-such-key")
    refused(openai.AuthenticationError, stranger.chat.completions.create, model="default", messages=ASK)


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
        raise SystemExit(f"not refused: {args} {kwargs}")
    except kind as error:
        told = error.request_id
    assert told


for part in (chats, tools_and_schemas, embeddings, responses, files_and_stores, batches, moderations, errors):
    part()
print("chats, tools, schemas, logprobs, embeddings, responses, files, stores, batches, moderations, errors")
