"""Attacks on the browser side: other sites, other members, strangers, hostile text, and the operator. Real processes, echo models."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from browser_client import HTML, NAVIGATION, BrowserClient
from installation import PASSWORD, Installation, secret_file
from pai.entrypoints.web.markdown import CLASSES, TAGS
from registered import all_routes
from storage_home import StorageHome

COOKIE = "__Host-pai_session"
PUBLIC = {"/healthz", "/readyz", "/login", "/setup", "/", "/static/{name}"}
ROUTES = all_routes()
UNSAFE = [(m, re.sub(r"{\w+}", "anything", p)) for m, p in ROUTES if m != "GET" and p not in PUBLIC]
OWN = [(m, p) for m, p in UNSAFE if not p.startswith(("/v1", "/api"))]
SLOWLY = "Slowly: " + " ".join(f"word{n}" for n in range(400))
MARKER = "marmalade-submarine-47"
EVIL = "\"><script>evil()</script><img src=//evil.example/x onerror=evil()>'"
SMALL_EVIL = "<script>evil()</script>"


def add(served: Installation, email: str, role: str = "member") -> dict[str, str]:
    file = secret_file(served.folder / f"password-{email}", PASSWORD)
    made: dict[str, str] = served.ok("user", "add", email, "--role", role, "--password-file", str(file))
    return made


@pytest.fixture(scope="module")
def victim(served: Installation) -> Iterator[BrowserClient]:
    add(served, "victim@pai.test")
    client = BrowserClient(served)
    assert client.log_in("victim@pai.test").status_code == 303
    yield client
    client.close()


@pytest.fixture(scope="module")
def attacker(served: Installation) -> Iterator[BrowserClient]:
    add(served, "attacker@pai.test")
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
    collection = victim.send("POST", "/pai/v1/collections", {"name": "papers"}).json()["id"]
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
        "passkey": "psk_of_the_victim",  # real ones: tests/unit/core/identity/test_identity_passkeys.py
    }  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_safe(answer: httpx.Response) -> Page:
    """The page runs nothing inline and names no other origin; its headers forbid both as well."""
    page = Page(answer.text)
    assert page.tags
    for tag, attributes in page.tags:
        assert tag not in {"style", "base", "iframe", "object", "embed"}, tag
        if tag == "script":
            assert re.fullmatch(r"/static/\w+\.js", attributes.get("src", "")), attributes
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"style", "srcdoc", "formaction"}, (tag, name)
            if name in {"src", "href", "action", "data-send", "srcset", "poster", "xlink:href"}:
                assert re.match(r"/(?!/)|#", value), (tag, name, value)
    assert not re.search(r"<script[^>]*>[^<]", answer.text)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert not re.search(r"unsafe|https?:|\*|data:|blob:", answer.headers["content-security-policy"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert (
        answer.headers["cross-origin-opener-policy"] == answer.headers["cross-origin-resource-policy"] == "same-origin"
    )
    assert "access-control-allow-origin" not in answer.headers
    return page


# --- the cookie ----------------------------------------------------------------------------------------------------


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(nobody: BrowserClient) -> None:
    answer = nobody.http.post("/login", data={"email": "attacker@pai.test", "password": PASSWORD}, headers=HTML)
    cookies = [[part.strip() for part in cookie.split(";")] for cookie in answer.headers.get_list("set-cookie")]
    told = {value.partition("=")[0]: (value, {flag.lower() for flag in flags}) for value, *flags in cookies}
    assert set(told) == {COOKIE, "__Host-pai_device", "__Host-pai_login"}
    value, flags = told[COOKIE]
    assert re.fullmatch(rf"{COOKIE}=[A-Za-z0-9_-]{{43}}", value)
    # No Domain, no Expires, no Max-Age: this host only, and gone with the browser.
    assert flags == {"httponly", "secure", "samesite=strict", "path=/"}
    # What the browser is known by stays, the ticket of the log-in goes; nobody else gets or reads them either.
    assert told["__Host-pai_device"][1] == {*flags, "max-age=34560000"}
    assert told["__Host-pai_login"][0].endswith('=""')
    for _, others in told.values():
        assert flags <= others
    nobody.page("/account")
    gone = nobody.send("POST", "/logout").headers["set-cookie"].lower()
    assert gone.startswith(f'{COOKIE.lower()}=""')
    assert "secure" in gone
    assert "path=/" in gone


def test_the_cookie_never_opens_the_dialects_for_programs(attacker: BrowserClient) -> None:
    tried = 0
    for method, path in [*ROUTES, ("GET", "/api/tags"), ("POST", "/api/chat"), ("GET", "/v1"), ("GET", "/api")]:
        if not path.startswith(("/v1", "/api")):
            continue
        tried += 1
        answer = attacker.send(method, path.replace("{", "").replace("}", ""), {})
        assert answer.status_code in (401, 404), (method, path, answer.status_code)
    assert tried >= 6
    assert attacker.send("GET", "/pai/v1/me").status_code == 200


@pytest.mark.parametrize("value", ["A" * 43, "A" * 42, "' OR 1=1--", "../../etc/passwd", "", "ses_0", "\u00e9" * 43])
def test_a_cookie_that_somebody_chose_opens_nothing_and_is_not_taken_over(served: Installation, value: str) -> None:
    client = BrowserClient(served, "127.0.0.20")
    sent = {**HTML, "cookie": f"{COOKIE}={value}".encode()}
    assert client.http.get("/chat", headers=sent).status_code == 401
    form = {"email": "attacker@pai.test", "password": PASSWORD}
    begun = client.http.post("/login", data=form, headers=sent)
    assert begun.status_code == 303
    assert client.cookie not in ("", value)
    client.http.cookies.clear()
    assert client.http.get("/chat", headers=sent).status_code == 401
    client.close()


def test_a_new_login_ends_the_browsers_old_session(nobody: BrowserClient) -> None:
    nobody.log_in("attacker@pai.test")
    old = nobody.cookie
    nobody.log_in("attacker@pai.test")
    assert nobody.cookie != old
    assert nobody.page("/account").status_code == 200
    nobody.http.cookies.clear()
    assert nobody.http.get("/chat", headers={**NAVIGATION, "cookie": f"{COOKIE}={old}"}).status_code == 401


# --- other sites ---------------------------------------------------------------------------------------------------


def test_nothing_changes_without_the_csrf_token_of_this_very_session(
    attacker: BrowserClient, victim: BrowserClient
) -> None:
    assert len(OWN) >= 14
    same = {"sec-fetch-site": "same-origin"}
    token = victim.csrf
    wrong: list[dict[str, str]] = [
        {}, {"x-csrf-token": ""}, {"x-csrf-token": attacker.csrf}, {"x-csrf-token": token[:-1]},
        {"x-csrf-token": token.swapcase()}, {"x-csrf-token": victim.cookie}, {"x-xsrf-token": token},
    ]  # fmt: skip
    for method, path in OWN:
        for headers in wrong:
            answer = victim.http.request(
                method, f"{path}?csrf={token}", json={"csrf": token}, headers={**same, **headers}
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf"), (method, path, headers)
    assert victim.page("/account").status_code == 200


def foreign_headers(served: Installation) -> list[dict[str, str]]:
    origins = [
        "null", "https://evil.example", f"http://localhost:{served.port}", f"https://localhost:{served.port + 1}",
        "https://localhost", f"https://localhost:{served.port}.evil.example", f"https://evil.example:{served.port}",
        f"https://localhost.evil.example:{served.port}", f"https://localhost:{served.port}@evil.example", "https://[", "",
    ]  # fmt: skip
    sites = [{"sec-fetch-site": site} for site in ("cross-site", "same-site", "none", "", "Same-Origin")]
    own = {"origin": served.url}
    return [*({"origin": origin} for origin in origins), *sites, *({**own, **site} for site in sites), {}]


def test_nothing_changes_for_a_page_of_another_site(served: Installation, victim: BrowserClient) -> None:
    token = {"x-csrf-token": victim.csrf}
    foreign = foreign_headers(served)
    for method, path in OWN:
        for headers in foreign if path in ("/logout", "/chat/messages") else foreign[::6]:
            answer = victim.http.request(method, path, json={}, headers={**token, **headers})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site"), (method, path, headers)
    assert victim.page("/account").status_code == 200
    # Browsers too old for Fetch Metadata say Origin; ours is let in.
    fine = victim.http.post("/chat/messages", json={}, headers={**token, "origin": served.url})
    assert fine.status_code == 400


def test_nobody_is_logged_in_or_set_up_by_another_site(served: Installation, nobody: BrowserClient) -> None:
    form = {"email": "attacker@pai.test", "password": PASSWORD}
    for headers in foreign_headers(served):
        answer = nobody.http.post("/login", data=form, headers=headers)
        assert answer.status_code == 403, headers
        assert "set-cookie" not in answer.headers
        answer = nobody.http.post("/setup", json={"token": "x", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403, headers
    # None of these counted as a guess.
    assert nobody.http.post("/login", data=form, headers={"origin": served.url}).status_code == 303


def test_another_sites_page_cannot_make_the_browser_read(victim: BrowserClient) -> None:
    for site in ("same-site", "cross-site"):
        for mode in ("no-cors", "cors", "websocket", ""):
            headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
            for path in ("/chat", "/pai/v1/me", "/pai/v1/sessions"):
                assert victim.http.get(path, headers=headers).status_code == 403, headers
        # A link to PAI is a navigation; SameSite decides whether the cookie comes along.
        link = {**NAVIGATION, "sec-fetch-site": site, "sec-fetch-mode": "navigate"}
        assert victim.http.get("/chat", headers=link).status_code == 200
    allowed = victim.http.get("/chat", headers={"origin": "https://evil.example"})
    assert not [name for name in allowed.headers if name.startswith("access-control")]


def test_methods_that_nobody_registered_do_nothing(victim: BrowserClient) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
    registered = {(m, p) for m, p in ROUTES}
    own = {"x-csrf-token": victim.csrf, "sec-fetch-site": "same-origin"}
    override = {"x-http-method-override": "DELETE", "x-method-override": "DELETE"}
    for path in sorted({path for _, path in ROUTES}):
        filled = re.sub(r"{\w+}", "anything", path)
        for method in methods:
            if (method, path) in registered or (method, path) == ("GET", "/chat/messages"):
                continue
            answer = victim.http.request(method, filled, headers={**own, **override})
            assert answer.status_code == 404, (method, path, answer.status_code)
            assert "allow" not in answer.headers
    assert victim.page("/account").status_code == 200


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "/chat//evil.example", "javascript:evil()",
        "/chat\r\nset-cookie: a=b", "/chat\n", "/logout", "/chat/../../evil", "/%2f%2fevil.example", " /chat/x", "/chat@evil",
        "/collections/x?collection=y&next=//evil.example", "/account#//evil.example", "chat", "/pai/v1/me", "/chat/" + "a" * 41,
    ],
)  # fmt: skip
def test_no_login_leads_outside(nobody: BrowserClient, back: str) -> None:
    answer = nobody.log_in("attacker@pai.test", back=back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/chat")
    nobody.http.cookies.clear()
    shown = nobody.http.get("/chat?next=//evil.example", headers=NAVIGATION)
    assert 'name="back" value="/chat"' in shown.text


# --- passwords -----------------------------------------------------------------------------------------------------


def test_guessing_is_slowed_and_the_owner_is_not_locked_out(served: Installation, victim: BrowserClient) -> None:
    thief = BrowserClient(served, "127.0.0.21")
    for _ in range(5):
        assert thief.log_in("victim@pai.test", "a guess that is not right").status_code == 401
    for _ in range(5):  # pauses double: on the slowest machine one is longer than a log-in takes
        slowed = thief.log_in("victim@pai.test", "a guess that is not right")
        if slowed.status_code == 429 and (wait := int(slowed.headers["retry-after"])) > 1:
            break
        time.sleep(1)
    else:
        raise AssertionError("guessing was never slowed")
    assert wait <= 32
    assert thief.log_in("victim@pai.test", PASSWORD).status_code == 429
    assert "Too many attempts" in slowed.text
    assert_safe(slowed)
    elsewhere = BrowserClient(served, "127.0.0.22")
    assert elsewhere.log_in("victim@pai.test").status_code == 303
    assert victim.page("/account").status_code == 200
    time.sleep(wait)
    assert thief.log_in("victim@pai.test", PASSWORD).status_code == 303
    thief.close()
    elsewhere.close()


def test_guesses_at_once_are_counted_one_by_one(served: Installation) -> None:
    clients = [BrowserClient(served, "127.0.0.23") for _ in range(10)]
    with ThreadPoolExecutor(len(clients)) as pool:
        told = list(pool.map(lambda c: c.log_in("victim@pai.test", "a guess that is not right").status_code, clients))
    assert sorted(told) == [401] * 5 + [429] * 5
    for client in clients:
        client.close()


def test_what_is_not_a_login_is_refused_before_it_costs_anything(nobody: BrowserClient) -> None:
    url, own = "/login", {"sec-fetch-site": "same-origin"}
    form = {**own, "content-type": "application/x-www-form-urlencoded"}
    began = time.monotonic()
    assert nobody.http.post(url, content=b"a=&" * 300_000, headers=form).status_code == 413
    assert nobody.http.post("/setup", content=b"[" * 300_000, headers=own).status_code == 413
    assert time.monotonic() - began < 1

    def endless() -> Iterator[bytes]:
        for _ in range(256):
            yield b"a=&" * 1000

    try:
        assert nobody.http.post(url, content=endless(), headers=form).status_code in (400, 413)
    except httpx.HTTPError:
        pass  # hanging up on such a body is as good
    for body in (b"", b"email=a", b"password=b", b"\xff\xfe=%ff", b"email=" + b"x" * 300 + b"&password=y"):
        assert nobody.http.post(url, content=body, headers=form).status_code == 400
    fields = {"email": "victim@pai.test", "password": PASSWORD}
    assert nobody.http.post(url, json=fields, headers=own).status_code == 400
    assert nobody.http.post(url, data=fields, files={"f": b""}, headers=own).status_code == 400
    assert nobody.http.get(url, params=fields, headers=own).headers.get("set-cookie") is None


def test_a_setup_link_cannot_be_guessed_and_guessing_does_not_fill_the_log(
    served: Installation, nobody: BrowserClient
) -> None:
    before = len(served.ok("audit", "tail", "--limit", "1000")["events"])
    for n in range(60):
        answer = nobody.send("POST", "/setup", {"token": f"{n}" * 22, "password": PASSWORD})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_setup_link")
    assert len(served.ok("audit", "tail", "--limit", "1000")["events"]) - before <= 35
    for body in ({}, {"token": "", "password": "x"}, {"token": "x" * 201, "password": "x"}, {"token": ["x"], "password": "x"},
                 {"token": "x", "password": "x" * 1025}, {"token": "x", "password": PASSWORD, "email": "a@b.c"}):  # fmt: skip
        assert nobody.send("POST", "/setup", body).status_code == 400


# --- ends ----------------------------------------------------------------------------------------------------------


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


# --- other members, and the operator ---------------------------------------------------------------------------------


def test_a_stranger_finds_nothing_behind_any_id(
    attacker: BrowserClient, victim: BrowserClient, things: dict[str, str]
) -> None:
    bodies = {
        "ask": {"question": f"Where is the {MARKER}?"}, "share": {"email": "attacker@pai.test"}, "role": {"role": "guest"},
        "reset-login": {},
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
        assert answer.status_code == 404, (method, filled, answer.status_code, answer.text)
        assert MARKER not in answer.text
    assert tried >= 12
    for path, body in (
        ("/ask/questions", {"collection": things["collection"], "question": f"Where is the {MARKER}?"}),
        ("/chat/messages", {"conversation": things["conversation"], "text": "go on"}),
    ):
        assert attacker.send("POST", path, body).status_code == 404
    for path in ("/chat", "/ask", "/collections", "/account", f"/ask?collection={things['collection']}"):
        shown = attacker.page(path)
        assert shown.status_code == 200
        assert MARKER not in shown.text
        assert not [value for value in things.values() if value in shown.text.replace(path, "")], path
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


# --- hostile text ----------------------------------------------------------------------------------------------------


def test_every_page_runs_nothing_inline_and_names_no_other_origin(
    victim: BrowserClient, nobody: BrowserClient, things: dict[str, str]
) -> None:
    paths = [
        path.format(**things, name="")
        for method, path in ROUTES
        if method == "GET" and not path.startswith(("/pai", "/v1", "/api")) and "/passages/" not in path
    ]
    seen = 0
    for path in paths:
        if path in ("/", "/healthz", "/readyz") or path.startswith("/static"):
            continue
        for client in (victim, nobody):
            answer = client.page(path)
            if answer.status_code != 303:
                assert_safe(answer)
                seen += 1
    assert seen >= 18
    for client, path in ((victim, "/chat/cnv_nothing"), (victim, "/nothing"), (nobody, "/collections/col_x")):
        assert_safe(client.page(path))
    assert_safe(nobody.log_in("nobody@pai.test", "a guess that is not right"))
    told = victim.send("GET", "/pai/v1/me").headers
    assert "default-src 'none'" in told["content-security-policy"]
    assert told["cache-control"] == "no-store"


def test_names_and_words_stay_text_on_every_page(served: Installation) -> None:
    add(served, "hostile@pai.test")
    client = BrowserClient(served, "127.0.0.25")
    client.http.headers["user-agent"] = SMALL_EVIL
    form = {"email": "hostile@pai.test", "password": PASSWORD}
    client.http.post("/login", data=form, headers={"sec-fetch-site": "same-origin"})
    sent = {"user-agent": SMALL_EVIL}
    client.page("/account", **sent)
    made = client.send("POST", "/pai/v1/collections", {"name": EVIL}).json()
    own = {"x-csrf-token": client.csrf, "sec-fetch-site": "same-origin"}
    # As curl writes it: a quote in a file name is escaped by a backslash.
    name = EVIL.replace('"', '\\"')
    body = (
        f'--xx\r\ncontent-disposition: form-data; name="file"; filename="{name}.txt"\r\n\r\nSome words.\r\n--xx--\r\n'
    )
    kind = {"content-type": "multipart/form-data; boundary=xx"}
    path = f"/pai/v1/collections/{made['id']}/documents"
    job = client.http.post(path, content=body.encode(), headers={**own, **kind}).json()
    for _ in range(200):
        told = client.http.get(f"/pai/v1/jobs/{job['id']}").json()
        if told["state"] not in ("queued", "running"):
            break
        time.sleep(0.05)
    assert told["accepted"], told
    client.send("POST", "/account/keys", {"name": EVIL, "scopes": ["inference"], "days": "7"})
    chat = client.say(EVIL)[0]["conversation"]
    for where, text in (
        ("/account", EVIL), ("/account", SMALL_EVIL), ("/collections", EVIL), (f"/collections/{made['id']}", "evil.example"),
        (f"/documents/{told['accepted'][0]['document']}", "evil.example"),
        ("/ask", EVIL), (f"/chat/{chat}", EVIL), ("/chat", "evil()"), (f"/ask?collection={EVIL[:50]}", EVIL),
    ):  # fmt: skip
        page = assert_safe(client.page(where, **sent))
        assert text in page.text, where
        assert "evil()" not in str([one for tag, one in page.tags if tag == "script"])
    refused = client.http.post("/login", data={"email": EVIL, "password": "x", "back": EVIL}, headers=HTML)
    assert_safe(refused)
    assert EVIL in [attributes.get("value") for _, attributes in Page(refused.text).tags]  # what the field holds
    client.close()


MARKDOWN = """# <script>evil()</script>
![picture](https://evil.example/p.png?q=secret) [link](javascript:evil()) [two](https://evil.example/) <https://evil.example/auto>
![r][r] [r] <svg onload=evil()> <!-- <img src=x onerror=evil()> --> <a href="//evil.example">x</a> &lt;img src=x onerror=evil()&gt;

[r]: https://evil.example/ref "title"

| <b onclick=evil()>a</b> | [b](data:text/html,evil) |
|:-:|-:|
| ![](//evil.example/x) | `<script>evil()</script>` |

```html
<script>evil()</script>
```
<style>@import url(//evil.example)</style><iframe src="//evil.example"></iframe>
"""


def walk(tree: Any) -> Iterator[list[Any]]:
    if isinstance(tree, list):
        yield tree
        for child in tree[2]:
            yield from walk(child)


def test_what_a_model_says_can_neither_run_nor_fetch_nor_link(victim: BrowserClient) -> None:
    told = victim.say(MARKDOWN)
    blocks = [block for event in told if event["type"] == "blocks" for block in event["blocks"]]
    nodes = [node for block in blocks for node in walk(block)]
    assert len(nodes) > 10
    for tag, kind, children in nodes:
        assert tag in TAGS
        assert kind in {"", *CLASSES}
        assert isinstance(children, list)
    assert "evil()" in json.dumps(blocks)
    page = assert_safe(victim.page(f"/chat/{told[0]['conversation']}"))
    assert "[picture: picture]" in page.text
    assert "https://evil.example/" in page.text  # an address is shown as text
    prose = page.tags[next(n for n, (_, a) in enumerate(page.tags) if a.get("class") == "prose") :]
    shown = [(tag, attributes) for tag, attributes in prose if "evil" in str(attributes)]
    assert shown == []


SURROGATE = b'"\\ud800"'


def test_text_that_is_no_text_is_refused_everywhere(victim: BrowserClient, things: dict[str, str]) -> None:
    own = {"x-csrf-token": victim.csrf, "sec-fetch-site": "same-origin", "content-type": "application/json"}
    collection = things["collection"].encode()
    for path, body in (
        ("/chat/messages", b'{"conversation":"","text":%s}'),
        ("/chat/messages", b'{"conversation":%s,"text":"x"}'),
        ("/ask/questions", b'{"collection":"' + collection + b'","question":%s}'),
        ("/ask/questions", b'{"collection":%s,"question":"x"}'),
        (f"/pai/v1/collections/{things['collection']}/ask", b'{"question":%s}'),
        (f"/pai/v1/collections/{things['collection']}/ask", b'{"question":"x","purpose":%s}'),
        (f"/pai/v1/collections/{things['collection']}/share", b'{"email":%s}'),
        ("/pai/v1/collections", b'{"name":%s}'),
        ("/pai/v1/collections", b'{"name":"x","purpose":%s}'),
        ("/account/keys", b'{"name":%s,"scopes":["inference"],"days":"7"}'),
        ("/pai/v1/keys", b'{"name":%s,"scopes":["inference"]}'),
        ("/account/recovery", b'{"code":%s,"password":"x"}'),
        ("/account/recovery", b'{"code":"x","password":%s}'),
        ("/setup", b'{"token":%s,"password":"violet tractor under nine lamps"}'),
        ("/setup", b'{"token":"x","password":%s}'),
    ):
        answer = victim.http.post(path, content=body % SURROGATE, headers=own)
        assert 400 <= answer.status_code < 500, (path, body, answer.status_code, answer.text)
    for path in (
        "/chat/%ED%A0%80",
        "/chat/%00",
        "/collections/%FF",
        "/ask?collection=%ED%A0%80",
        "/documents/%00/passages/%00",
    ):
        assert victim.http.get(path).status_code in (200, 400, 404), path
