"""The pages as a person meets them: log in, chat, ask, set up, recover. Over real processes, with echo models."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from browser_client import HTML, BrowserClient
from installation import ADMIN, PASSWORD, Installation, secret_file

NEW = "seven green kettles in the attic"
SLOWLY = "Slowly: " + " ".join(f"word{n}" for n in range(300))


@pytest.fixture(scope="module")
def member(served: Installation) -> dict[str, str]:
    """A member whom the console knows only by address: the password is theirs, and the recovery code."""
    file = secret_file(served.folder / "password-web", PASSWORD)
    made: dict[str, str] = served.ok("user", "add", "web@pai.test", "--password-file", str(file))
    return made


@pytest.fixture
def browser(served: Installation, member: dict[str, str]) -> Iterator[BrowserClient]:
    client = BrowserClient(served)
    assert client.log_in(member["email"]).status_code == 303
    yield client
    client.close()


@pytest.fixture
def owner(served: Installation) -> Iterator[BrowserClient]:
    client = BrowserClient(served)
    assert client.log_in().status_code == 303
    yield client
    client.close()


def events(owner: BrowserClient, name: str, resource: str | None = None) -> list[dict[str, Any]]:
    wanted = {"name": name, "limit": "200"} | ({"resource": resource} if resource else {})
    found: list[dict[str, Any]] = owner.http.get("/pai/v1/audit/events", params=wanted).json()["events"]
    return found


def hidden(page: str, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def test_a_person_logs_in_and_is_where_they_wanted_to_go(served: Installation, member: dict[str, str]) -> None:
    client = BrowserClient(served)
    start = client.http.get("/", headers=HTML)
    assert (start.status_code, start.headers["location"]) == (303, "/login")
    assert '<form method="post" action="/login"' in client.page("/login").text
    refused = client.page("/collections?collection=col_1")
    assert refused.status_code == 401
    back = hidden(refused.text, "back")
    assert back == "/collections?collection=col_1"
    told = client.log_in(member["email"].upper(), back=back)
    assert (told.status_code, told.headers["location"]) == (303, back)
    me = client.http.get("/pai/v1/me").json()
    assert (me["email"], me["role"], me["opens_content"], me["key"]) == ("web@pai.test", "member", True, None)
    again = client.http.get("/login", headers=HTML)
    assert (again.status_code, again.headers["location"]) == (303, "/chat")
    client.close()


def test_a_wrong_password_gets_one_sentence_and_the_address_back(served: Installation) -> None:
    client = BrowserClient(served, "127.0.0.11")
    refused = client.log_in("web@pai.test", "not the password at all")
    assert refused.status_code == 401
    assert "The email or the password is wrong." in refused.text
    assert hidden(refused.text, "back") == "/chat"
    assert 'value="web@pai.test"' in refused.text
    assert "not the password at all" not in refused.text
    assert client.cookie == ""
    client.close()


def test_programs_get_json_and_people_get_pages(served: Installation, browser: BrowserClient) -> None:
    bare = BrowserClient(served)
    assert bare.http.get("/chat").json()["error"]["code"] == "unauthenticated"
    assert bare.page("/chat").headers["content-type"].startswith("text/html")
    missing = browser.page("/chat/cnv_nothing")
    assert missing.status_code == 404
    assert "There is nothing here" in missing.text
    unknown = browser.page("/no/such/page")
    assert unknown.status_code == 404
    assert "PAI has no page at this address." in unknown.text
    assert "method" not in unknown.text
    assert browser.send("GET", "/chat/cnv_nothing").json()["error"]["code"] == "not_found"
    bare.close()


def test_chats_are_listed_opened_continued_and_deleted(owner: BrowserClient, browser: BrowserClient) -> None:
    told = browser.say("Say **hello** twice")
    receipt = told[-1].pop("receipt")
    assert receipt["format"] == "pai-receipt"
    assert [told[0]["type"], told[-1]] == ["start", {"type": "done", "finish": "stop"}]
    assert told[0]["model"] == "echo"
    blocks = [block for event in told if event["type"] == "blocks" for block in event["blocks"]]
    assert blocks[-1] == ["p", "", ["Echo: Say ", ["strong", "", ["hello"]], " twice"]]
    chat = told[0]["conversation"]
    browser.say("and once more", chat)
    page = browser.page(f"/chat/{chat}")
    assert re.findall(r'class="turn (\w+)"', page.text) == ["user", "assistant", "user", "assistant"]
    assert "<strong>hello</strong>" in page.text
    assert 'aria-current="page">Say **hello** twice</a>' in browser.page(f"/chat/{chat}").text
    assert f"/chat/{chat}" in browser.page("/chat").text
    gone = browser.send("DELETE", f"/chat/{chat}")
    assert gone.json() == {"deleted": chat}
    assert browser.page(f"/chat/{chat}").status_code == 404
    assert browser.send("POST", "/chat/messages", {"conversation": chat, "text": "more"}).status_code == 404
    assert browser.send("DELETE", f"/chat/{chat}").status_code == 404
    assert chat not in browser.page("/chat").text
    names = {name: events(owner, f"conversations:{name}", chat) for name in ("message:send", "message:answer")}
    assert {name: len(found) for name, found in names.items()} == {"message:send": 2, "message:answer": 2}
    for name in ("conversation:read", "conversation:delete"):
        assert events(owner, f"conversations:{name}", chat), name
    assert "hello" not in str(names)


@pytest.mark.parametrize(
    "body",
    [
        {"conversation": "", "text": ""},
        {"conversation": "", "text": "   "},
        {"conversation": "", "text": "x" * 32_001},
        {"conversation": "", "text": "w " * 9000},  # fits the field, not the model's context
        {"conversation": "x" * 61, "text": "a"},
        {"conversation": None, "text": "a"},
        {"conversation": "", "text": "a", "model": "other"},
        {"text": "a"},
        ["a"],
    ],
)
def test_what_cannot_be_said_is_refused_and_not_kept(browser: BrowserClient, body: Any) -> None:
    before = browser.page("/chat").text.count('href="/chat/cnv_')
    assert browser.send("POST", "/chat/messages", body).status_code == 400
    assert browser.page("/chat").text.count('href="/chat/cnv_') == before


def test_stopping_keeps_what_was_said(owner: BrowserClient, browser: BrowserClient) -> None:
    with browser.stream("/chat/messages", {"conversation": "", "text": SLOWLY}) as answer:
        chat = next(answer)["conversation"]
        for event in answer:
            if "word4" in str(event):
                break
    ended = wait_for(lambda: events(owner, "conversations:message:answer", chat))
    assert (ended[0]["outcome"], ended[0]["reason"]) == ("failed", "stopped by its reader")
    said = re.findall(r'<div class="prose"><p>(.*?)</p>', browser.page(f"/chat/{chat}").text)
    assert len(said) == 1
    assert said[0].startswith("Echo: Slowly: word0 word1 word2 word3 word4")
    assert f"Echo: {SLOWLY}".startswith(said[0].strip())
    assert "word299" not in said[0]
    told = browser.say("still here", chat)
    assert told[-1]["finish"] == "stop"


def wait_for(look: Any, seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_documents_are_put_in_asked_cited_and_read(served: Installation, browser: BrowserClient) -> None:
    made = browser.send("POST", "/pai/v1/collections", {"name": "Archive <1>"}).json()
    assert "Archive &lt;1&gt;" in browser.page("/collections").text
    own = {"x-csrf-token": browser.csrf, "sec-fetch-site": "same-origin"}
    text = b"The key to the cellar lies with Berta Kiesel in room 14.\n"
    path = f"/pai/v1/collections/{made['id']}/documents"
    job = browser.http.post(path, files={"file": ("cellar & key.txt", text)}, headers=own)
    assert job.status_code == 202, job.text
    done = wait_for(lambda: browser.http.get(f"/pai/v1/jobs/{job.json()['id']}").json().get("accepted"))
    assert "cellar &amp; key.txt" in browser.page(f"/collections/{made['id']}").text
    assert f'value="{made["id"]}"' in browser.page(f"/ask?collection={made['id']}").text
    question = {"collection": made["id"], "question": "Who has the key to the cellar?"}
    told = browser.events("/ask/questions", question)
    assert told[0]["type"] == "considered"
    answer = told[-1]
    assert (answer["type"], answer["abstained"]) == ("done", False)
    source = answer["sources"][0]
    assert source["document"] == "cellar & key.txt"
    assert "Berta Kiesel" in source["quote"]
    assert "cite" in str(answer["blocks"])
    passage = browser.http.get(
        f"/documents/{done[0]['document']}/passages/{source['chunk_id']}", params={"quote": source["quote"]}
    ).json()
    assert passage["quote"] == source["quote"]
    assert browser.events("/ask/questions", {**question, "question": "zebra quantum?"})[-1]["abstained"] is True
    whole = browser.page(f"/documents/{done[0]['document']}")
    assert "cellar &amp; key.txt</h1>" in whole.text
    assert "Berta Kiesel in room 14." in whole.text
    assert f'data-then="/collections/{made["id"]}"' in whole.text
    assert browser.page("/documents/doc_nothing").status_code == 404
    stranger = BrowserClient(served)
    stranger.log_in()
    hidden_page = stranger.page(f"/documents/{done[0]['document']}")
    assert hidden_page.status_code == 404
    assert "Kiesel" not in hidden_page.text
    own = {"email": ADMIN}
    assert browser.send("POST", f"/pai/v1/collections/{made['id']}/share", own).status_code == 200
    shared = stranger.page(f"/documents/{done[0]['document']}")
    assert "Kiesel" in shared.text
    assert 'data-verb="Delete the document"' not in shared.text
    stranger.close()
    assert browser.send("DELETE", f"/pai/v1/collections/{made['id']}").status_code == 200
    assert browser.page(f"/collections/{made['id']}").status_code == 404


def test_the_account_shows_sessions_and_ends_others(served: Installation, browser: BrowserClient) -> None:
    other = BrowserClient(served)
    assert other.log_in("web@pai.test").status_code == 303
    page = browser.page("/account").text
    assert "Firefox on Linux" in page
    assert page.count("this one") == 1
    found = browser.http.get("/pai/v1/sessions").json()["sessions"]
    theirs = next(one["id"] for one in other.http.get("/pai/v1/sessions").json()["sessions"] if one["current"])
    assert theirs in [one["id"] for one in found]
    assert browser.send("DELETE", f"/pai/v1/sessions/{theirs}").json() == {"ended": theirs}
    ended = other.page("/chat")
    assert ended.status_code == 401
    assert "Your session has ended" in ended.text
    assert browser.page("/chat").status_code == 200
    other.close()


def test_keys_are_made_for_programs(owner: BrowserClient, browser: BrowserClient) -> None:
    made = browser.send("POST", "/account/keys", {"name": "script", "scopes": ["inference"], "days": "7"})
    assert made.status_code == 201
    key = made.json()
    bearer = {"authorization": f"Bearer {key['key']}"}
    asked = {"model": "default", "messages": [{"role": "user", "content": "hi"}]}
    browser.http.cookies.clear()
    assert browser.http.post("/v1/chat/completions", json=asked, headers=bearer).status_code == 200
    assert browser.http.get("/pai/v1/collections", headers=bearer).status_code == 403
    browser.log_in("web@pai.test")
    assert "script" in browser.page("/account").text
    assert key["key"] not in browser.page("/account").text
    for body in ({"name": "x", "scopes": ["everything"], "days": "7"}, {"name": "x", "scopes": [], "days": "7"},
                 {"name": "x", "scopes": ["inference"], "days": "9999"}):  # fmt: skip
        assert browser.send("POST", "/account/keys", body).status_code == 400
    wanted = {"name": "soon", "scopes": ["inference"], "expires_at": "2090-01-01T00:00:00Z", "ceiling": "internal"}
    told = browser.send("POST", "/pai/v1/keys", wanted).json()
    assert told["expires_at"].startswith("2090-01-01")
    assert told["ceiling"] == "internal"
    past = browser.send("POST", "/pai/v1/keys", {**wanted, "expires_at": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["error"]["code"]) == (400, "bad_expiry")
    assert len(events(owner, "identity:key:create", key["id"])) == 1


def test_logging_out_ends_it_and_is_recorded(owner: BrowserClient, browser: BrowserClient) -> None:
    session = browser.http.get("/pai/v1/me").json()["session"]
    answer = browser.send("POST", "/logout")
    assert answer.json() == {"ended": session}
    assert "cache" in answer.headers["clear-site-data"]
    assert browser.cookie == ""
    [event] = events(owner, "identity:session:end", session)
    assert event["how"] == "logout"


def test_roles_without_chat_are_led_to_a_page_of_theirs(served: Installation) -> None:
    file = secret_file(served.folder / "password-auditor", PASSWORD)
    served.ok("user", "add", "auditor@pai.test", "--role", "auditor", "--password-file", str(file))
    client = BrowserClient(served)
    assert client.log_in("auditor@pai.test").headers["location"] == "/chat"
    refused = client.page("/chat")
    assert refused.status_code == 403
    assert 'href="/account"' in refused.text
    assert client.page("/account").status_code == 200
    for path in ("/pictures", "/recordings"):
        assert client.page(path).status_code == 403, path
    client.close()


@pytest.mark.slow
def test_a_reset_login_closes_content_until_the_recovery_code_is_given(
    served: Installation, owner: BrowserClient
) -> None:
    file = secret_file(served.folder / "password-reset", PASSWORD)
    made = served.ok("user", "add", "reset@pai.test", "--password-file", str(file))
    before = BrowserClient(served)
    before.log_in("reset@pai.test")
    chat = before.say("what only I may read")[0]["conversation"]
    link = served.ok("user", "reset-login", "reset@pai.test")["url"]
    page, _, token = link.partition("#")
    assert page == f"{served.url}/setup"

    client = BrowserClient(served, "127.0.0.12")
    assert client.page("/setup").status_code == 200
    weak = client.send("POST", "/setup", {"token": token, "password": "password1234"})
    assert (weak.status_code, weak.json()["error"]["code"]) == (400, "weak_password")
    chosen = client.send("POST", "/setup", {"token": token, "password": NEW})
    assert (chosen.status_code, chosen.json()) == (201, {"recovery_code": None})
    used = client.send("POST", "/setup", {"token": token, "password": NEW})
    # send.js goes to the log-in page for these two codes only; of a used link the person has to read.
    assert (used.status_code, used.json()["error"]["code"]) == (401, "bad_setup_link")
    assert before.page("/chat").status_code == 401
    assert client.log_in("reset@pai.test", PASSWORD).status_code == 401
    assert client.log_in("reset@pai.test", NEW).status_code == 303

    closed = client.page("/chat")
    assert closed.status_code == 403
    assert "recovery code" in closed.text
    assert 'href="/account"' in closed.text
    assert "what only I may read" not in closed.text
    assert client.page(f"/chat/{chat}").status_code == 403
    assert client.send("POST", "/chat/messages", {"conversation": "", "text": "x"}).status_code == 403
    assert 'data-send="/account/recovery"' in client.page("/account").text
    for code, password, told in (
        (made["recovery_code"], PASSWORD, "wrong_password"),
        (other_code(served), NEW, "wrong_recovery"),
        ("not a code", NEW, ""),
    ):
        refused = client.send("POST", "/account/recovery", {"code": code, "password": password})
        assert refused.status_code in (400, 401)
        assert refused.json()["error"]["code"] not in ("session_ended", "unauthenticated")
        assert told in refused.json()["error"]["code"]
    opened = client.send("POST", "/account/recovery", {"code": made["recovery_code"], "password": NEW})
    assert opened.json() == {"opened": True}
    assert "what only I may read" in client.page(f"/chat/{chat}").text
    assert 'data-send="/account/recovery"' not in client.page("/account").text
    again = BrowserClient(served)
    again.log_in("reset@pai.test", NEW)
    assert "what only I may read" in again.page(f"/chat/{chat}").text
    assert [e["content"] for e in events(owner, "identity:password:set", made["id"])] == [True, False]
    assert events(owner, "identity:setup-link:create", made["id"])
    assert {e["reason"] for e in events(owner, "identity:session:login-failed", made["id"])} >= {"wrong_recovery"}
    for one in (before, client, again):
        one.close()


def other_code(served: Installation) -> str:
    """A recovery code that is right in form and somebody else's."""
    file = secret_file(served.folder / "password-other", PASSWORD)
    return str(served.ok("user", "add", "other@pai.test", "--password-file", str(file))["recovery_code"])


