"""PAI's answers, whole and streamed, against the OpenAPI descriptions of the three vendors' dialects that llm-comply ships."""

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import httpx
import llm_comply
from llm_comply.schema import SpecLoader

warnings.simplefilter("ignore", DeprecationWarning)
SHIPPED = Path(llm_comply.__file__).parent / "specs"


def openai() -> SpecLoader:
    """OpenAI's description says of much only that it may be missing; its own examples and answers say null there."""
    described = json.loads((SHIPPED / "openai_chat.json").read_text())
    allow_null(described["components"])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(described, file)
        file.flush()
        return SpecLoader(file.name)


def allow_null(value: object) -> None:
    if isinstance(value, list):
        for one in value:
            allow_null(one)
    if not isinstance(value, dict):
        return
    if value.get("nullable") and "enum" in value:
        value["enum"] = [*value["enum"], None]
    fields = value.get("properties")
    if isinstance(fields, dict):
        for name in fields.keys() - set(value.get("required", ())):
            fields[name] = {"anyOf": [fields[name], {"type": "null"}]}
    for one in value.values():
        allow_null(one)


OPENAI = openai()
OPEN = SpecLoader(str(SHIPPED / "openresponses.json"))
ANTHROPIC = SpecLoader(str(SHIPPED / "anthropic.json"))
web = httpx.Client(
    base_url=os.environ["PAI_URL"], timeout=120, headers={"authorization": f"Bearer {os.environ['PAI_API_KEY']}"}
)
VERSION = {"anthropic-version": "2023-06-01"}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = {"name": "get_weather", "description": "Tells the weather.", "parameters": CITY, "strict": True}
CHAT = {"model": "default", "messages": [{"role": "user", "content": "Say one word."}], "max_tokens": 40}
MESSAGE = {"model": "default", "messages": CHAT["messages"], "max_tokens": 40}
QUESTION = "When does the ferry to Harbour Island leave?"
KNOWN = {
    "CreateCompletionResponse: choices.0.finish_reason: None is not": "in a stream it is null until the end: an answer of OpenAI too",
    "MessageStreamEvent: {'type': 'ping'} is not": "Anthropic's guide to streams has it, its description has not",
    # Open Responses describes the schema of a text's form as null and nothing else; OpenAI's SDK reads what PAI sends.
    "ResponseResource: text.format: {'description': None": "the description forbids the schema itself",
    "response.created: response.text.format: {'description': None": "likewise",
    "response.in_progress: response.text.format: {'description': None": "likewise",
    "response.completed: response.text.format: {'description': None": "likewise",
}
"""How a deviation that stays begins, and why it stays."""
wrong: dict[str, int] = {}
checked: set[str] = set()


def check(spec: SpecLoader, name: str, value: object) -> None:
    checked.add(name)
    note(name, spec.validate(value, name))


def note(name: str, errors: list[str]) -> None:
    for error in errors:
        told = f"{name}: {error}"
        if not told.startswith(tuple(KNOWN)):
            wrong[told[:600]] = wrong.get(told[:600], 0) + 1


def ask(spec: SpecLoader, name: str, method: str, path: str, status: int = 200, **more: object) -> dict:
    answer = web.request(method, path, **more)
    assert answer.status_code == status, f"{path}: {answer.text[:300]}"
    check(spec, name, answer.json())
    return answer.json()


def stream(path: str, body: dict, headers: dict | None = None) -> list[dict]:
    answer = web.post(path, json={**body, "stream": True}, headers=headers)
    assert answer.status_code == 200, answer.text[:300]
    found = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(one) for one in found if one != "[DONE]"]


def chats() -> None:
    tools = {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"}
    form = {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}}
    for more in ({}, {"n": 2, "logprobs": True, "top_logprobs": 2}, tools, form):
        ask(OPENAI, "CreateChatCompletionResponse", "POST", "/v1/chat/completions", json={**CHAT, **more})
        usage = {"stream_options": {"include_usage": True}}
        for chunk in stream("/v1/chat/completions", {**CHAT, **more, **usage}):
            check(OPENAI, "CreateChatCompletionStreamResponse", chunk)
    text = {"model": "default", "prompt": ["one two", "three"], "max_tokens": 5, "logprobs": 1}
    ask(OPENAI, "CreateCompletionResponse", "POST", "/v1/completions", json=text)
    for chunk in stream("/v1/completions", text):
        check(OPENAI, "CreateCompletionResponse", chunk)
    ask(OPENAI, "ErrorResponse", "POST", "/v1/chat/completions", 404, json={**CHAT, "model": "no-such-model"})
    ask(OPENAI, "ErrorResponse", "POST", "/v1/chat/completions", 400, json={**CHAT, "temperature": 9})


def lists_and_scores() -> None:
    ask(OPENAI, "ListModelsResponse", "GET", "/v1/models")
    ask(OPENAI, "Model", "GET", "/v1/models/default")
    ask(
        OPENAI, "CreateEmbeddingResponse", "POST", "/v1/embeddings", json={"model": "default-embedding", "input": "a b"}
    )
    ask(OPENAI, "CreateModerationResponse", "POST", "/v1/moderations", json={"input": ["a letter", "another"]})


