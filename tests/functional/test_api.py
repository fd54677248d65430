"""The HTTP API as its clients meet it: SDK, credentials, strangers, wrong input."""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import openai
import pytest

from browser_client import BrowserClient
from installation import Installation
from pai.foundation.time import to_text, utc_now
from registered import all_routes


@pytest.fixture(scope="module")
def keys(served: Installation) -> dict[str, str]:
    return {
        "owner": served.key("inference,knowledge,audit,admin"),
        "stranger": served.member("stranger@pai.test"),
        "colleague": served.member("colleague@pai.test"),
        "inference": served.key("inference"),
    }


@pytest.fixture(scope="module")
def http(served: Installation) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=trusted, timeout=60, trust_env=False) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def made(http: httpx.Client, keys: dict[str, str]) -> dict[str, str]:
    """The owner's collection with one document in it, and the ids of everything."""
    owner = bearer(keys["owner"])
    collection = http.post(
        "/pai/v1/collections", json={"name": "walk", "purpose": "patient care"}, headers=owner
    ).json()
    text = b"The key to the archive lies with Berta Kiesel in room 14.\n"
    job = http.post(
        f"/pai/v1/collections/{collection['id']}/documents", files={"file": ("a.txt", text)}, headers=owner
    ).json()
    for _ in range(200):
        told = http.get(f"/pai/v1/jobs/{job['id']}", headers=owner).json()
        if told["state"] not in ("queued", "running"):
            break
        time.sleep(0.05)
    assert told["state"] == "done", told
    key = http.get("/pai/v1/keys", headers=owner).json()["keys"][0]["id"]
    asked = {"model": "default", "input": "a secret of the archive", "store": True}
    response = http.post("/v1/responses", json=asked, headers=owner).json()["id"]
    kept = {"data": {"purpose": "user_data"}, "files": {"file": ("f.txt", b"a secret of the archive")}}
    file = http.post("/v1/files", headers=owner, **kept).json()["id"]  # type: ignore[arg-type]
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "default-embedding", "input": "a"},
    }
    lines = {"files": {"file": ("b.jsonl", json.dumps(line).encode())}, "data": {"purpose": "batch"}}
    batch = http.post(
        "/v1/batches", headers=owner,
        json={
            "input_file_id": http.post("/v1/files", headers=owner, **lines).json()["id"],  # type: ignore[arg-type]
            "endpoint": "/v1/embeddings", "completion_window": "24h",
        },
    ).json()["id"]  # fmt: skip
    return {
        "batch": batch, "collection": collection["id"], "document": told["accepted"][0]["document"], "job": job["id"], "key": key,
        "response": response, "file": file,
    }  # fmt: skip


def test_openai_sdk_works_unchanged(served: Installation, keys: dict[str, str]) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with openai.OpenAI(
        base_url=f"{served.url}/v1", api_key=keys["inference"], http_client=httpx.Client(verify=trusted)
    ) as sdk:
        assert "default" in [model.id for model in sdk.models.list()]
        whole = sdk.chat.completions.create(model="default", messages=[{"role": "user", "content": "one two three"}])
        assert whole.choices[0].message.content == "Echo: one two three"
        assert whole.model == "echo"
        assert whole.usage is not None
        assert whole.usage.completion_tokens == 4
        chunks = list(
            sdk.chat.completions.create(
                model="default",
                messages=[{"role": "user", "content": "one two"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Echo: one two"
        assert chunks[-1].usage is not None
        embedded = sdk.embeddings.create(model="default-embedding", input=["a", "b"])
        assert len(embedded.data[1].embedding) == 384
        with pytest.raises(openai.NotFoundError) as missing:
            sdk.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "x"}])
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.PermissionDeniedError):
            sdk.with_options(api_key=keys["inference"]).get("/../pai/v1/collections", cast_to=httpx.Response)


