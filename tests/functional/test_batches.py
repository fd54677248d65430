"""Batches as OpenAI's own SDK uses them, answered while nobody waits, and gone on with after a crash."""

from __future__ import annotations

import json
import signal
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai.types import Batch

from installation import Installation

CHAT = "/v1/chat/completions"


@contextmanager
def client(served: Installation, key: str) -> Iterator[openai.OpenAI]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with openai.OpenAI(
        base_url=f"{served.url}/v1", api_key=key, http_client=httpx.Client(verify=trusted, timeout=60), max_retries=0
    ) as found:
        yield found


@pytest.fixture(scope="module")
def key(served: Installation) -> str:
    return served.key("inference,knowledge")


@pytest.fixture(scope="module")
def sdk(served: Installation, key: str) -> Iterator[openai.OpenAI]:
    with client(served, key) as found:
        yield found


def asking(text: str) -> dict[str, Any]:
    return {"model": "default", "messages": [{"role": "user", "content": text}]}


def line(name: str, body: Any, url: str = CHAT, **more: Any) -> bytes:
    return json.dumps({"custom_id": name, "method": "POST", "url": url, "body": body, **more}).encode()


def submit(sdk: openai.OpenAI, lines: list[bytes], endpoint: Any = CHAT, **more: Any) -> Batch:
    file = sdk.files.create(file=("requests.jsonl", b"\n".join(lines)), purpose="batch")
    return sdk.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def until(sdk: openai.OpenAI, batch: Batch, done: Callable[[Batch], bool], seconds: float = 60) -> Batch:
    end = time.monotonic() + seconds
    while not done(found := sdk.batches.retrieve(batch.id)):
        assert time.monotonic() < end, found
        time.sleep(0.1)
    return found


def ended(batch: Batch) -> bool:
    return batch.status in ("completed", "failed", "cancelled", "expired")