@pytest.mark.slow
def test_init_without_a_password_prints_a_link_that_works_once(tmp_path: Any) -> None:
    fresh = Installation(tmp_path / "pai")
    made = fresh.ok(
        "init", "--admin", ADMIN, "--passphrase-file", str(fresh.passphrase_file), "--models", "echo"
    )  # fmt: skip
    page, _, token = made["setup_url"].partition("#")
    assert page == f"{fresh.url}/setup"
    assert made["admin_recovery_code"] is None
    fresh.start()
    try:
        client = BrowserClient(fresh)
        assert client.log_in().status_code == 401
        assert token not in client.page("/setup").text
        for wrong in ("", token[:-1], token + "x", "A" * 43):
            assert client.send("POST", "/setup", {"token": wrong, "password": PASSWORD}).status_code in (400, 401)
        # An operator who did not read the link in time makes another one; the first dies.
        newer = fresh.ok("user", "reset-login", ADMIN)["url"].partition("#")[2]
        assert client.send("POST", "/setup", {"token": token, "password": PASSWORD}).status_code == 401
        done = client.send("POST", "/setup", {"token": newer, "password": PASSWORD})
        assert done.status_code == 201
        assert len(done.json()["recovery_code"]) > 20
        assert client.send("POST", "/setup", {"token": newer, "password": NEW}).status_code == 401
        assert client.log_in().status_code == 303
        assert client.http.get("/pai/v1/me").json()["role"] == "administrator"
        assert client.say("hello")[-1]["finish"] == "stop"
        reset = fresh.run("user", "reset-login", "second@pai.test")
        assert reset.code == 1  # no link makes a second account
        failed = client.http.get("/pai/v1/audit/events", params={"name": "identity:session:login-failed"}).json()
        assert "setup link" in {event["reason"] for event in failed["events"]}
        code = secret_file(tmp_path / "code", made["recovery_code"])
        fresh.ok("keys", "confirm-recovery", "--code-file", str(code))
        assert len(events(client, "keys:recovery-code:confirm")) == 1
        client.close()
    finally:
        assert fresh.stop() == 0