@pytest.fixture(scope="module")
def browser_made(served: Installation, made: dict[str, str]) -> Iterator[dict[str, str]]:
    """The owner's session, a conversation of theirs and a passage that was cited to them."""
    browser = BrowserClient(served)
    assert browser.log_in().status_code == 303
    conversation = browser.say("a secret of the archive")[0]["conversation"]
    session = browser.http.get("/pai/v1/sessions").json()["sessions"][0]["id"]
    asked = browser.events(
        "/ask/questions", {"collection": made["collection"], "question": "Who has the key to the archive?"}
    )
    passage = asked[-1]["sources"][0]["chunk_id"]
    user = browser.http.get("/pai/v1/me").json()["id"]
    yield {"conversation": conversation, "session": session, "passage": passage, "user": user, "passkey": "psk_another"}
    still = browser.http.get(f"/chat/{conversation}", headers={"accept": "text/html"})
    assert "a secret of the archive" in still.text
    browser.close()


PUBLIC = {"/healthz", "/readyz", "/login", "/setup", "/", "/static/{name}"}


def test_every_route_refuses_a_request_without_or_with_a_bad_credential(
    http: httpx.Client, keys: dict[str, str]
) -> None:
    routes = all_routes()
    assert len(routes) > 40
    good = keys["owner"]
    bad = [
        {},
        bearer("pai_x"),
        bearer(good[:-1]),
        bearer(good.swapcase()),
        {"cookie": f"key={good}"},
        {"x-api-key": good},
    ]
    for method, path in routes:
        filled = re.sub(r"{(\w+)}", "anything", path)
        for headers in bad:
            if "x-api-key" in headers and path.startswith("/v1/messages"):
                continue  # where Anthropic's clients put their key (test_anthropic.py tries wrong ones)
            status = http.request(method, filled, headers=headers, json={}).status_code
            if path not in PUBLIC:
                assert status in (401, 403, 404), (method, path, headers, status)
    assert http.get(f"/pai/v1/me?api_key={good}").status_code == 401


def test_a_stranger_finds_nothing_behind_any_id(
    http: httpx.Client, keys: dict[str, str], made: dict[str, str], browser_made: dict[str, str]
) -> None:
    bodies = {
        "ask": {"question": "Who has the key?"}, "share": {"email": "stranger@pai.test"},
        "search": {"query": "Who has the key?"}, "role": {"role": "member"}, "clearance": {"clearance": "restricted"}, "files": {"file_id": made["file"]},
        "file_batches": {"file_ids": [made["file"]]}, "approve": {"digest": "0" * 64},
    }  # fmt: skip
    # Of requests that take a second person there are real ones in tests/functional/test_approvals.py.
    made = {**made, **browser_made, "index": "1", "approval": "apr_01m8avha6r6442xqrrh8447f4x"}
    tried = 0
    for method, path in all_routes():
        if "{" not in path or path in PUBLIC or "{name}" in path:
            continue
        tried += 1
        filled = path.format(**made)
        files = {"file": ("b.txt", b"text")} if filled.endswith("/documents") and method == "POST" else None
        options = {"files": files} if files else {"json": bodies.get(path.rsplit("/", 1)[-1], {})}
        answer = http.request(method, filled, headers=bearer(keys["stranger"]), **options)
        # The number of an event is nobody's: the role is refused, whether the event is there or not.
        expected = 403 if "{index}" in path else 404
        assert answer.status_code == expected, (method, filled, answer.status_code, answer.text)
        assert "archive" not in answer.text
    assert tried >= 8
    still = http.get(f"/pai/v1/collections/{made['collection']}/documents", headers=bearer(keys["owner"])).json()
    assert len(still["documents"]) == 1


def test_sharing_opens_reading_and_asking_but_not_writing(
    http: httpx.Client, keys: dict[str, str], made: dict[str, str]
) -> None:
    owner, colleague = bearer(keys["owner"]), bearer(keys["colleague"])
    path = f"/pai/v1/collections/{made['collection']}"
    assert http.post(f"{path}/share", json={"email": "colleague@pai.test"}, headers=owner).status_code == 200
    answer = http.post(f"{path}/ask", json={"question": "Who has the key to the archive?"}, headers=colleague).json()
    assert "Berta Kiesel" in answer["sources"][0]["quote"]
    assert http.delete(path, headers=colleague).status_code == 403
    assert http.post(f"{path}/documents", files={"file": ("b.txt", b"x")}, headers=colleague).status_code == 403


