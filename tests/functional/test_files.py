"""Files and vector stores as OpenAI's own SDK uses them."""

from __future__ import annotations

import http.client
import signal
import ssl
import time
from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types import FileObject

from installation import Installation


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
    with served.web(served.key("audit")) as auditor:
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

    with served.web(made["key"]) as short:
        try:
            assert short.post("/v1/files", content=body(), headers=BOUNDARY).status_code == 401
        except httpx.HTTPError:
            pass  # to hang up on such a body is as good
    assert len(web.get("/v1/files").json()["data"]) == before


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


@pytest.mark.slow
def test_a_crash_in_the_middle_of_an_upload_and_of_an_attachment(fresh: Installation) -> None:
    fresh.start()
    key = fresh.key("inference,knowledge")
    with fresh.web(key) as own:
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
    with fresh.web(key) as own:
        assert [one["id"] for one in own.get("/v1/files").json()["data"]] == [one["id"] for one in letters][::-1]
        for _ in range(200):
            found = own.get(f"/v1/vector_stores/{store['id']}").json()
            if found["status"] == "completed":
                break
            time.sleep(0.1)
        assert found["file_counts"]["completed"] == 8
    assert fresh.ok("audit", "verify")["ok"] is True
