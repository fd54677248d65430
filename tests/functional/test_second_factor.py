"""Two-step log-in, step-up and people, over real processes, as browsers, programs and attackers meet them."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator

import httpx
import pytest

from browser_client import HTML, BrowserClient
from installation import ADMIN, PASSWORD, Installation, secret_file
from second_factor import enrol, second_step

SLOWLY = "Slowly: " + " ".join(f"word{n}" for n in range(300))
TICKET = "__Host-pai_login"


def trusted(served: Installation) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(served.ca))


def account(served: Installation, name: str, role: str = "member") -> str:
    email = f"{name}@pai.test"
    file = secret_file(served.folder / f"password-{email}", PASSWORD)
    served.ok("user", "add", email, "--role", role, "--password-file", str(file))
    return email


def logged_in(served: Installation, email: str, address: str | None = None) -> BrowserClient:
    browser = BrowserClient(served, address)
    assert browser.log_in(email).status_code == 303
    return browser


@pytest.fixture
def owner(served: Installation) -> Iterator[BrowserClient]:
    browser = BrowserClient(served)
    assert browser.log_in().status_code == 303
    yield browser
    browser.close()


def test_a_log_in_of_two_steps(served: Installation) -> None:
    email = account(served, "twostep")
    first = logged_in(served, email)
    phone, codes = enrol(first)
    assert len(codes) == 10
    browser = BrowserClient(served)
    asked = browser.log_in(email)
    assert asked.status_code == 200
    assert "One more step" in asked.text
    cookie = next(line for line in asked.headers.get_list("set-cookie") if line.startswith(TICKET))
    for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/", "Max-Age=300"):
        assert word in cookie
    assert browser.cookie == "", "no session before the second step"
    assert browser.http.get("/pai/v1/me").status_code == 401
    assert second_step(browser, "000000") == 401
    assert second_step(browser, phone.code()) == 303
    me = browser.http.get("/pai/v1/me").json()
    assert (me["email"], me["opens_content"]) == (email, True)
    assert browser.http.cookies.get(TICKET, "") == ""
    lost = BrowserClient(served)
    lost.log_in(email)
    assert second_step(lost, codes[4].upper()) == 303
    again = BrowserClient(served)
    again.log_in(email)
    assert second_step(again, codes[4]) == 401, "a backup code works once"
    for one in (first, browser, lost, again):
        one.close()


def test_no_ticket_and_no_session_can_be_fixed(served: Installation) -> None:
    """What an attacker plants before the log-in is worth nothing after it."""
    email = account(served, "fixation")
    browser = BrowserClient(served)
    planted = "A" * 43
    for name in ("__Host-pai_session", TICKET):
        browser.http.cookies.set(name, planted, domain="localhost.local", path="/")
    assert second_step(browser, "123456") == 401
    assert browser.log_in(email).status_code == 303
    assert browser.cookie not in ("", planted)
    theirs = BrowserClient(served)
    answer = theirs.http.get("/pai/v1/me", headers={"cookie": f"__Host-pai_session={planted}"})
    assert answer.status_code == 401
    browser.close()
    theirs.close()


def test_another_site_can_take_no_second_step(served: Installation) -> None:
    email = account(served, "crossstep")
    first = logged_in(served, email)
    phone, _ = enrol(first)
    browser = BrowserClient(served)
    browser.log_in(email)
    away = {**HTML, "sec-fetch-site": "cross-site"}
    assert browser.http.post("/login", data={"code": phone.code()}, headers=away).status_code == 403
    assert browser.cookie == ""
    first.close()
    browser.close()


def test_nobody_touches_the_factors_of_another_and_no_key_steps_up(served: Installation) -> None:
    email = account(served, "keyholder", "administrator")
    browser = logged_in(served, email)
    _, codes = enrol(browser)
    key = served.key("inference,admin", owner=email)
    with httpx.Client(base_url=served.url, verify=trusted(served), trust_env=False) as program:
        program.headers["authorization"] = f"Bearer {key}"
        assert program.get("/pai/v1/factors").json()["backup_codes_left"] == 10
        for method, path, body in (
            ("POST", "/pai/v1/step-up", {"proof": codes[0]}), ("POST", "/pai/v1/factors/totp", None),
            ("DELETE", "/pai/v1/factors/totp", None), ("POST", "/pai/v1/factors/backup-codes", None),
            ("POST", "/pai/v1/password", {"present": PASSWORD, "password": "another long password here"}),
            ("POST", "/pai/v1/keys", {"name": "more", "scopes": ["admin"]}),
            ("POST", "/pai/v1/users/invite", {"email": "x@pai.test", "role": "administrator"}),
        ):  # fmt: skip
            answer = program.request(method, path, json=body)
            assert answer.status_code == 403, (method, path, answer.text)
        assert program.post("/pai/v1/keys", json={"name": "less", "scopes": ["inference"]}).status_code == 201
    assert browser.http.get("/pai/v1/factors").json()["backup_codes_left"] == 10, (
        "a code that a key offers is not used up"
    )
    browser.close()


def test_a_password_is_changed_with_a_rule_that_looks_at_the_second_factor(served: Installation) -> None:
    email = account(served, "changer")
    browser, other = logged_in(served, email), logged_in(served, email)
    chat = browser.say("mine alone")[0]["conversation"]

    def change(present: str, wanted: str) -> tuple[int, str]:
        answer = browser.send("POST", "/pai/v1/password", {"present": present, "password": wanted})
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    assert change("not it at all", "a good long password") == (401, "wrong_password")
    assert change(PASSWORD, "fourteen chars") == (400, "weak_password")
    assert change(PASSWORD, "password12345678") == (400, "weak_password")
    assert change(PASSWORD, "kettle attic seven") == (200, "")
    assert other.http.get("/pai/v1/me").status_code == 401, "the other session ended"
    enrol(browser)
    assert change("kettle attic seven", "iloveyou1") == (400, "weak_password")
    assert change("kettle attic seven", "gr33n-ket") == (200, "")
    assert "mine alone" in browser.page(f"/chat/{chat}").text
    browser.close()
    other.close()


def test_an_invitation_is_bound_expires_and_works_once(served: Installation, owner: BrowserClient) -> None:
    made = owner.send("POST", "/pai/v1/users/invite", {"email": "Guest@pai.test", "role": "guest"})
    assert made.status_code == 201, made.text
    page, _, token = made.json()["url"].partition("#")
    assert page == f"{served.url}/setup"
    people = owner.page("/people").text
    assert "guest@pai.test" in people
    assert token not in people
    browser = BrowserClient(served)
    own = {"sec-fetch-site": "same-origin"}
    weak = browser.http.post("/setup", json={"token": token, "password": "fourteen chars"}, headers=own)
    assert weak.json()["error"]["code"] == "weak_password"
    done = browser.http.post("/setup", json={"token": token, "password": "kettle attic seven"}, headers=own)
    assert done.status_code == 201
    assert done.json()["recovery_code"]
    again = browser.http.post("/setup", json={"token": token, "password": "kettle attic eight"}, headers=own)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "bad_setup_link")
    assert browser.log_in("guest@pai.test", "kettle attic seven").status_code == 303
    me = browser.http.get("/pai/v1/me").json()
    assert (me["role"], me["opens_content"]) == ("guest", True)
    taken = owner.send("POST", "/pai/v1/users/invite", {"email": "guest@pai.test"})
    assert taken.status_code == 409
    link = served.ok("user", "invite", "later@pai.test", "--role", "officer")["url"]
    assert owner.send("POST", "/pai/v1/users/withdraw", {"email": "later@pai.test"}).status_code == 200
    void = browser.http.post(
        "/setup", json={"token": link.partition("#")[2], "password": "kettle attic seven"}, headers=own
    )
    assert void.status_code == 401
    browser.close()


def test_members_see_nothing_of_people(served: Installation) -> None:
    email = account(served, "curious")
    browser = logged_in(served, email)
    assert browser.page("/people").status_code == 403
    assert browser.http.get("/pai/v1/users").status_code == 403
    own = browser.http.get("/pai/v1/me").json()["id"]
    for path in ("disable", "role", "reset-login"):
        body = {"role": "administrator"} if path == "role" else {}
        assert browser.send("POST", f"/pai/v1/users/{own}/{path}", body).status_code == 404
    assert browser.http.get("/pai/v1/me").json()["role"] == "member"
    assert 'href="/people"' not in browser.page("/account").text
    browser.close()


def test_disabling_ends_everything_at_once_open_streams_included(served: Installation, owner: BrowserClient) -> None:
    email = account(served, "leaver")
    browser = logged_in(served, email)
    file = served.folder / f"password-{email}"
    key = served.ok(
        "key", "create", "--owner", email, "--name", "k", "--scopes", "inference", "--owner-password-file", str(file)
    )["key"]
    user = browser.http.get("/pai/v1/me").json()["id"]
    link = served.ok("user", "reset-login", email)["url"].partition("#")[2]
    ended: dict[str, float | str] = {}
    began = threading.Barrier(3, timeout=60)

    def chat() -> None:
        with browser.stream("/chat/messages", {"conversation": "", "text": SLOWLY}) as events:
            for n, event in enumerate(events):
                if n == 2:
                    began.wait()
                ended["session"] = event.get("code", "") if event["type"] == "error" else event["type"]

    def completion() -> None:
        body = {"model": "default", "stream": True, "messages": [{"role": "user", "content": SLOWLY}]}
        with (
            httpx.Client(base_url=served.url, verify=trusted(served), timeout=60, trust_env=False) as program,
            program.stream(
                "POST", "/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
            ) as answer,
        ):
            for n, line in enumerate(answer.iter_lines()):
                if n == 2:
                    began.wait()
                if line:
                    ended["key"] = line

    threads = [threading.Thread(target=one) for one in (chat, completion)]
    for one in threads:
        one.start()
    began.wait()
    assert owner.send("POST", f"/pai/v1/users/{user}/disable").status_code == 200
    for one in threads:
        one.join(20)
        assert not one.is_alive(), "the stream goes on"
    assert ended["session"] == "session_ended"
    assert "DONE" not in str(ended["key"])
    assert browser.http.get("/pai/v1/me").status_code == 401
    with httpx.Client(base_url=served.url, verify=trusted(served), trust_env=False) as program:
        assert program.get("/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == 401
        own = {"sec-fetch-site": "same-origin"}
        assert (
            program.post("/setup", json={"token": link, "password": "kettle attic seven"}, headers=own).status_code
            == 401
        )
    back = BrowserClient(served)
    assert back.log_in(email).status_code == 401
    assert owner.send("POST", f"/pai/v1/users/{user}/enable").status_code == 200
    assert back.log_in(email).status_code == 303
    listed = {one["email"]: one for one in served.ok("user", "list")["users"]}
    assert listed[email]["disabled_at"] is None
    back.close()
    browser.close()


def test_a_role_is_granted_ends_sessions_and_nobody_grants_their_own(
    served: Installation, owner: BrowserClient
) -> None:
    email = account(served, "riser")
    browser = logged_in(served, email)
    user = browser.http.get("/pai/v1/me").json()["id"]
    assert owner.send("POST", f"/pai/v1/users/{user}/role", {"role": "auditor"}).status_code == 200
    assert browser.http.get("/pai/v1/me").status_code == 401
    assert browser.log_in(email).status_code == 303
    assert browser.http.get("/pai/v1/me").json()["role"] == "auditor"
    mine = owner.http.get("/pai/v1/me").json()["id"]
    assert owner.send("POST", f"/pai/v1/users/{mine}/role", {"role": "member"}).json()["error"]["code"] == "own_role"
    assert served.ok("user", "role", email, "member")["role"] == "member"
    browser.close()


def test_administrators_end_sessions_of_others(served: Installation, owner: BrowserClient) -> None:
    email = account(served, "watched")
    browser = logged_in(served, email)
    me = browser.http.get("/pai/v1/me").json()
    assert me["session"] in owner.page(f"/people/{me['id']}").text
    assert owner.send("DELETE", f"/pai/v1/sessions/{me['session']}").status_code == 200
    assert browser.http.get("/pai/v1/me").status_code == 401
    browser.close()


def test_a_new_browser_is_told_to_the_others_and_cannot_wave_itself_through(served: Installation) -> None:
    email = account(served, "noticed")
    mine = logged_in(served, email)
    assert "Was it you?" not in mine.page("/chat").text
    away = logged_in(served, email, "127.0.0.9")
    assert "Was it you?" in mine.page("/chat").text
    assert "127.0.0.9" in mine.page("/account").text
    assert "Was it you?" not in away.page("/chat").text, "the new browser is not told of itself"
    assert away.send("POST", "/pai/v1/devices/acknowledge").status_code == 200
    assert "Was it you?" in mine.page("/chat").text
    assert mine.send("POST", "/pai/v1/devices/acknowledge").status_code == 200
    assert "Was it you?" not in mine.page("/chat").text
    mine.send("POST", "/logout")
    assert mine.log_in(email).status_code == 303
    assert mine.http.get("/pai/v1/sessions").json()["sessions"][0]["new_device"] is False, "it is known by its cookie"
    events = served.ok("audit", "tail", "--limit", "200")["events"]
    assert [one for one in events if one["name"] == "identity:session:login" and one["new_device"]]
    mine.close()
    away.close()


def test_a_key_works_from_its_networks_only(served: Installation) -> None:
    key = served.ok(
        "key", "create", "--owner", ADMIN, "--name", "bound", "--scopes", "inference", "--network", "127.0.0.5/32",
        "--network", "10.0.0.0/8", "--ceiling", "internal",
    )  # fmt: skip
    assert key["networks"] == ["127.0.0.5/32", "10.0.0.0/8"]
    assert key["ceiling"] == "internal"
    for address, status in (("127.0.0.1", 401), ("127.0.0.5", 200)):
        browser = BrowserClient(served, address)
        headers = {"authorization": f"Bearer {key['key']}", "x-forwarded-for": "127.0.0.5"}
        assert browser.http.get("/v1/models", headers=headers).status_code == status
        browser.close()
    refused = served.run(
        "key", "create", "--owner", ADMIN, "--name", "bad", "--scopes", "inference", "--network", "everywhere"
    )
    assert refused.code == 1
    assert "no network" in refused.err


def test_the_page_of_the_second_step_leads_back_where_one_wanted_to_go(served: Installation) -> None:
    email = account(served, "wanderer")
    first = logged_in(served, email)
    phone, _ = enrol(first)
    browser = BrowserClient(served)
    asked = browser.log_in(email, back="/collections")
    assert re.search(r'name="back" value="/collections"', asked.text)
    answer = browser.http.post("/login", data={"code": phone.code(), "back": "/collections"}, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/collections")
    first.close()
    browser.close()