def test_the_log_tells_who_came_and_who_was_refused(
    served: Installation, owner: BrowserClient, browser: BrowserClient, member: dict[str, str]
) -> None:
    client = BrowserClient(served, "127.0.0.13")
    client.log_in("web@pai.test", "wrong on purpose 1")
    client.log_in("nobody-at-all@pai.test", "wrong on purpose 2")
    client.close()
    refused = events(owner, "identity:session:login-failed")
    ours = [event for event in refused if event["address"] == "127.0.0.13"]
    assert len(ours) == 2
    assert member["id"] in str(ours[1])
    assert "wrong on purpose" not in str(refused)
    assert "nobody-at-all" not in str(refused)
    session = browser.http.get("/pai/v1/me").json()["session"]
    begun = [e for e in events(owner, "identity:session:login", member["id"]) if e["session"] == session]
    assert begun[0]["content"] is True


def test_pages_say_who_can_read_and_how_to_get_in(
    served: Installation, owner: BrowserClient, browser: BrowserClient
) -> None:
    stranger = BrowserClient(served)
    login = stranger.page("/login").text
    stranger.close()
    assert "nobody else" not in login
    assert "pai user reset-login EMAIL" in login
    assert "You, and this server" in owner.page("/account").text
    assert "You alone" in browser.page("/account").text
    assert "Chat does not see your documents" in browser.page("/chat").text


def test_no_collection_is_chosen_for_the_person_who_asks(browser: BrowserClient) -> None:
    made = [browser.send("POST", "/pai/v1/collections", {"name": f"chosen {n}"}).json()["id"] for n in range(2)]
    assert "Choose a collection" in browser.page("/ask").text
    assert "Choose a collection" not in browser.page(f"/ask?collection={made[1]}").text
    for one in made:
        browser.send("DELETE", f"/pai/v1/collections/{one}")


def test_static_files_are_ours_and_asked_for_again(served: Installation) -> None:
    client = BrowserClient(served)
    for name in ("base.css", "send.js", "mark.svg"):
        one = client.http.get(f"/static/{name}")
        assert one.status_code == 200
        again = client.http.get(f"/static/{name}", headers={"if-none-match": one.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for name in ("nothing.css", "..%2ftemplates%2fbase.html", "%2e%2e/templating.py", "", "base.css/"):
        assert client.http.get(f"/static/{name}").status_code == 404
    client.close()
