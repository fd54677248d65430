"""Vector stores, and searches in them, as OpenAI's own SDK uses them."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import openai
import pytest
from openai.types import VectorStore
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch

from installation import Installation

LETTER = b"The ferry to Harbour Island leaves at 14:40 from pier nine.\nMaud Terwilliger keeps the timetable.\n"


@pytest.fixture(scope="module")
def store(sdk: openai.OpenAI) -> VectorStore:
    """A collection with one letter in it."""
    made = sdk.vector_stores.create(name="ferries", metadata={"label": "internal", "purpose": "travel"})
    done = sdk.vector_stores.files.upload_and_poll(
        vector_store_id=made.id, file=("letter.txt", LETTER), poll_interval_ms=50
    )
    assert done.status == "completed", done
    return made


def test_a_vector_store_is_a_collection(sdk: openai.OpenAI, web: httpx.Client, store: VectorStore) -> None:
    listed = web.get("/pai/v1/collections").json()["collections"]
    [collection] = [one for one in listed if one["id"] == store.id]
    assert (collection["name"], collection["label"], collection["purpose"]) == ("ferries", "internal", "travel")
    found = sdk.vector_stores.retrieve(store.id)
    VectorStore.model_validate(found.to_dict(), strict=True)
    assert (found.file_counts.completed, found.usage_bytes, found.status) == (1, len(LETTER), "completed")
    assert store.id in [one.id for one in sdk.vector_stores.list(limit=2)]
    [document] = web.get(f"/pai/v1/collections/{store.id}/documents").json()["documents"]
    [file] = sdk.vector_stores.files.list(store.id)
    VectorStoreFile.model_validate(file.to_dict(), strict=True)
    assert (file.id, file.status, file.vector_store_id) == (document["id"], "completed", store.id)
    assert sdk.vector_stores.update(store.id, name="boats").name == "boats"
    assert sdk.vector_stores.update(store.id, name="ferries").name == "ferries"
    with pytest.raises(openai.ConflictError):
        sdk.vector_stores.create(name="ferries")


def test_a_file_goes_in_and_out_of_a_store(sdk: openai.OpenAI, web: httpx.Client) -> None:
    file = sdk.files.create(file=("a.txt", b"The gate code is 7714.\n"), purpose="assistants")
    made = sdk.vector_stores.create(name="gates", file_ids=[file.id])
    done = sdk.vector_stores.files.poll(file.id, vector_store_id=made.id, poll_interval_ms=50)
    assert (done.status, done.id) == ("completed", file.id)
    broken = sdk.vector_stores.files.upload_and_poll(
        vector_store_id=made.id, file=("b.pdf", b"no pdf"), poll_interval_ms=50
    )
    assert broken.status == "failed"
    assert broken.last_error is not None
    assert broken.last_error.code == "invalid_file"
    assert sdk.vector_stores.files.delete(file.id, vector_store_id=made.id).deleted
    assert [*sdk.vector_stores.files.list(made.id)] == []
    with pytest.raises(openai.NotFoundError):
        sdk.vector_stores.files.retrieve(file.id, vector_store_id=made.id)
    assert sdk.files.retrieve(file.id).id == file.id, "the file itself stays"
    with pytest.raises(openai.NotFoundError):
        sdk.vector_stores.create(name="never made", file_ids=["file_00000000000000000000000000"])
    assert "never made" not in [one["name"] for one in web.get("/pai/v1/collections").json()["collections"]]
    assert sdk.vector_stores.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.vector_stores.retrieve(made.id)


def test_passages_are_found(sdk: openai.OpenAI, served: Installation, store: VectorStore) -> None:
    [found] = sdk.vector_stores.search(store.id, query="When does the ferry leave?", max_num_results=1)
    assert (found.filename, found.content[0].type) == ("letter.txt", "text")
    assert "14:40" in found.content[0].text
    assert 0 < found.score <= 1
    assert [
        *sdk.vector_stores.search(store.id, query=["ferry", "pier"], ranking_options={"score_threshold": 1.0})
    ] == []
    with served.web(served.key("audit")) as auditor:
        events = auditor.get("/pai/v1/audit/events", params={"resource": store.id, "limit": 5}).json()["events"]
    [asked] = [event for event in events if event["name"] == "knowledge:collection:ask" and event["documents"]]
    assert asked["documents"] == [found.file_id]


def tool(store: VectorStore, **options: Any) -> Any:
    return {"type": "file_search", "vector_store_ids": [store.id], **options}


def test_a_response_searches_and_cites_what_it_found(sdk: openai.OpenAI, web: httpx.Client, store: VectorStore) -> None:
    [document] = sdk.vector_stores.files.list(store.id)
    include: Any = ["file_search_call.results"]
    told = sdk.responses.create(
        model="default", input="When does the ferry leave?", tools=[tool(store)], include=include
    )
    search, said = told.output
    assert search.type == "file_search_call"
    assert (search.status, search.queries) == ("completed", ["When does the ferry leave?"])
    assert search.results is not None
    assert search.results[0].file_id == document.id
    assert said.type == "message"
    assert told.output_text == "The ferry to Harbour Island leaves at 14:40 from pier nine. [1]"
    [cited] = said.content[0].annotations  # type: ignore[union-attr]
    assert (cited.type, cited.file_id, cited.filename) == ("file_citation", document.id, "letter.txt")  # type: ignore[union-attr]
    assert cited.quote == "The ferry to Harbour Island leaves at 14:40 from pier nine."  # type: ignore[union-attr]
    plain = sdk.responses.create(model="default", input="When does the ferry leave?", tools=[tool(store)])
    assert plain.output[0].results is None  # type: ignore[union-attr]
    none = sdk.responses.create(model="default", input="When?", tools=[tool(store)], tool_choice="none")
    assert [item.type for item in none.output] == ["message"]


def test_the_events_of_a_search(sdk: openai.OpenAI, store: VectorStore) -> None:
    stream = sdk.responses.create(
        model="default",
        input="When does the ferry leave?",
        tools=[tool(store)],
        tool_choice="required",
        stream=True,
        store=True,
    )
    told = list(stream)
    names = [event.type for event in told]
    assert names[2:7] == [
        "response.output_item.added", "response.file_search_call.in_progress", "response.file_search_call.searching",
        "response.file_search_call.completed", "response.output_item.done",
    ]  # fmt: skip
    assert names.index("response.output_text.annotation.added") < names.index("response.output_text.done")
    last = told[-1]
    assert last.type == "response.completed"
    assert sdk.responses.retrieve(last.response.id).output == last.response.output


def test_the_log_tells_which_documents_were_shown_and_cited(
    sdk: openai.OpenAI, served: Installation, store: VectorStore
) -> None:
    [document] = sdk.vector_stores.files.list(store.id)
    sdk.responses.create(model="default", input="Who keeps the timetable?", tools=[tool(store)])
    with served.web(served.key("audit")) as auditor:
        events = auditor.get("/pai/v1/audit/events", params={"resource": store.id, "limit": 2}).json()["events"]
    assert [event["name"] for event in events] == ["knowledge:collection:answer", "knowledge:collection:ask"]
    assert events[0]["sources"] == events[1]["documents"] == [document.id]
    assert "Terwilliger" not in str(events)


def test_strangers_and_lesser_keys_search_nothing(served: Installation, store: VectorStore) -> None:
    body = {"model": "default", "input": "When does the ferry leave?", "tools": [tool(store)]}
    with served.web(served.member("ferries@pai.test")) as stranger:
        assert stranger.post("/v1/responses", json=body).status_code == 404
        assert stranger.get("/v1/files").json()["data"] == []
    with served.web(served.key("inference")) as lesser:
        assert lesser.post("/v1/responses", json=body).status_code == 403
        assert lesser.get(f"/v1/vector_stores/{store.id}").status_code == 403
    with served.web(served.key("inference", owner="ferries@pai.test")) as console:
        # Whoever holds the console can make such a key for a member; it opens no content.
        answer = console.post("/v1/files", data={"purpose": "user_data"}, files={"file": ("a.txt", b"x")})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "locked")
        assert console.get("/v1/files").status_code == 403


STRANGE: list[Any] = [
    None,
    [],
    {},
    5,
    -1,
    10**30,
    True,
    "",
    "\ud800",
    ["\ud800"],
    [[]],
    {"a": {"b": [None]}},
    [{"type": "x"}],
    "x" * 3000,
]


@pytest.mark.parametrize(
    ("path", "good", "field"),
    [
        *[("", {}, name) for name in ("name", "file_ids", "metadata", "chunking_strategy", "expires_after", "unknown")],
        *[("/{store}", {}, name) for name in ("name", "metadata", "expires_after")],
        *[("/{store}/file_batches", {"file_ids": ["x"]}, name) for name in ("file_ids", "files", "chunking_strategy")],
        *[("/{store}/files", {"file_id": "x"}, name) for name in ("file_id", "attributes", "chunking_strategy")],
        *[
            ("/{store}/search", {"query": "x"}, name)
            for name in ("query", "max_num_results", "filters", "ranking_options", "rewrite_query")
        ],
    ],
)
def test_wrong_types_are_never_a_fault_of_ours(
    web: httpx.Client, store: VectorStore, path: str, good: dict[str, Any], field: str
) -> None:
    for value in STRANGE:
        content = json.dumps({**good, field: value}).encode()
        where = f"/v1/vector_stores{path.format(store=store.id)}"
        answer = web.post(where, content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 404), (field, str(value)[:50], answer.text)


@pytest.mark.parametrize(
    "change",
    [
        {"vector_store_ids": []}, {"vector_store_ids": "x"}, {"vector_store_ids": [5]}, {"max_num_results": 0},
        {"max_num_results": 51}, {"filters": {"type": "eq", "key": "a", "value": "b"}}, {"ranking_options": 5},
        {"ranking_options": {"score_threshold": 2}}, {"ranking_options": {"ranker": "magic"}},
    ],
)  # fmt: skip
def test_wrong_searches_are_400(web: httpx.Client, store: VectorStore, change: dict[str, Any]) -> None:
    answer = web.post("/v1/responses", json={"model": "default", "input": "x", "tools": [{**tool(store), **change}]})
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("name", ["%00", "..%2F..%2Fkeys", "x" * 3000, "file_" + "0" * 26, "%F0%9F%92%A9", "%ED%A0%80"])
def test_ids_that_are_none_are_404(web: httpx.Client, store: VectorStore, name: str) -> None:
    for method, path in (
        ("GET", "/v1/files/{}"), ("GET", "/v1/files/{}/content"), ("DELETE", "/v1/files/{}"), ("GET", "/v1/responses/{}"),
        ("DELETE", "/v1/responses/{}"), ("GET", "/v1/responses/{}/input_items"), ("GET", "/v1/vector_stores/{}"),
        ("GET", "/v1/vector_stores/{}/files"), ("DELETE", "/v1/vector_stores/{}"),
        ("GET", f"/v1/vector_stores/{store.id}/files/{{}}"), ("DELETE", f"/v1/vector_stores/{store.id}/files/{{}}"),
        ("GET", f"/v1/vector_stores/{store.id}/file_batches/{{}}"), ("GET", f"/v1/vector_stores/{store.id}/file_batches/{{}}/files"),
    ):  # fmt: skip
        answer = web.request(method, path.format(name))
        assert answer.status_code == 404, (method, path, answer.text)


def test_a_page_after_what_never_was_is_404(web: httpx.Client, store: VectorStore) -> None:
    for after in ("x", "vs_00000000000000000000000000", "col_", "col_ABC"):
        assert web.get("/v1/vector_stores", params={"after": after}).status_code == 404, after


def test_nobody_elses_file_or_store_can_be_put_together(
    sdk: openai.OpenAI, served: Installation, web: httpx.Client
) -> None:
    mine = sdk.files.create(file=("mine.txt", b"Only mine.\n"), purpose="assistants")
    own = sdk.vector_stores.create(name="not yours")
    with served.web(served.member("attach@pai.test")) as stranger:
        theirs = stranger.post("/v1/vector_stores", json={"name": "theirs"}).json()["id"]
        file = stranger.post("/v1/files", data={"purpose": "assistants"}, files={"file": ("t.txt", b"theirs")}).json()
        for path, body in (
            (f"/v1/vector_stores/{theirs}/files", {"file_id": mine.id}),
            (f"/v1/vector_stores/{own.id}/files", {"file_id": file["id"]}),
            (f"/v1/vector_stores/{own.id}/search", {"query": "mine"}),
            ("/v1/vector_stores", {"name": "another", "file_ids": [mine.id]}),
        ):
            assert stranger.post(path, json=body).status_code == 404, path
        web.post(f"/pai/v1/collections/{own.id}/share", json={"email": "attach@pai.test"}).raise_for_status()
        assert stranger.get(f"/v1/vector_stores/{own.id}").status_code == 200
        assert stranger.post(f"/v1/vector_stores/{own.id}/files", json={"file_id": file["id"]}).status_code == 403
        assert stranger.post(f"/v1/vector_stores/{own.id}/search", json={"query": "mine"}).status_code == 200
        assert stranger.delete(f"/v1/vector_stores/{own.id}").status_code == 403
        assert stranger.get(f"/v1/vector_stores/{own.id}/files/{mine.id}").status_code == 404


def test_a_store_whose_files_cannot_all_be_taken_in_is_not_made(
    sdk: openai.OpenAI, served: Installation, web: httpx.Client
) -> None:
    blobs = served.home / "files"
    before = set(blobs.rglob("blb_*"))
    lost = sdk.files.create(file=("lost.txt", b"Its bytes are lost.\n"), purpose="assistants")
    for path in set(blobs.rglob("blb_*")) - before:
        path.unlink()
    good = sdk.files.create(file=("good.txt", b"This one is there.\n"), purpose="assistants")
    with pytest.raises(openai.NotFoundError):
        sdk.vector_stores.create(name="half a store", file_ids=[good.id, lost.id])
    assert "half a store" not in [one["name"] for one in web.get("/pai/v1/collections").json()["collections"]]


def test_nothing_is_retrieved_for_a_model_that_is_not_there(
    sdk: openai.OpenAI, served: Installation, store: VectorStore
) -> None:
    with served.web(served.key("audit")) as auditor:
        query = {"resource": store.id, "limit": 1}
        before = auditor.get("/pai/v1/audit/events", params=query).json()["events"]
        with pytest.raises(openai.NotFoundError):
            sdk.responses.create(model="wizardry", input="When does the ferry leave?", tools=[tool(store)])
        assert auditor.get("/pai/v1/audit/events", params=query).json()["events"] == before


def test_the_turn_after_a_call_has_the_passages_too(sdk: openai.OpenAI, store: VectorStore) -> None:
    clock: Any = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}
    items: Any = [
        {"role": "user", "content": "When does the ferry leave?"},
        {"type": "function_call", "call_id": "c1", "name": "clock", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "noon"},
    ]
    told = sdk.responses.create(model="default", input=items, tools=[tool(store), clock], tool_choice="required")
    assert told.output[0].type == "file_search_call"
    assert told.output[0].queries == ["When does the ferry leave?"]


# --- files that are put in together ----------------------------------------------------------------------------------


def own_file(sdk: openai.OpenAI, name: str, data: bytes) -> str:
    return sdk.files.create(file=(name, data), purpose="assistants").id


def test_files_go_into_a_store_together(sdk: openai.OpenAI, web: httpx.Client) -> None:
    made = sdk.vector_stores.create(name="together")
    good, same, broken = (
        own_file(sdk, "a.txt", b"One.\n"),
        own_file(sdk, "b.txt", b"One.\n"),
        own_file(sdk, "c.pdf", b"no pdf"),
    )
    batches = sdk.vector_stores.file_batches
    begun = batches.create(made.id, file_ids=[good, same, broken, good])
    VectorStoreFileBatch.model_validate(begun.to_dict(), strict=True)
    assert (begun.vector_store_id, begun.file_counts.total) == (made.id, 3)
    done = batches.poll(begun.id, vector_store_id=made.id, poll_interval_ms=50)
    counts = done.file_counts
    assert (done.status, counts.completed, counts.failed, counts.in_progress) == ("completed", 2, 1, 0)
    [document] = web.get(f"/pai/v1/collections/{made.id}/documents").json()["documents"]
    listed = list(batches.list_files(begun.id, vector_store_id=made.id, limit=1, order="asc"))
    for file in listed:
        VectorStoreFile.model_validate(file.to_dict(), strict=True)
    assert [(file.status, file.id == document["id"]) for file in listed] == [("completed", True), ("failed", False)]
    assert [file.status for file in batches.list_files(begun.id, vector_store_id=made.id, filter="failed")] == [
        "failed"
    ]
    assert batches.cancel(begun.id, vector_store_id=made.id).status == "completed", "what has ended stays as it is"


def test_the_sdk_uploads_and_waits_for_all(sdk: openai.OpenAI) -> None:
    made = sdk.vector_stores.create(name="uploaded")
    names = [(f"{n}.txt", b"Page %d.\n" % n) for n in range(5)]
    done = sdk.vector_stores.file_batches.upload_and_poll(made.id, files=names, poll_interval_ms=50)
    assert (done.status, done.file_counts.completed) == ("completed", 5)
    assert sdk.vector_stores.retrieve(made.id).file_counts.completed == 5


def test_a_batch_that_is_stopped_takes_no_more_in(sdk: openai.OpenAI, web: httpx.Client) -> None:
    made = sdk.vector_stores.create(name="stopped")
    files = [{"file_id": own_file(sdk, f"{n}.txt", b"%d\n" % n)} for n in range(30)]
    begun = sdk.vector_stores.file_batches.create(made.id, files=files)  # type: ignore[arg-type]
    ended = sdk.vector_stores.file_batches.cancel(begun.id, vector_store_id=made.id)
    assert ended.status == "cancelled"
    assert ended.file_counts.cancelled > 0
    assert ended.file_counts.cancelled + ended.file_counts.completed == 30
    time.sleep(0.5)
    documents = web.get(f"/pai/v1/collections/{made.id}/documents").json()["documents"]
    assert (
        len(documents)
        == sdk.vector_stores.file_batches.retrieve(begun.id, vector_store_id=made.id).file_counts.completed
    )


@pytest.mark.parametrize(
    "body",
    [
        {}, {"file_ids": []}, {"file_ids": None}, {"files": []}, {"file_ids": ["x"], "files": [{"file_id": "x"}]}, {"file_ids": "x"},
        {"files": [{}]}, {"files": [{"file_id": "x", "attributes": {"a": "b"}}]}, {"file_ids": ["x"], "attributes": {"a": "b"}},
        {"file_ids": ["x"] * 2001}, {"file_ids": [5]}, {"files": "x"}, {"file_ids": ["x"], "chunking_strategy": {"type": "static"}},
    ],
)  # fmt: skip
def test_wrong_batches_are_400(web: httpx.Client, store: VectorStore, body: dict[str, Any]) -> None:
    answer = web.post(f"/v1/vector_stores/{store.id}/file_batches", json=body)
    assert answer.status_code == 400, answer.text


def test_a_batch_with_a_file_that_is_not_there_puts_nothing_in(sdk: openai.OpenAI, store: VectorStore) -> None:
    good = own_file(sdk, "good.txt", b"Never taken in.\n")
    with pytest.raises(openai.NotFoundError):
        sdk.vector_stores.file_batches.create(store.id, file_ids=[good, "file_00000000000000000000000000"])
    assert sdk.vector_stores.retrieve(store.id).file_counts.total == 1


def test_nobody_elses_batch_is_seen_stopped_or_made(
    sdk: openai.OpenAI, served: Installation, web: httpx.Client
) -> None:
    own, other = sdk.vector_stores.create(name="own batch"), sdk.vector_stores.create(name="another of mine")
    mine = own_file(sdk, "mine.txt", b"Mine alone.\n")
    batch = sdk.vector_stores.file_batches.create(own.id, file_ids=[mine]).id
    paths = [("GET", ""), ("GET", "/files"), ("POST", "/cancel")]
    with served.web(served.member("batches-of-files@pai.test")) as stranger:
        theirs = stranger.post("/v1/vector_stores", json={"name": "theirs"}).json()["id"]
        assert stranger.post(f"/v1/vector_stores/{theirs}/file_batches", json={"file_ids": [mine]}).status_code == 404
        for store_id in (own.id, theirs):
            for method, rest in paths:
                answer = stranger.request(method, f"/v1/vector_stores/{store_id}/file_batches/{batch}{rest}")
                assert answer.status_code == 404, answer.text
        web.post(f"/pai/v1/collections/{own.id}/share", json={"email": "batches-of-files@pai.test"}).raise_for_status()
        for method, rest in paths:  # who may read the collection may still not look at its owner's work
            answer = stranger.request(method, f"/v1/vector_stores/{own.id}/file_batches/{batch}{rest}")
            assert answer.status_code in (403, 404), answer.text
        theirs_file = stranger.post(
            "/v1/files", data={"purpose": "assistants"}, files={"file": ("t.txt", b"t")}
        ).json()["id"]
        answer = stranger.post(f"/v1/vector_stores/{own.id}/file_batches", json={"file_ids": [theirs_file]})
        assert answer.status_code == 403, answer.text
    for method, rest in paths:
        assert web.request(method, f"/v1/vector_stores/{other.id}/file_batches/{batch}{rest}").status_code == 404
    with served.web(served.key("inference")) as lesser:
        assert lesser.get(f"/v1/vector_stores/{own.id}/file_batches/{batch}").status_code == 403
