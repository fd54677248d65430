"""Passkeys in a real browser with a virtual authenticator (Chrome DevTools protocol, domain WebAuthn), and an authenticator app."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser.chromium import MISSING, Chromium
from installation import PASSWORD, Installation, secret_file

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


@pytest.fixture
def chromium(served: Installation, tmp_path: Path) -> Iterator[Chromium]:
    browser = Chromium(tmp_path, served.ca)
    browser.start()
    yield browser
    browser.stop()


@pytest.fixture
def email(served: Installation) -> str:
    address = f"passkey-{secrets.token_hex(3)}@pai.test"
    file = secret_file(served.folder / f"password-{address}", PASSWORD)
    served.ok("user", "add", address, "--password-file", str(file))
    return address


def authenticator(browser: Chromium, **options: Any) -> str:
    browser.cdp("WebAuthn.enable")
    wanted = {
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True, "hasPrf": True, **options,
    }  # fmt: skip
    return str(browser.cdp("WebAuthn.addVirtualAuthenticator", options=wanted)["authenticatorId"])


def log_in(browser: Chromium, served: Installation, email: str) -> None:
    browser.open(f"{served.url}/login")
    browser.wait_for("input[name=email]")
    browser.type("input[name=email]", email)
    browser.type("input[name=password]", PASSWORD)
    browser.click("form button.primary")


def log_out(browser: Chromium) -> None:
    browser.js("document.querySelector('form[data-send=\"/logout\"]').requestSubmit()")
    browser.wait_for("input[name=email]")


def add_passkey(browser: Chromium, served: Installation, name: str) -> str:
    """Add one; return the first of the backup codes that come with an account's first."""
    code = ""
    browser.open(f"{served.url}/account")
    browser.click("[data-passkey-add]")
    browser.type("#new-passkey input[name=name]", name)
    browser.click("#new-passkey button.primary")
    browser.wait(lambda: browser.see("#backup-codes[open]") or name in browser.text("#security"), "the passkey", 30)
    if browser.see("#backup-codes[open]"):
        assert browser.js("return document.querySelectorAll('#backup-codes li').length") == 10
        code = str(browser.js("return document.querySelector('#backup-codes li').textContent")).strip()
        browser.click("#backup-codes [data-close]")
        browser.wait(lambda: name in browser.text("#security"), "the passkey in the list")
    return code


def use_passkey(browser: Chromium, served: Installation) -> None:
    browser.open(f"{served.url}/login")
    browser.click("[data-passkey-login] button")


@pytest.mark.parametrize(("width", "height", "theme"), [(1440, 900, "light"), (390, 844, "dark")])
def test_a_passkey_is_the_only_step_and_opens_the_content(
    chromium: Chromium, served: Installation, email: str, width: int, height: int, theme: str
) -> None:
    chromium.screen(width, height, theme)
    authenticator(chromium)
    log_in(chromium, served, email)
    chromium.wait_for("[data-composer]")
    add_passkey(chromium, served, "My laptop")
    assert "opens your files" in chromium.text("#security")
    chromium.js("document.getElementById('security').scrollIntoView()")
    chromium.picture(f"security-{width}")
    log_out(chromium)
    use_passkey(chromium, served)
    chromium.wait_for("[data-composer]", 30)
    chromium.type("#say", "hello")
    chromium.press("enter")
    chromium.wait_for(".turn.assistant .by", 60)
    log_out(chromium)
    log_in(chromium, served, email)  # the password alone does not do any more
    chromium.wait_for("[data-passkey-login] button")
    chromium.picture(f"second-{width}")
    assert "One more step" in chromium.text("h1")
    chromium.click("[data-passkey-login] button")
    chromium.wait_for("[data-composer]", 30)
    assert [line for line in chromium.complaints() if "status of 401" not in line] == []