def files_stores_and_responses() -> None:
    letter = b"The ferry to Harbour Island leaves at 14:40 from pier nine.\n"
    sent = {"data": {"purpose": "assistants"}, "files": {"file": ("letter.txt", letter)}}
    file = ask(OPENAI, "OpenAIFile", "POST", "/v1/files", **sent)["id"]
    ask(OPENAI, "OpenAIFile", "GET", f"/v1/files/{file}")
    ask(OPENAI, "ListFilesResponse", "GET", "/v1/files")
    made = {"name": f"schemas {time.time_ns()}"}
    store = ask(OPENAI, "VectorStoreObject", "POST", "/v1/vector_stores", json=made)["id"]
    within = f"/v1/vector_stores/{store}"
    one = ask(OPENAI, "VectorStoreFileObject", "POST", f"{within}/files", json={"file_id": file})
    end = time.monotonic() + 60
    while one["status"] == "in_progress":
        assert time.monotonic() < end
        time.sleep(0.1)
        one = ask(OPENAI, "VectorStoreFileObject", "GET", f"{within}/files/{file}")
    ask(OPENAI, "VectorStoreObject", "GET", within)
    ask(OPENAI, "ListVectorStoresResponse", "GET", "/v1/vector_stores")
    ask(OPENAI, "ListVectorStoreFilesResponse", "GET", f"{within}/files")
    ask(OPENAI, "VectorStoreSearchResultsPage", "POST", f"{within}/search", json={"query": QUESTION})
    responses(store)
    ask(OPENAI, "DeleteVectorStoreFileResponse", "DELETE", f"{within}/files/{one['id']}")
    ask(OPENAI, "DeleteVectorStoreResponse", "DELETE", within)
    ask(OPENAI, "DeleteFileResponse", "DELETE", f"/v1/files/{file}")


def responses(store: str) -> None:
    asked = {"model": "default", "input": QUESTION, "store": True, "max_output_tokens": 60}
    function = {"tools": [{"type": "function", **FUNCTION}], "tool_choice": "required"}
    form = {"text": {"format": {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}}}
    logprobs = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
    for more in ({}, function, form, logprobs, {"reasoning": {"effort": "low"}}, {"max_output_tokens": 1}):
        told = ask(OPEN, "ResponseResource", "POST", "/v1/responses", json={**asked, **more})
        check(OPENAI, "Response", told)
        events(OPEN, {**asked, **more})
    # Open Responses knows no search of files; OpenAI's description does.
    search = {"tools": [{"type": "file_search", "vector_store_ids": [store]}], "include": ["file_search_call.results"]}
    found = ask(OPENAI, "Response", "POST", "/v1/responses", json={**asked, **search})
    for event in stream("/v1/responses", {**asked, **search}):
        check(OPENAI, "ResponseStreamEvent", event)
    ask(OPENAI, "Response", "GET", f"/v1/responses/{found['id']}")
    ask(OPENAI, "ResponseItemList", "GET", f"/v1/responses/{found['id']}/input_items")


def events(spec: SpecLoader, body: dict) -> None:
    for event in stream("/v1/responses", body):
        checked.add(event["type"])
        note(event["type"], spec.validate_sse_event(event["type"], event))


def batches() -> None:
    url = "/v1/chat/completions"
    line = json.dumps({"custom_id": "a", "method": "POST", "url": url, "body": CHAT}).encode()
    sent = {"data": {"purpose": "batch"}, "files": {"file": ("requests.jsonl", line)}}
    file = ask(OPENAI, "OpenAIFile", "POST", "/v1/files", **sent)["id"]
    made = {"input_file_id": file, "endpoint": url, "completion_window": "24h"}
    batch = ask(OPENAI, "Batch", "POST", "/v1/batches", json=made)
    end = time.monotonic() + 60
    while batch["status"] in ("validating", "in_progress", "finalizing"):
        assert time.monotonic() < end
        time.sleep(0.1)
        batch = ask(OPENAI, "Batch", "GET", f"/v1/batches/{batch['id']}")
    told = web.get(f"/v1/files/{batch['output_file_id']}/content").json()
    check(OPENAI, "BatchRequestOutput", told)
    check(OPENAI, "CreateChatCompletionResponse", told["response"]["body"])
    ask(OPENAI, "ListBatchesResponse", "GET", "/v1/batches")


def messages() -> None:
    tool = {"name": "get_weather", "input_schema": CITY}
    for more in ({}, {"tools": [tool], "tool_choice": {"type": "any"}}, {"stop_sequences": ["e"]}):
        ask(ANTHROPIC, "Message", "POST", "/v1/messages", json={**MESSAGE, **more}, headers=VERSION)
        for event in stream("/v1/messages", {**MESSAGE, **more}, VERSION):
            check(ANTHROPIC, "MessageStreamEvent", event)
    counted = {"model": "default", "messages": CHAT["messages"]}
    ask(ANTHROPIC, "CountMessageTokensResponse", "POST", "/v1/messages/count_tokens", json=counted, headers=VERSION)
    ask(ANTHROPIC, "ListResponse_ModelInfo_", "GET", "/v1/models", headers=VERSION)
    ask(ANTHROPIC, "ModelInfo", "GET", "/v1/models/default", headers=VERSION)
    ask(ANTHROPIC, "ErrorResponse", "POST", "/v1/messages", 400, json={**MESSAGE, "max_tokens": 0}, headers=VERSION)


for part in (chats, lists_and_scores, files_stores_and_responses, batches, messages):
    part()
for told, count in wrong.items():
    print(f"{count} x {told}", file=sys.stderr)
if wrong:
    sys.exit(f"{len(wrong)} kinds of deviation")
print(f"{len(checked)} schemas and events of three descriptions are kept")
