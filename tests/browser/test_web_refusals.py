"""What a person reads when a link or a code is wrong: the reason, on the page where they are, not the log-in page."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser.chromium import MISSING, Chromium
from installation import PASSWORD, Installation, secret_file

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]
NEW = "seven green kettles in the attic"


def choose(browser: Chromium, link: str) -> None:
    browser.open("about:blank")  # a new part after # alone would not load the page again
    browser.open(link)
    browser.wait_for("input[name=again]")
    browser.type("input[name=password]", NEW)
    browser.type("input[name=again]", NEW)
    browser.click("[data-setup] button.primary")


def test_a_wrong_link_and_a_wrong_recovery_code_are_told_in_place(served: Installation, tmp_path: Path) -> None:
    file = secret_file(tmp_path / "password", PASSWORD)
    code = served.ok("user", "add", "link@pai.test", "--password-file", str(file))["recovery_code"]
    other = served.ok("user", "add", "link2@pai.test", "--password-file", str(file))["recovery_code"]
    link = served.ok("user", "reset-login", "link@pai.test")["url"]
    browser = Chromium(tmp_path, served.ca)
    browser.start()
    try:
        choose(browser, f"{served.url}/setup#{'A' * 43}")
        browser.wait(lambda: "used up or expired" in browser.text("[data-setup-error]"), "the reason")
        assert browser.url.endswith("/setup")
        choose(browser, link)
        browser.wait_for("[data-setup-done]")
        browser.click("[data-setup-done] a.primary")
        browser.wait_for("input[name=email]")
        browser.type("input[name=email]", "link@pai.test")
        browser.type("input[name=password]", NEW)
        browser.click("form button.primary")
        browser.wait_for(".error-code")
        browser.click("a.button")
        browser.wait_for("#recovery")
        browser.type("#recovery input[name=code]", other)
        browser.type("#recovery input[name=password]", NEW)
        browser.click("#recovery button")
        browser.wait(lambda: "recovery code is not right" in browser.text("#recovery [data-error]"), "the reason")
        assert browser.url.endswith("/account")
        browser.type("#recovery input[name=code]", code, clear=True)
        browser.click("#recovery button")
        browser.wait_for("[data-composer]")
    finally:
        browser.stop()
