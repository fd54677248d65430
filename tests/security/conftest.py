"""Two members of the shared installation, and what the one has that the other is after."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest

from browser_client import BrowserClient
from hostile_pages import MARKER, add
from installation import Installation


@pytest.fixture(scope="session")
def accounts(served: Installation) -> None:
    for email in ("victim@pai.test", "attacker@pai.test"):
        add(served, email)


@pytest.fixture(scope="module")
def victim(served: Installation, accounts: None) -> Iterator[BrowserClient]:
    client = BrowserClient(served)
    assert client.log_in("victim@pai.test").status_code == 303
    yield client
    client.close()


@pytest.fixture(scope="module")
def attacker(served: Installation, accounts: None) -> Iterator[BrowserClient]:
    client = BrowserClient(served, "127.0.0.20")
    assert client.log_in("attacker@pai.test").status_code == 303
    yield client
    client.close()


@pytest.fixture
def nobody(served: Installation, attacker: BrowserClient) -> Iterator[BrowserClient]:
    """A browser that is not logged in; the attacker has an account of their own to try things with."""
    assert attacker.cookie
    client = BrowserClient(served, "127.0.0.20")
    yield client
    client.close()


@pytest.fixture(scope="module")
def things(victim: BrowserClient) -> dict[str, str]:
    """Ids of everything that the victim has."""
    collection = victim.send("POST", "/pai/v1/collections", {"name": f"papers {secrets.token_hex(3)}"}).json()["id"]
    own = {"x-csrf-token": victim.csrf, "sec-fetch-site": "same-origin"}
    text = f"The {MARKER} lies with Berta Kiesel in room 14.\n".encode()
    job = victim.http.post(
        f"/pai/v1/collections/{collection}/documents", files={"file": (f"{MARKER}.txt", text)}, headers=own
    ).json()
    for _ in range(200):
        told = victim.http.get(f"/pai/v1/jobs/{job['id']}").json()
        if told["state"] not in ("queued", "running"):
            break
        time.sleep(0.05)
    asked = victim.events("/ask/questions", {"collection": collection, "question": f"Where is the {MARKER}?"})
    key = victim.send("POST", "/account/keys", {"name": "k", "scopes": ["inference"], "days": "7"}).json()
    return {
        "collection": collection, "job": job["id"], "document": told["accepted"][0]["document"], "key": key["id"],
        "passage": asked[-1]["sources"][0]["chunk_id"], "conversation": victim.say(f"I hid the {MARKER}")[0]["conversation"],
        "session": victim.http.get("/pai/v1/me").json()["session"], "user": victim.http.get("/pai/v1/me").json()["id"],
        "index": "0", "passkey": "psk_of_the_victim",  # real ones: tests/unit/core/identity/test_identity_passkeys.py
        "approval": "apr_of_the_victim",  # real ones: tests/unit/core/approvals/test_approvals_ways_round.py
    }  # fmt: skip
