"""Attacks from other sites and with guessed or stolen credentials on the browser side. Real processes, echo models."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from browser_client import HTML, NAVIGATION, BrowserClient
from hostile_pages import COOKIE, OWN, ROUTES, assert_safe
from installation import PASSWORD, Installation


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


@pytest.mark.slow
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