def test_a_copied_passkey_is_taken_out_of_use(chromium: Chromium, served: Installation, email: str) -> None:
    device = authenticator(chromium)
    log_in(chromium, served, email)
    chromium.wait_for("[data-composer]")
    code = add_passkey(chromium, served, "Copied")
    log_out(chromium)
    [held] = chromium.cdp("WebAuthn.getCredentials", authenticatorId=device)["credentials"]
    use_passkey(chromium, served)
    chromium.wait_for("[data-composer]", 30)
    log_out(chromium)
    chromium.cdp("WebAuthn.removeCredential", authenticatorId=device, credentialId=held["credentialId"])
    chromium.cdp(
        "WebAuthn.addCredential", authenticatorId=device, credential=held
    )  # as it was before: the counter stands still
    use_passkey(chromium, served)
    chromium.wait_for("[data-passkey-error]")
    assert "not taken" in chromium.text("[data-passkey-error]")
    names = [event["name"] for event in served.ok("audit", "tail", "--limit", "20")["events"]]
    assert "identity:passkey:suspend" in names
    use_passkey(chromium, served)  # and it stays so
    chromium.wait_for("[data-passkey-error]")
    log_in(chromium, served, email)  # the password and a backup code are what is left: a copy lowers no wall
    chromium.wait_for("input[name=code]")
    chromium.type("input[name=code]", code)
    chromium.click("form button.primary")
    chromium.wait_for("[data-composer]")
    chromium.open(f"{served.url}/account")
    assert "out of use" in chromium.text("#security")


@pytest.mark.parametrize("server_holds", [False, True])
def test_without_prf_the_password_or_this_server_opens_the_content(
    chromium: Chromium, served: Installation, email: str, server_holds: bool
) -> None:
    authenticator(chromium, hasPrf=False)
    log_in(chromium, served, email)
    chromium.wait_for("[data-composer]")
    chromium.open(f"{served.url}/account")
    chromium.click("[data-passkey-add]")
    if server_holds:
        chromium.click("#new-passkey input[name=server_holds]")
    chromium.type("#new-passkey input[name=name]", "Plain")
    chromium.click("#new-passkey button.primary")
    chromium.wait_for("#backup-codes[open]", 30)
    chromium.click("#backup-codes [data-close]")
    chromium.wait(lambda: "Plain" in chromium.text("#security"), "the passkey")
    told = chromium.text("dl.pairs")
    assert ("You, and this server." in told) is server_holds
    log_out(chromium)
    use_passkey(chromium, served)
    if server_holds:
        chromium.wait_for("[data-composer]", 30)
        return
    chromium.wait(lambda: not chromium.url.endswith("/login"), "the log-in", 30)
    chromium.open(f"{served.url}/account")
    chromium.wait_for("#recovery")
    chromium.type("#recovery input[name=proof]", PASSWORD)
    chromium.click("#recovery button.primary")
    chromium.wait_for("[data-composer]", 30)


def test_without_user_verification_a_passkey_is_nothing(chromium: Chromium, served: Installation, email: str) -> None:
    device = authenticator(chromium)
    log_in(chromium, served, email)
    chromium.wait_for("[data-composer]")
    add_passkey(chromium, served, "Verified")
    log_out(chromium)
    chromium.cdp("WebAuthn.setUserVerified", authenticatorId=device, isUserVerified=False)
    use_passkey(chromium, served)
    chromium.wait_for("[data-passkey-error]", 60)
    assert chromium.url.endswith("/login")


def test_step_up_asks_once_more_and_goes_on_where_it_was(chromium: Chromium, served: Installation, email: str) -> None:
    authenticator(chromium)
    log_in(chromium, served, email)
    chromium.wait_for("[data-composer]")
    add_passkey(chromium, served, "Stepper")
    # As if five minutes had gone by: the first answer says that a proof is due.
    chromium.js(
        "const real = window.fetch; let once = true; window.fetch = (url, options) => {"
        "if (once && String(url).endsWith('/backup-codes')) { once = false; return Promise.resolve(new Response("
        "JSON.stringify({error: {code: 'step_up', message: 'x', hint: ''}}), {status: 403})); } return real(url, options); };"
    )
    chromium.click("[data-codes-renew]")
    chromium.wait_for("#step-up[open]")
    chromium.picture("step-up")
    chromium.click("[data-step-up-passkey]")
    chromium.wait_for("#backup-codes[open]", 30)
    names = [event["name"] for event in served.ok("audit", "tail", "--limit", "10")["events"]]
    assert "identity:session:step-up" in names