def read(sdk: openai.OpenAI, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    told = [json.loads(one) for one in sdk.files.content(file_id).text.splitlines()]
    assert len({one["custom_id"] for one in told}) == len(told)
    return {one["custom_id"]: one for one in told}


def events(served: Installation, resource: str, **query: Any) -> list[dict[str, Any]]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    headers = {"authorization": f"Bearer {served.key('audit')}"}
    with httpx.Client(base_url=served.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as web:
        answer = web.get("/pai/v1/audit/events", params={"resource": resource, "limit": 500, **query})
    found: list[dict[str, Any]] = answer.json()["events"]
    return found[::-1]


def test_requests_are_answered_and_come_back_in_files(sdk: openai.OpenAI, served: Installation) -> None:
    lines = [line(f"q{n}", asking(f"a word about Wilhelmina Quast {n}")) for n in range(3)]
    lines += [b"", line("bad", {"model": "default", "messages": []}), line("none", {**asking("x"), "model": "wizard"})]
    batch = submit(sdk, lines, metadata={"case": "7"})
    Batch.model_validate(batch.to_dict(), strict=True)
    assert (batch.status, batch.metadata, batch.endpoint) == ("in_progress", {"case": "7"}, CHAT)
    assert batch.request_counts is not None
    assert batch.request_counts.total == 5
    done = until(sdk, batch, ended)
    Batch.model_validate(done.to_dict(), strict=True)
    assert (done.status, done.errors) == ("completed", None)
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (3, 2)
    good, bad = read(sdk, done.output_file_id), read(sdk, done.error_file_id)
    assert list(good) == ["q0", "q1", "q2"]
    response = good["q1"]["response"]
    assert (response["status_code"], good["q1"]["error"]) == (200, None)
    assert response["body"]["choices"][0]["message"]["content"] == "Echo: a word about Wilhelmina Quast 1"
    openai.types.chat.ChatCompletion.model_validate(response["body"])
    assert {name: one["response"]["status_code"] for name, one in bad.items()} == {"bad": 400, "none": 404}
    assert bad["none"]["response"]["body"]["error"]["code"] == "model_not_found"
    assert sdk.files.retrieve(done.output_file_id or "").purpose == "batch_output"
    assert batch.id in [one.id for one in sdk.batches.list()]
    assert not [*(served.home / "batches").glob(f"{batch.id}*")], "its own file is gone"
    assert [path for path in served.home.rglob("*") if path.is_file() and b"Quast" in path.read_bytes()] == []
    told = events(served, batch.id)
    names = [one["name"].removeprefix("files:batch:") for one in told if one["name"] != "files:batch:list"]
    assert names == ["submit", *["answer"] * 5, "end", "write"]
    assert [one["line"] for one in told if one["name"] == "files:batch:answer"] == list(range(5))
    assert "Quast" not in str(told)
    assert "'q1'" not in str(told)


@pytest.mark.parametrize(
    ("endpoint", "body", "look"),
    [
        ("/v1/embeddings", {"model": "default-embedding", "input": "x"}, lambda b: len(b["data"][0]["embedding"]) > 0),
        ("/v1/completions", {"model": "default", "prompt": "one two"}, lambda b: b["object"] == "text_completion"),
        ("/v1/responses", {"model": "default", "input": "one"}, lambda b: b["output"][0]["type"] == "message"),
    ],
)
def test_every_endpoint(sdk: openai.OpenAI, endpoint: str, body: Any, look: Callable[[Any], bool]) -> None:
    done = until(sdk, submit(sdk, [line("a", body, endpoint)], endpoint), ended)
    assert look(read(sdk, done.output_file_id)["a"]["response"]["body"])


def test_requests_open_no_content_of_the_owner(sdk: openai.OpenAI) -> None:
    """A batch goes on while its owner's key is not open: what needs that key is refused line by line."""
    store = sdk.vector_stores.create(name="not for batches")
    bodies: dict[str, Any] = {
        "kept": {"model": "default", "input": "x", "store": True},
        "search": {
            "model": "default",
            "input": "x",
            "tools": [{"type": "file_search", "vector_store_ids": [store.id]}],
        },
        "before": {"model": "default", "input": "x", "previous_response_id": "resp_00000000000000000000000000"},
    }
    lines = [line(name, body, "/v1/responses") for name, body in bodies.items()]
    done = until(sdk, submit(sdk, lines, "/v1/responses"), ended)
    told = {name: one["response"] for name, one in read(sdk, done.error_file_id).items()}
    assert {(one["status_code"], one["body"]["error"]["code"]) for one in told.values()} == {(403, "locked")}
    assert done.output_file_id is None


def test_a_file_with_wrong_lines_is_refused_whole_and_says_which(sdk: openai.OpenAI, served: Installation) -> None:
    good = line("a", asking("x"))
    wrong = {
        "invalid_json_line": [b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, good.replace(b'"x"', b"NaN"),
                              good.replace(b'"x"', b'"\\ud800"')],
        "missing_body": [line("a", "x"), line("a", [])],
        "invalid_method": [line("b", asking("x")).replace(b"POST", b"GET")],
        "invalid_url": [line("c", asking("x"), "/v1/embeddings")],
        "invalid_custom_id": [line("", asking("x")), line("x" * 513, asking("x")), line("a\x00", asking("x"))],
        "duplicate_custom_id": [good],
        "stream_not_supported": [line("d", {**asking("x"), "stream": True})],
        "line_too_long": [line("e", asking("x" * (5 << 20)))],
    }  # fmt: skip
    told = [(code, one) for code, lines in wrong.items() for one in lines]
    before = len(sdk.batches.list(limit=100).data)
    batch = submit(sdk, [good, *(one for _, one in told)])
    assert (batch.status, batch.output_file_id, batch.in_progress_at) == ("failed", None, None)
    assert batch.errors is not None
    assert [(one.line, one.code) for one in batch.errors.data or []] == [(n, c) for n, (c, _) in enumerate(told, 2)]
    assert sdk.batches.retrieve(batch.id).errors == batch.errors
    assert len(sdk.batches.list(limit=100).data) == before + 1
    assert not [*(served.home / "batches").glob(f"{batch.id}*")]
    assert [(one["outcome"], one["lines"]) for one in events(served, batch.id, name="files:batch:submit")] == [
        ("refused", 0)
    ]
    empty = submit(sdk, [b"", b"  "])
    assert empty.errors is not None
    assert [one.code for one in empty.errors.data or []] == ["empty_file"]


@pytest.mark.slow
def test_a_batch_has_fifty_thousand_requests_at_most(sdk: openai.OpenAI) -> None:
    lines = [line(f"n{n}", {}) for n in range(50_001)]
    batch = submit(sdk, lines)
    assert batch.errors is not None
    assert [(one.line, one.code) for one in batch.errors.data or []] == [(50_001, "too_many_lines")]
    whole = submit(sdk, lines[:-1])
    assert whole.request_counts is not None
    assert (whole.status, whole.request_counts.total) == ("in_progress", 50_000)
    sdk.batches.cancel(whole.id)
    stopped = until(sdk, whole, ended)
    assert stopped.status == "cancelled"
    assert stopped.request_counts is not None
    assert 0 <= stopped.request_counts.failed < 50_000


def test_what_cannot_be_submitted(sdk: openai.OpenAI) -> None:
    file = sdk.files.create(file=("a.jsonl", line("a", asking("x"))), purpose="batch")
    other = sdk.files.create(file=("a.jsonl", line("a", asking("x"))), purpose="user_data")
    good: dict[str, Any] = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
    for change in (
        {"input_file_id": other.id}, {"endpoint": "/v1/files"}, {"completion_window": "1h"}, {"metadata": {"a": "x" * 600}},
        {"metadata": {"a": 5}}, {"output_expires_after": {"anchor": "created_at", "seconds": 3600}},
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError):
            sdk.batches.create(**{**good, **change})
    with pytest.raises(openai.NotFoundError):
        sdk.batches.create(**{**good, "input_file_id": "file_00000000000000000000000000"})
    for name in ("batch_00000000000000000000000000", "..%2F..", "x" * 300, "%00"):
        with pytest.raises(openai.NotFoundError):
            sdk.batches.retrieve(name)
        with pytest.raises(openai.NotFoundError):
            sdk.batches.cancel(name)


def test_a_batch_is_stopped_and_what_was_answered_stays(sdk: openai.OpenAI) -> None:
    lines = [line("first", asking("quick"))]
    lines += [line(f"slow{n}", asking("Slowly: " + "word " * 200)) for n in range(5)]
    batch = submit(sdk, lines)
    until(sdk, batch, lambda found: bool(found.request_counts and found.request_counts.completed))
    stopping = sdk.batches.cancel(batch.id)
    assert stopping.status == "cancelling"
    done = until(sdk, batch, ended, 10)
    assert (done.status, sdk.batches.cancel(batch.id).status) == ("cancelled", "cancelled")
    assert done.cancelled_at is not None
    good, left = read(sdk, done.output_file_id), read(sdk, done.error_file_id)
    assert "first" in good
    assert set(good) | set(left) == {"first", *(f"slow{n}" for n in range(5))}
    assert {one["error"]["code"] for one in left.values()} == {"batch_cancelled"}


@pytest.mark.slow
def test_nobody_elses_batch_can_be_seen_stopped_or_made(sdk: openai.OpenAI, served: Installation) -> None:
    batch = submit(sdk, [line("a", asking("Slowly: " + "word " * 100))])
    with client(served, served.member("batches@pai.test")) as stranger:
        own = submit(stranger, [line("a", asking("theirs"))])
        for attempt in (stranger.batches.retrieve, stranger.batches.cancel):
            with pytest.raises(openai.NotFoundError):
                attempt(batch.id)
        assert [one.id for one in stranger.batches.list()] == [own.id]
        with pytest.raises(openai.NotFoundError):
            stranger.batches.create(input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h")
        assert until(stranger, own, ended).status == "completed"
    with client(served, served.key("inference", owner="batches@pai.test")) as locked:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            locked.batches.list()
        assert refused.value.code == "locked"
    with client(served, served.key("audit")) as scope, pytest.raises(openai.PermissionDeniedError):
        scope.batches.retrieve(batch.id)
    assert sdk.batches.retrieve(batch.id).status != "cancelling"
    until(sdk, batch, ended)


def test_a_key_that_ends_ends_its_batches(served: Installation, sdk: openai.OpenAI) -> None:
    made = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "short", "--scopes", "inference")
    with client(served, made["key"]) as short:
        batch = submit(short, [line(f"{n}", asking("Slowly: " + "word " * 150)) for n in range(20)])
    served.ok("key", "revoke", made["id"])
    done = until(sdk, batch, ended, 20)
    assert done.status == "failed"
    assert done.errors is not None
    assert [one.message for one in done.errors.data or []] == ["the key that it was submitted with has ended"]


@pytest.mark.slow
def test_a_batch_goes_on_after_a_crash_and_asks_nothing_twice(fresh: Installation) -> None:
    fresh.start()
    names = [f"q{n}" for n in range(40)]
    with client(fresh, fresh.key("inference")) as sdk:
        batch = submit(sdk, [line(name, asking(f"Slowly: {name} one two three four five")) for name in names])
        for answered in (3, 12):
            until(sdk, batch, lambda found, least=answered: (found.request_counts.completed if found.request_counts else 0) >= least)  # type: ignore[misc]  # fmt: skip
            fresh.stop(signal.SIGKILL)
            fresh.start()
        done = until(sdk, batch, ended, 90)
        assert done.status == "completed"
        good = read(sdk, done.output_file_id)
        assert list(good) == names
        for name in names:
            text = good[name]["response"]["body"]["choices"][0]["message"]["content"]
            assert text.startswith(f"Echo: Slowly: {name} one")
    told = events(fresh, batch.id, name="files:batch:answer")
    assert max(Counter(one["line"] for one in told).values()) == 1
    assert fresh.ok("audit", "verify")["ok"] is True
    assert not [*(fresh.home / "batches").iterdir()]
