"""Files and vector stores as OpenAI's own SDK uses them."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai.types import FileObject, VectorStore
from openai.types.vector_stores import VectorStoreFile

from installation import Installation

LETTER = b"The ferry to Harbour Island leaves at 14:40 from pier nine.\nMaud Terwilliger keeps the timetable.\n"


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference,knowledge")


@contextmanager
def client(served: Installation, key: str) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=served.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as web:
        yield web


@pytest.fixture(scope="module")
def web(served: Installation, key: str) -> Iterator[httpx.Client]:
    with client(served, key) as found:
        yield found


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted)) as found:
        yield found


@pytest.fixture(scope="module")
def store(sdk: openai.OpenAI) -> VectorStore:
    """A collection with one letter in it."""
    made = sdk.vector_stores.create(name="ferries", metadata={"label": "internal", "purpose": "travel"})
    done = sdk.vector_stores.files.upload_and_poll(
        vector_store_id=made.id, file=("letter.txt", LETTER), poll_interval_ms=50
    )
    assert done.status == "completed", done
    return made


def test_a_file_comes_back_as_it_was_given(sdk: openai.OpenAI, served: Installation) -> None:
    data = b"A note about Philippa Marchbanks.\n" * 200_000  # 6.8 MB
    made = sdk.files.create(file=("note.txt", data), purpose="user_data")
    FileObject.model_validate(made.to_dict(), strict=True)
    assert (made.bytes, made.filename, made.purpose, made.status) == (len(data), "note.txt", "user_data", "processed")
    assert sdk.files.content(made.id).read() == data
    assert sdk.files.retrieve(made.id) == made
    assert made.id in [file.id for file in sdk.files.list()]
    assert made.id in [file.id for file in sdk.files.list(purpose="user_data")]
    assert made.id not in [file.id for file in sdk.files.list(purpose="batch")]
    blobs = [path for path in (served.home / "files").rglob("*") if path.is_file()]
    assert any(len(data) < path.stat().st_size < len(data) + 10_000 for path in blobs)
    found = [path for path in served.home.rglob("*") if path.is_file() and b"Marchbanks" in path.read_bytes()]
    assert found == []
    assert sdk.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.files.content(made.id)
    assert len([path for path in (served.home / "files").rglob("*") if path.is_file()]) == len(blobs) - 1


def test_the_audit_log_tells_of_files_without_their_names(sdk: openai.OpenAI, served: Installation) -> None:
    made = sdk.files.create(file=("secret-name.txt", b"x"), purpose="assistants")
    sdk.files.content(made.id).read()
    sdk.files.delete(made.id)
    with client(served, served.key("audit")) as auditor:
        events = auditor.get("/pai/v1/audit/events", params={"resource": made.id}).json()["events"]
    assert [event["name"] for event in events][::-1] == ["files:file:add", "files:file:read", "files:file:delete"]
    assert "secret-name" not in str(events)


BOUNDARY = {"content-type": "multipart/form-data; boundary=b"}


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = f'; filename="{filename}"' if filename is not None else ""
    return f'--b\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (part("file", b"x", "a.txt"), "bad_purpose"),
        (part("purpose", b"fine-tune") + part("file", b"x", "a.txt"), "bad_purpose"),
        (part("purpose", b"batch_output") + part("file", b"x", "a.txt"), "bad_purpose"),
        (part("purpose", b"\xff\xfe") + part("file", b"x", "a.txt"), "bad_purpose"),
        (part("file", b"x", "a.txt") + part("purpose", b"wizardry"), "bad_purpose"),
        (part("file", b"x", "a.txt") + part("wizardry", b"batch"), "bad_multipart"),
        (part("purpose", b"batch") + part("file", b"x", "a.txt") + part("file", b"y", "b.txt"), "bad_count"),
        (part("purpose", b"batch") + part("other", b"x") + part("file", b"x", "a.txt"), "bad_multipart"),
        (part("purpose", b"batch"), "no_file"),
        (part("purpose", b"batch") + part("picture", b"x", "a.txt"), "bad_multipart"),
        (b"", "bad_multipart"),
    ],
)
def test_wrong_uploads_are_refused_and_keep_nothing(
    web: httpx.Client, served: Installation, body: bytes, code: str
) -> None:
    before = [file["id"] for file in web.get("/v1/files").json()["data"]]
    answer = web.post("/v1/files", content=body + b"--b--\r\n" if body else b"", headers=BOUNDARY)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == code
    assert [file["id"] for file in web.get("/v1/files").json()["data"]] == before
    assert web.post("/v1/files", json={"purpose": "batch"}).status_code == 400


def test_clients_may_tell_the_purpose_last(web: httpx.Client) -> None:
    body = part("file", b"x" * 300_000, "a.txt") + part("purpose", b"batch") + b"--b--\r\n"
    told = web.post("/v1/files", content=body, headers=BOUNDARY).json()
    assert (told["purpose"], told["bytes"]) == ("batch", 300_000)
    assert web.delete(f"/v1/files/{told['id']}").json()["deleted"] is True


def test_an_upload_that_breaks_off_keeps_nothing(web: httpx.Client, served: Installation, key: str) -> None:
    before = len(web.get("/v1/files").json()["data"])
    blobs = len([*(served.home / "files").rglob("blb_*")])
    trusted = ssl.create_default_context(cafile=str(served.ca))
    connection = http.client.HTTPSConnection("localhost", served.port, context=trusted, timeout=20)
    connection.putrequest("POST", "/v1/files")
    for name, value in {"authorization": f"Bearer {key}", "content-length": str(50 << 20), **BOUNDARY}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(part("purpose", b"batch") + part("file", b"x" * (1 << 20), "a.txt")[:-2])
    for _ in range(100):
        if [*(served.home / "files").rglob("*.tmp-*")]:
            break
        time.sleep(0.05)
    connection.close()
    for _ in range(100):
        if not [*(served.home / "files").rglob("*.tmp-*")]:
            break
        time.sleep(0.05)
    assert len(web.get("/v1/files").json()["data"]) == before
    assert len([*(served.home / "files").rglob("blb_*")]) == blobs


def test_a_key_that_is_revoked_ends_its_upload(served: Installation, web: httpx.Client) -> None:
    made = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "cut", "--scopes", "inference")
    before = len(web.get("/v1/files").json()["data"])

    def body() -> Iterator[bytes]:
        yield part("purpose", b"batch") + part("file", b"x" * (1 << 20), "a.txt")[:-2]
        served.ok("key", "revoke", made["id"])
        for _ in range(40):
            time.sleep(0.05)
            yield b"x" * 1000

    with client(served, made["key"]) as short:
        try:
            assert short.post("/v1/files", content=body(), headers=BOUNDARY).status_code == 401
        except httpx.HTTPError:
            pass  # to hang up on such a body is as good
    assert len(web.get("/v1/files").json()["data"]) == before


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
    with client(served, served.key("audit")) as auditor:
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
    with client(served, served.key("audit")) as auditor:
        events = auditor.get("/pai/v1/audit/events", params={"resource": store.id, "limit": 2}).json()["events"]
    assert [event["name"] for event in events] == ["knowledge:collection:answer", "knowledge:collection:ask"]
    assert events[0]["sources"] == events[1]["documents"] == [document.id]
    assert "Terwilliger" not in str(events)


def test_strangers_and_lesser_keys_search_nothing(served: Installation, store: VectorStore) -> None:
    body = {"model": "default", "input": "When does the ferry leave?", "tools": [tool(store)]}
    with client(served, served.member("ferries@pai.test")) as stranger:
        assert stranger.post("/v1/responses", json=body).status_code == 404
        assert stranger.get("/v1/files").json()["data"] == []
    with client(served, served.key("inference")) as lesser:
        assert lesser.post("/v1/responses", json=body).status_code == 403
        assert lesser.get(f"/v1/vector_stores/{store.id}").status_code == 403
    with client(served, served.key("inference", owner="ferries@pai.test")) as console:
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
    ):  # fmt: skip
        answer = web.request(method, path.format(name))
        assert answer.status_code == 404, (method, path, answer.text)


def test_clients_may_delete_what_they_list_while_they_list_it(sdk: openai.OpenAI, served: Installation) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    key = served.member("lists@pai.test")
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted)) as own:
        for n in range(7):
            own.files.create(file=(f"{n}.txt", b"%d" % n), purpose="user_data")
        for n in range(5):
            own.vector_stores.create(name=f"store {n}")
        for order in ("asc", "desc"):
            gone = []
            for file in own.files.list(limit=2, order=order):  # type: ignore[arg-type]
                if len(gone) < 4 or order == "desc":
                    own.files.delete(file.id)
                    gone.append(file.filename)
            assert gone == (["0.txt", "1.txt", "2.txt", "3.txt"] if order == "asc" else ["6.txt", "5.txt", "4.txt"])
        for store in own.vector_stores.list(limit=2):
            own.vector_stores.delete(store.id)
        assert [*own.files.list()] == [*own.vector_stores.list()] == []


def test_a_page_after_what_never_was_is_404(web: httpx.Client, store: VectorStore) -> None:
    for after in ("x", "vs_00000000000000000000000000", "col_", "col_ABC"):
        assert web.get("/v1/vector_stores", params={"after": after}).status_code == 404, after


def test_nobody_elses_file_or_store_can_be_put_together(
    sdk: openai.OpenAI, served: Installation, web: httpx.Client
) -> None:
    mine = sdk.files.create(file=("mine.txt", b"Only mine.\n"), purpose="assistants")
    own = sdk.vector_stores.create(name="not yours")
    with client(served, served.member("attach@pai.test")) as stranger:
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
    with client(served, served.key("audit")) as auditor:
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


def test_a_crash_in_the_middle_of_an_upload_and_of_an_attachment(fresh: Installation) -> None:
    fresh.start()
    key = fresh.key("inference,knowledge")
    with client(fresh, key) as own:
        letters = [
            own.post(
                "/v1/files", data={"purpose": "assistants"}, files={"file": (f"{n}.txt", b"Letter %d.\n" % n)}
            ).json()
            for n in range(8)
        ]
        store = own.post("/v1/vector_stores", json={"name": "s", "file_ids": [one["id"] for one in letters]}).json()
    trusted = ssl.create_default_context(cafile=str(fresh.ca))
    connection = http.client.HTTPSConnection("localhost", fresh.port, context=trusted, timeout=20)
    connection.putrequest("POST", "/v1/files")
    for name, value in {"authorization": f"Bearer {key}", "content-length": str(50 << 20), **BOUNDARY}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(part("purpose", b"batch") + part("file", b"x" * (3 << 20), "a.txt")[:-2])
    for _ in range(100):
        if [*(fresh.home / "files").rglob("*.tmp-*")]:
            break
        time.sleep(0.05)
    assert [*(fresh.home / "files").rglob("*.tmp-*")]
    fresh.stop(signal.SIGKILL)
    connection.close()
    fresh.start()
    assert [*(fresh.home / "files").rglob("*.tmp-*")] == []
    with client(fresh, key) as own:
        assert [one["id"] for one in own.get("/v1/files").json()["data"]] == [one["id"] for one in letters][::-1]
        for _ in range(200):
            found = own.get(f"/v1/vector_stores/{store['id']}").json()
            if found["status"] == "completed":
                break
            time.sleep(0.1)
        assert found["file_counts"]["completed"] == 8
    assert fresh.ok("audit", "verify")["ok"] is True