def test_a_share_is_seen_and_taken_back_at_once(
    served: Installation, http: httpx.Client, keys: dict[str, str], made: dict[str, str]
) -> None:
    owner, colleague, stranger = (bearer(keys[name]) for name in ("owner", "colleague", "stranger"))
    path = f"/pai/v1/collections/{made['collection']}"
    key = {"PAI_API_KEY": keys["owner"]}
    told = served.ok(
        "collection", "share", "walk", "colleague@pai.test", "--access", "write", "--expires", "30d", **key
    )
    assert len(told["shared_with"]) == 1
    [share] = served.ok("collection", "shares", "walk", **key)["shares"]
    assert (share["email"], share["access"], share["ended"]) == ("colleague@pai.test", "write", False)
    assert share["expires_at"]
    added = http.post(f"{path}/documents", files={"file": ("b.txt", b"The lamp is green.")}, headers=colleague)
    assert added.status_code == 202, added.text
    assert http.get(f"{path}/shares", headers=colleague).status_code == 403
    assert http.delete(f"{path}/shares/colleague@pai.test", headers=stranger).status_code == 404
    served.ok("collection", "unshare", "walk", "colleague@pai.test", **key)
    assert served.ok("collection", "shares", "walk", **key)["shares"] == []
    for answer in (
        http.post(f"{path}/ask", json={"question": "Who has the key?"}, headers=colleague),
        http.get(f"{path}/documents", headers=colleague),
        http.post(f"{path}/documents", files={"file": ("c.txt", b"x")}, headers=colleague),
    ):
        assert answer.status_code == 404
    unknown = http.post(f"{path}/share", json={"email": "nobody@pai.test"}, headers=owner)
    assert (unknown.status_code, unknown.json()["error"]["hint"]) == (
        404, "ask an administrator whether they have an account",
    )  # fmt: skip


def test_purpose_and_scope_bind(http: httpx.Client, keys: dict[str, str], made: dict[str, str]) -> None:
    path = f"/pai/v1/collections/{made['collection']}/ask"
    denied = http.post(
        path, json={"question": "Who has the key?", "purpose": "marketing"}, headers=bearer(keys["owner"])
    )
    assert denied.status_code == 403
    assert "purpose" in denied.json()["error"]["message"]
    assert http.post(path, json={"question": "Who?"}, headers=bearer(keys["inference"])).status_code == 403


def test_a_revoked_key_is_dead_at_once(served: Installation, http: httpx.Client) -> None:
    key = served.ok("key", "create", "--owner", "owner@pai.test", "--name", "short", "--scopes", "inference")
    assert http.get("/pai/v1/me", headers=bearer(key["key"])).status_code == 200
    served.ok("key", "revoke", key["id"])
    assert http.get("/pai/v1/me", headers=bearer(key["key"])).status_code == 401


def test_a_key_is_bounded_as_asked_and_by_its_maker(http: httpx.Client, keys: dict[str, str]) -> None:
    soon = to_text(utc_now() + timedelta(hours=1))
    asked = {"name": "bounded", "scopes": ["inference"], "ceiling": "internal", "expires_at": soon}
    made = http.post("/pai/v1/keys", json=asked, headers=bearer(keys["owner"]))
    assert made.status_code == 201, made.text
    assert made.json()["ceiling"] == "internal"
    assert made.json()["expires_at"] == soon
    assert http.get("/pai/v1/me", headers=bearer(made.json()["key"])).json()["ceiling"] == "internal"
    longer = {"name": "longer", "scopes": ["inference"], "expires_at": "2126-01-31T09:00:00Z"}
    refused = http.post("/pai/v1/keys", json=longer, headers=bearer(keys["owner"]))
    assert (refused.status_code, "outlives" in refused.json()["error"]["message"]) == (403, True)
    again = http.post("/pai/v1/keys", json={"name": "again", "scopes": ["admin"]}, headers=bearer(keys["owner"]))
    assert (again.status_code, again.json()["error"]["code"]) == (403, "step_up"), "only a person makes such a key"


