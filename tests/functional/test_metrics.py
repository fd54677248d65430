"""Metrics over real processes: what they tell, to whom, and what they never tell."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import httpx
import pytest

from installation import ADMIN, PASSWORD, Installation

WORD = "xylographica"
"""In everything that is sent here; it must not come back."""
LINE = re.compile(r'[a-z_]+(\{([a-z]+="[^"\n]*",?)*\})? (\d+(\.\d+)?(e-?\d+)?)\Z')


@pytest.fixture(scope="module")
def http(served: Installation) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=trusted, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def scraper(served: Installation) -> dict[str, str]:
    return {"authorization": f"Bearer {served.key('metrics')}"}


def scraped(http: httpx.Client, headers: dict[str, str]) -> dict[str, float]:
    answer = http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.match(line)] == []
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_was_asked_is_counted_and_never_told(
    served: Installation, http: httpx.Client, scraper: dict[str, str]
) -> None:
    key = served.key("inference,knowledge")
    asker = {"authorization": f"Bearer {key}"}
    before = scraped(http, scraper)
    ask = {"model": "default", "messages": [{"role": "user", "content": f"{WORD} two three"}]}
    for path, more in (
        ("/v1/chat/completions", {}),
        ("/v1/messages", {"max_tokens": 9}),
        ("/api/chat", {"stream": False}),
    ):
        assert http.post(path, json={**ask, **more}, headers=asker).status_code == 200
    for wrong in ("model", "content"):
        assert http.post("/v1/chat/completions", json={**ask, wrong: WORD}, headers=asker).status_code in (400, 404)
    assert http.get(f"/v1/{WORD}/{WORD}", headers=asker).status_code == 404
    assert http.request(WORD.upper(), f"/api/{WORD}?{WORD}", headers={**asker, WORD: WORD}).status_code == 404
    assert (
        http.post("/v1/embeddings", json={"model": "default-embedding", "input": WORD}, headers=asker).status_code
        == 200
    )
    collection = http.post("/v1/vector_stores", json={"name": WORD}, headers=asker).json()["id"]
    document = served.folder / f"{WORD}.txt"
    document.write_text(f"The {WORD} is an old art.")
    served.ok("ingest", WORD, str(document), PAI_API_KEY=key)
    after = scraped(http, scraper)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more('pai_http_requests_total{dialect="OpenAI",route="/v1/chat/completions",status="2xx"}') == 1
    assert more('pai_http_requests_total{dialect="OpenAI",route="/v1/chat/completions",status="4xx"}') == 2
    assert more('pai_http_requests_total{dialect="Anthropic",route="/v1/messages",status="2xx"}') == 1
    assert more('pai_http_requests_total{dialect="Ollama",route="none",status="4xx"}') == 1
    assert more('pai_first_token_seconds_count{model="echo"}') == 3
    assert more('pai_first_token_seconds_bucket{model="echo",le="+Inf"}') == 3
    assert more('pai_output_token_seconds_count{model="echo"}') == 3
    assert more('pai_generated_tokens_total{model="echo"}') == 3 * 4
    assert more('pai_prompt_tokens_total{model="echo"}') == 3 * 3
    assert more("pai_ingest_pages_total") == 1
    assert more('pai_ingest_documents_total{outcome="accepted"}') == 1
    assert more("pai_audit_entries") > 6
    assert after['pai_requests_running{model="echo"}'] == after['pai_requests_waiting{model="echo"}'] == 0
    assert after['pai_model_loads_total{model="echo"}'] >= 1
    memory = {name.split("{")[1]: value for name, value in after.items() if "memory_bytes" in name}
    assert any(name.startswith('model="echo",kind="estimate"') for name in memory)
    for owner in ('model="echo",kind="pss"', 'process="gateway"', 'process="keystore"', 'process="supervisor"'):
        found = [
            value
            for name, value in memory.items()
            if name.startswith(owner.replace('"pss"', '"')) and "estimate" not in name
        ]
        assert len(found) == 1, (owner, memory)
        assert 1 << 20 < found[0] < 4 << 30
    text = http.get("/metrics", headers=scraper).text
    for secret in (WORD, WORD.upper(), ADMIN, ADMIN.split("@")[0], key, key[:12], collection, "usr_", "key_", "req_"):
        assert secret not in text
    log = (served.folder / "serve.err").read_text()
    assert WORD not in log
    assert key not in log


@pytest.mark.parametrize("scopes", ["inference", "audit", "admin,inference,audit,knowledge"])
def test_other_scopes_get_403(served: Installation, http: httpx.Client, scopes: str) -> None:
    answer = http.get("/metrics", headers={"authorization": f"Bearer {served.key(scopes)}"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "denied"


def test_the_scope_opens_nothing_else(http: httpx.Client, scraper: dict[str, str]) -> None:
    for path in ("/pai/v1/collections", "/pai/v1/audit/events", "/pai/v1/keys", "/v1/files"):
        assert http.get(path, headers=scraper).status_code == 403
    body = {"model": "default", "messages": [{"role": "user", "content": "x"}]}
    assert http.post("/v1/chat/completions", json=body, headers=scraper).status_code == 403


@pytest.mark.parametrize("role", ["member", "officer", "auditor", "guest", "data-scientist"])
def test_a_key_that_somebody_else_owns_is_refused_by_the_policy(
    served: Installation, http: httpx.Client, role: str
) -> None:
    email = f"{role}@metrics.test"
    file = served.folder / f"password-{role}"
    file.write_text(PASSWORD + email + "\n")
    file.chmod(0o600)
    served.ok("user", "add", email, "--role", role, "--password-file", str(file))
    answer = http.get("/metrics", headers={"authorization": f"Bearer {served.key('metrics', owner=email)}"})
    assert answer.status_code == 403


def test_without_a_credential_there_is_nothing(http: httpx.Client, scraper: dict[str, str]) -> None:
    token = scraper["authorization"].removeprefix("Bearer ")
    assert http.get("/metrics").status_code == 401
    assert http.get(f"/metrics?key={token}", headers={"x-api-key": token}).status_code == 401
    assert http.post("/metrics", headers=scraper).status_code == 404


def test_an_administrators_session_is_let_in(served: Installation) -> None:
    trusted = ssl.create_default_context(cafile=str(served.ca))
    with httpx.Client(base_url=served.url, verify=trusted, timeout=60, trust_env=False) as browser:
        headers = {"origin": served.url, "sec-fetch-site": "same-origin"}
        form = {"email": ADMIN, "password": PASSWORD}
        assert browser.post("/login", data=form, headers=headers).status_code in (200, 303)
        assert "pai_audit_entries" in browser.get("/metrics").text
