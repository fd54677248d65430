"""An authenticator app for tests that drive PAI from outside."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

from browser_client import HTML, BrowserClient
from pai.core.identity.totp import STEP_SECONDS, code_at, step_of
from pai.foundation.redaction import Secret
from pai.foundation.time import utc_now


@dataclass
class Phone:
    """Gives codes that were not used yet; where that takes a step to come, it waits for it (at most half a minute)."""

    secret: Secret
    used: int = 0

    def code(self) -> str:
        wanted = max(step_of(utc_now()) - 1, self.used + 1)
        while wanted > step_of(utc_now()) + 1:
            time.sleep(0.5)
        self.used = wanted
        return code_at(self.secret, wanted)


def enrol(browser: BrowserClient) -> tuple[Phone, list[str]]:
    """Set up an app for the account that is logged in; return it with the backup codes."""
    made = browser.send("POST", "/pai/v1/factors/totp")
    assert made.status_code == 201, made.text
    phone = Phone(Secret(base64.b32decode(made.json()["secret"].replace(" ", ""))))
    told = browser.send("POST", "/pai/v1/factors/totp/confirm", {"code": phone.code()})
    assert told.status_code == 200, told.text
    return phone, told.json()["backup_codes"]


def second_step(browser: BrowserClient, code: str) -> int:
    """Give the second step of a log-in; return the status."""
    answer = browser.http.post("/login", data={"code": code, "back": ""}, headers=HTML)
    if answer.status_code == 303:
        browser.page("/account")
    return answer.status_code


__all__ = ["STEP_SECONDS", "Phone", "enrol", "second_step"]
