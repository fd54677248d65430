"""Browser sessions and set-up links as browsers and attackers meet them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browser_client import HTML, BrowserClient
from installation import PASSWORD, Installation

MEMBER = "sessions@pai.test"


@pytest.fixture(scope="module")
def member(served: Installation) -> str:
    served.member(MEMBER)
    return PASSWORD + MEMBER


@pytest.fixture
def browser(served: Installation, member: str) -> Iterator[BrowserClient]:
    browser = BrowserClient(served)
    assert browser.log_in(MEMBER, member).status_code == 303
    yield browser
    browser.close()


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(served: Installation, member: str) -> None:
    browser = BrowserClient(served)
    cookie = browser.log_in(MEMBER, member).headers["set-cookie"]
    assert cookie.startswith("__Host-pai_session=")
    for word in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie
    browser.close()


def test_a_change_needs_the_token_and_our_own_page(browser: BrowserClient) -> None:
    body = {"name": "forged", "purpose": "general"}
    for headers in (
        {"x-csrf-token": ""},
        {"x-csrf-token": "A" * 43},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert browser.send("POST", "/pai/v1/collections", body, **headers).status_code == 403, headers
    plain = {"x-csrf-token": browser.csrf}
    url = "/pai/v1/collections"
    assert browser.http.post(url, json=body, headers={**plain, "origin": "https://other.example"}).status_code == 403
    assert browser.http.post(url, json=body, headers=plain).status_code == 403
    assert browser.http.get(url).json()["collections"] == []
    assert browser.send("POST", url, body).status_code == 201


def test_another_site_can_neither_log_in_nor_set_a_password(served: Installation, member: str) -> None:
    browser = BrowserClient(served)
    away = {**HTML, "sec-fetch-site": "cross-site"}
    form = {"email": MEMBER, "password": member, "back": ""}
    assert browser.http.post("/login", data=form, headers=away).status_code == 403
    setup = browser.http.post("/setup", json={"token": "x", "password": "y" * 20}, headers=away)
    assert setup.status_code == 403
    assert browser.cookie == ""
    browser.close()


def test_cookies_do_not_open_the_dialect_of_programs(browser: BrowserClient) -> None:
    assert browser.http.get("/pai/v1/me").status_code == 200
    assert browser.http.get("/v1/models").status_code == 401
    chat = {"model": "default", "messages": [{"role": "user", "content": "x"}]}
    assert browser.send("POST", "/v1/chat/completions", chat).status_code == 401


def test_a_killed_session_is_over_at_once(served: Installation, browser: BrowserClient) -> None:
    session = browser.http.get("/pai/v1/me").json()["session"]
    assert served.ok("session", "kill", session)["ended"] == 1
    told = browser.http.get("/pai/v1/me")
    assert (told.status_code, told.json()["error"]["code"]) == (401, "session_ended")


def test_nobody_sees_or_ends_the_session_of_another(served: Installation, browser: BrowserClient) -> None:
    owner = BrowserClient(served)
    assert owner.log_in().status_code == 303
    theirs = owner.http.get("/pai/v1/me").json()["session"]
    assert theirs not in browser.http.get("/pai/v1/sessions").text
    assert browser.send("DELETE", f"/pai/v1/sessions/{theirs}").status_code == 404
    assert owner.http.get("/pai/v1/me").status_code == 200
    assert owner.send("POST", "/logout").status_code in (200, 204, 303)
    assert owner.http.get("/pai/v1/me").status_code == 401
    owner.close()


def test_a_setup_link_works_once_ends_sessions_and_opens_no_content(served: Installation) -> None:
    email = "setup-link@pai.test"
    served.member(email)
    before = BrowserClient(served)
    assert before.log_in(email, PASSWORD + email).status_code == 303
    before.say("this stays mine")
    url = served.ok("user", "reset-login", email)["url"]
    token, password = url.partition("#")[2], "a quite different password of mine"
    own = {"sec-fetch-site": "same-origin"}
    weak = before.http.post("/setup", json={"token": token, "password": "short"}, headers=own)
    assert weak.json()["error"]["code"] == "weak_password"
    assert before.http.post("/setup", json={"token": token, "password": password}, headers=own).status_code == 201
    again = before.http.post("/setup", json={"token": token, "password": password}, headers=own)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "bad_setup_link")
    assert before.http.get("/pai/v1/me").status_code == 401
    after = BrowserClient(served)
    assert after.log_in(email, PASSWORD + email).status_code == 401
    assert after.log_in(email, password).status_code == 303
    assert after.http.get("/pai/v1/me").json()["opens_content"] is False
    locked = after.http.get("/chat")
    assert (locked.status_code, locked.json()["error"]["code"]) == (403, "locked")
    before.close()
    after.close()
