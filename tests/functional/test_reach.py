"""Who may reach PAI from other machines, and what administrators need where it is more than one person's laptop."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from browser_client import BrowserClient
from installation import ADMIN, PASSWORD, Installation, secret_file
from pai.adapters.system.addresses import own_names
from second_factor import enrol, second_step

pytestmark = pytest.mark.slow


def address_of_this_machine() -> str:
    found = [name for name in own_names() if name.replace(".", "").isdigit()]
    if not found:
        pytest.skip("this machine has no address beyond loopback")
    return found[0]


def test_beyond_loopback_only_with_a_second_factor_for_every_administrator(fresh: Installation) -> None:
    address = address_of_this_machine()
    for host in ("0.0.0.0", address):
        refused = fresh.run("serve", "--host", host)
        assert refused.code == 1
        assert ADMIN in refused.err
        assert "second factor" in refused.err
        assert "ready" not in refused.out
    fresh.start()
    browser = BrowserClient(fresh)
    assert browser.log_in().status_code == 303
    phone, _ = enrol(browser)
    browser.close()
    assert fresh.stop() == 0
    file = secret_file(fresh.folder / "second-admin", PASSWORD)
    fresh.ok("user", "add", "second@pai.test", "--role", "administrator", "--password-file", str(file))
    refused = fresh.run("serve", PAI_HOST="0.0.0.0")
    assert (refused.code, "second@pai.test" in refused.err, ADMIN in refused.err) == (1, True, False)
    fresh.ok("user", "disable", "second@pai.test")

    fresh.start(PAI_HOST="0.0.0.0")
    trusted = ssl.create_default_context(cafile=str(fresh.ca))
    for name in ("localhost", address):
        with (
            socket.create_connection((name if name == address else "127.0.0.1", fresh.port), 10) as plain,
            trusted.wrap_socket(plain, server_hostname=name) as secure,
        ):
            secure.sendall(f"GET /healthz HTTP/1.1\r\nHost: {name}:{fresh.port}\r\nConnection: close\r\n\r\n".encode())
            assert b" 200 " in secure.recv(100)
    strange = BrowserClient(fresh)
    assert strange.http.get("/healthz", headers={"host": f"evil.example:{fresh.port}"}).status_code == 400
    assert strange.log_in().status_code == 200, "the password alone is not enough"
    assert second_step(strange, phone.code()) == 303
    assert strange.send("DELETE", "/pai/v1/factors/totp").json()["error"]["code"] == "last_factor"
    strange.close()


def test_in_the_profile_server_an_administrator_enrols_before_anything_else(tmp_path: Path) -> None:
    pai = Installation(tmp_path / "pai", extra={"PAI_PROFILE": "server"})
    pai.init()
    pai.start()
    try:
        browser = BrowserClient(pai)
        assert browser.log_in().status_code == 303
        for path in ("/chat", "/collections", "/people"):
            told = browser.page(path)
            assert (told.status_code, told.headers.get("location")) == (303, "/account#security"), path
        assert "Administrators need a second factor" in browser.page("/account").text
        for method, path, body in (
            ("GET", "/pai/v1/users", None), ("POST", "/pai/v1/keys", {"name": "k", "scopes": ["inference"]}),
            ("GET", "/pai/v1/audit/events", None), ("POST", "/pai/v1/collections", {"name": "c"}),
        ):  # fmt: skip
            answer = browser.send(method, path, body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "second_factor_needed"), path
        admin, plain = pai.key("inference,admin"), pai.key("inference")
        assert browser.http.get("/pai/v1/keys", headers={"authorization": f"Bearer {admin}"}).status_code == 403
        assert browser.http.get("/v1/models", headers={"authorization": f"Bearer {plain}"}).status_code == 200
        enrol(browser)
        assert browser.page("/people").status_code == 200
        assert browser.send("POST", "/pai/v1/collections", {"name": "c"}).status_code == 201
        file = secret_file(pai.folder / "member", PASSWORD)
        pai.ok("user", "add", "member@pai.test", "--password-file", str(file))
        member = BrowserClient(pai)
        assert member.log_in("member@pai.test").status_code == 303
        assert member.page("/chat").status_code == 200, "of members it is not asked"
        member.close()
        browser.close()
    finally:
        assert pai.stop() == 0
