"""Sessions that end, other members, and the operator: what was open is closed at once, and nobody else reads. Real processes, echo models."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser_client import BrowserClient
from hostile_pages import COOKIE, MARKER, PUBLIC, ROUTES, SLOWLY, add
from installation import Installation
from storage_home import StorageHome


def end_by(how: str, served: Installation, browser: BrowserClient, other: BrowserClient) -> None:
    session = browser.http.get("/pai/v1/me").json()["session"]
    match how:
        case "logout":
            second = BrowserClient(served)  # another window of the same browser
            headers = {
                "cookie": f"{COOKIE}={browser.cookie}",
                "x-csrf-token": browser.csrf,
                "sec-fetch-site": "same-origin",
            }
            assert second.http.post("/logout", headers=headers).status_code == 200
            second.close()
        case "own list":
            assert other.send("DELETE", f"/pai/v1/sessions/{session}").status_code == 200
        case "session kill ID":
            assert session in [
                one["id"] for one in served.ok("session", "list", "--email", "Ended@pai.test")["sessions"]
            ]
            assert served.ok("session", "kill", session) == {"ended": 1}
        case "session kill --email":
            assert served.ok("session", "kill", "--email", "ended@pai.test")["ended"] >= 1
        case _:
            served.ok("user", "disable", "ended@pai.test")


@pytest.mark.slow
def test_an_end_is_an_end_at_once_and_on_open_streams(served: Installation) -> None:
    add(served, "ended@pai.test")
    for how in ("logout", "own list", "session kill ID", "session kill --email", "user disable"):
        browser, other = BrowserClient(served), BrowserClient(served)
        assert browser.log_in("ended@pai.test").status_code == 303
        assert other.log_in("ended@pai.test").status_code == 303
        with browser.stream("/chat/messages", {"conversation": "", "text": SLOWLY}) as answer:
            assert next(answer)["type"] == "start"
            assert next(answer)["type"] == "blocks"
            end_by(how, served, browser, other)
            ended = time.monotonic()
            rest = list(answer)
        assert time.monotonic() - ended < 2, how
        assert (rest[-1]["type"], rest[-1]["status"], rest[-1]["code"]) == ("error", 401, "session_ended"), how
        assert "word399" not in str(rest)
        assert browser.page("/chat").status_code == 401, how
        browser.close()
        other.close()
    client = BrowserClient(served, "127.0.0.24")
    refused = client.log_in("ended@pai.test")
    assert refused.status_code == 401
    assert refused.text.replace("ended@", "nobody@") == client.log_in("nobody@pai.test").text
    client.close()


def test_a_request_that_is_still_coming_in_ends_with_its_session(served: Installation, nobody: BrowserClient) -> None:
    """The credential is checked before the body is read: whoever keeps the body back must not outlive a kill."""
    for path, parts in (
        ("/chat/messages", (b'{"conversation":"",', b'"text":"too late"}')),
        ("/pai/v1/collections", (b'{"name":', b'"too late"}')),
    ):
        assert nobody.log_in("attacker@pai.test").status_code == 303

        def slow(parts: tuple[bytes, bytes] = parts) -> Iterator[bytes]:
            yield parts[0]
            time.sleep(0.2)
            served.ok("session", "kill", nobody.http.get("/pai/v1/me").json()["session"])
            yield parts[1]

        headers = {"x-csrf-token": nobody.csrf, "sec-fetch-site": "same-origin", "content-type": "application/json"}
        answer = nobody.http.post(path, content=slow(), headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "session_ended"), path


def test_an_upload_that_is_still_coming_in_ends_with_its_session(served: Installation, nobody: BrowserClient) -> None:
    assert nobody.log_in("attacker@pai.test").status_code == 303
    made = nobody.send("POST", "/pai/v1/collections", {"name": "slow upload"}).json()["id"]
    head = b'--xx\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'

    def slow() -> Iterator[bytes]:
        yield head + b"one line\n" * 100
        time.sleep(0.2)
        served.ok("session", "kill", nobody.http.get("/pai/v1/me").json()["session"])
        yield b"too late\n" * 100
        yield b"\r\n--xx--\r\n"

    headers = {
        "x-csrf-token": nobody.csrf, "sec-fetch-site": "same-origin", "content-type": "multipart/form-data; boundary=xx",
    }  # fmt: skip
    answer = nobody.http.post(f"/pai/v1/collections/{made}/documents", content=slow(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "session_ended")
    nobody.log_in("attacker@pai.test")
    assert nobody.http.get(f"/pai/v1/collections/{made}/documents").json() == {"documents": []}


def test_a_stranger_finds_nothing_behind_any_id(
    attacker: BrowserClient, victim: BrowserClient, things: dict[str, str]
) -> None:
    bodies = {
        "ask": {"question": f"Where is the {MARKER}?"}, "share": {"email": "attacker@pai.test"}, "role": {"role": "guest"}, "clearance": {"clearance": "restricted"},
        "reset-login": {}, "refuse": {}, "approve": {"digest": "0" * 64},
    }  # fmt: skip
    tried = 0
    for method, path in ROUTES:
        if "{" not in path or path in PUBLIC or path.startswith("/v1"):
            continue
        tried += 1
        filled = path.format(**things)
        if filled.endswith("/documents") and method == "POST":
            own = {"x-csrf-token": attacker.csrf, "sec-fetch-site": "same-origin"}
            answer = attacker.http.post(filled, files={"file": ("b.txt", b"text")}, headers=own)
        else:
            answer = attacker.send(method, filled, bodies.get(path.rsplit("/", 1)[-1]))
        # Numbers of the audit log are nobody's things; that one is there says nothing.
        expected = 403 if "{index}" in path else 404
        assert answer.status_code == expected, (method, filled, answer.status_code, answer.text)
        assert MARKER not in answer.text
    assert tried >= 12
    for path, body in (
        ("/ask/questions", {"collection": things["collection"], "question": f"Where is the {MARKER}?"}),
        ("/chat/messages", {"conversation": things["conversation"], "text": "go on"}),
    ):
        assert attacker.send("POST", path, body).status_code == 404
    for path in (
        "/chat",
        "/ask",
        "/collections",
        "/pictures",
        "/recordings",
        "/account",
        f"/ask?collection={things['collection']}",
    ):
        shown = attacker.page(path)
        assert shown.status_code == 200
        assert MARKER not in shown.text
        ids = [value for name, value in things.items() if name != "index"]
        assert not [value for value in ids if value in shown.text.replace(path, "")], path
    assert MARKER in victim.page(f"/chat/{things['conversation']}").text
    assert MARKER in victim.page(f"/collections/{things['collection']}").text


def test_the_operator_with_the_database_open_reads_no_content(
    served: Installation, things: dict[str, str], tmp_path: Path
) -> None:
    files = [path for path in served.home.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if MARKER.encode() in path.read_bytes()] == []
    copy = tmp_path / "home"
    shutil.copytree(served.home, copy, ignore=shutil.ignore_patterns("models", "run", "*.sock"))
    home = StorageHome.existing(copy)  # with the passphrase, as whoever holds the console has it
    storage = home.open()
    try:
        rows = storage.read_sync(dump)
        assert len(rows["users"]) >= 3
        assert things["document"] in str(rows)  # positive control: this is the database, readable
        assert [table for table, found in rows.items() if MARKER in str(found)] == []
        events = served.ok("audit", "tail", "--limit", "1000")
        assert things["conversation"] in str(events)
        assert MARKER not in str(events)
        member = next(
            user for user in storage.read_sync(lambda unit: unit.users.list()) if user.email == "victim@pai.test"
        )
        assert (copy / "conversations" / f"{member.id}.db").exists()
        factors = [row for row in rows["member_wraps"] if member.id in str(row)]
        assert factors
        assert "console" not in str(factors)  # nothing that this server could open by itself
    finally:
        home.close()


def dump(unit: Any) -> dict[str, list[Any]]:
    db = unit.users._db
    names = [row[0] for row in db.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: db.exec_driver_sql(f'SELECT * FROM "{name}"').fetchall() for name in names}