def test_the_log_begins_with_the_installation(http: httpx.Client, keys: dict[str, str]) -> None:
    events = http.get("/pai/v1/audit/events", params={"before": 20}, headers=bearer(keys["owner"])).json()["events"]
    assert "operations:installation:initialise" in [event["name"] for event in events]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"model": 5, "messages": []},
        {"model": "default", "messages": "hello"},
        {"model": "default", "messages": [{"role": "wizard", "content": "x"}]},
        {"model": "default", "messages": [{"role": "user", "content": "x"}], "temperature": "hot"},
        {"model": "default", "messages": [{"role": "user", "content": "x"}], "max_tokens": -1},
        {"model": "default", "messages": [{"role": "user", "content": "x"}], "tools": {}},
        {"model": "default", "messages": [{"role": "user", "content": "x"}], "n": 300},
        {"model": "default", "messages": [{"role": "user", "content": "x"}], "tool_choice": "required"},
        {"model": ["default"], "messages": [{"role": "user", "content": {"a": 1}}]},
    ],
)
def test_wrong_types_are_400_in_openai_shape(http: httpx.Client, keys: dict[str, str], body: object) -> None:
    answer = http.post("/v1/chat/completions", json=body, headers=bearer(keys["inference"]))
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_hostile_bodies_are_refused_before_parsing(http: httpx.Client, keys: dict[str, str]) -> None:
    headers = bearer(keys["inference"]) | {"content-type": "application/json"}
    assert http.post("/v1/chat/completions", content=b"x" * (10 << 20), headers=headers).status_code == 413
    assert http.post("/v1/chat/completions", content=b"{" * 1000, headers=headers).status_code == 400
    assert http.post("/v1/chat/completions", content=b"[" * 200_000, headers=headers).status_code == 400
    assert http.post("/v1/chat/completions", content=b"\xff\xfe", headers=headers).status_code == 400

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * (1 << 20)

    try:
        assert http.post("/v1/chat/completions", content=endless(), headers=headers).status_code in (400, 413)
    except httpx.HTTPError:
        pass  # closing the connection on such a body is as good
    assert http.get("/healthz").status_code == 200


def test_a_prompt_longer_than_the_context_is_400(http: httpx.Client, keys: dict[str, str]) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": "word " * 20_000}]}
    answer = http.post("/v1/chat/completions", json=body, headers=bearer(keys["inference"]))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_a_foreign_host_header_is_refused(http: httpx.Client, keys: dict[str, str]) -> None:
    assert http.get("/pai/v1/me", headers=bearer(keys["owner"]) | {"host": "attacker.example"}).status_code == 400


def test_answers_carry_the_security_headers(http: httpx.Client) -> None:
    headers = http.get("/healthz").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_old_tls_is_refused(served: Installation) -> None:
    old = ssl.create_default_context(cafile=str(served.ca))
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/healthz", verify=old, trust_env=False)


def test_the_audit_log_names_acts_and_holds_no_content(
    http: httpx.Client, keys: dict[str, str], made: dict[str, str]
) -> None:
    events = http.get("/pai/v1/audit/events?limit=500", headers=bearer(keys["owner"])).json()["events"]
    names = {event["name"] for event in events}
    assert {
        "knowledge:document:ingest",
        "knowledge:collection:create",
        "identity:key:create",
        "models:chat:start",
    } <= names
    assert "Kiesel" not in str(events)
    assert made["document"] in str(events)


def test_content_is_not_readable_in_any_file_of_the_home(served: Installation, made: dict[str, str]) -> None:
    assert made
    found = [path for path in served.home.rglob("*") if path.is_file() and b"Berta Kiesel" in path.read_bytes()]
    assert found == []
    wide = [
        path
        for path in served.home.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o077 and not path.is_socket()
    ]
    assert [path for path in wide if path != Path(served.ca)] == []
