"""What a guess costs, in an installation whose passwords cost what they cost in the product."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from browser_client import BrowserClient
from installation import ADMIN, REAL, Installation

pytestmark = [pytest.mark.slow, pytest.mark.real_argon2]


def test_whether_an_account_exists_shows_neither_in_the_answer_nor_in_its_time(tmp_path: Path) -> None:
    pai = Installation(tmp_path / "pai", program=REAL)
    pai.init()
    pai.start()
    nobody = BrowserClient(pai, "127.0.0.24")
    spans: dict[str, list[float]] = {ADMIN: [], "nobody@pai.test": []}
    answers = {}
    for _ in range(3):
        for email, spent in spans.items():
            began = time.monotonic()
            answer = nobody.log_in(email, "a guess that is not right")
            spent.append(time.monotonic() - began)
            names = sorted(answer.headers)
            answers[email] = (answer.status_code, names, answer.text.replace(email, "EMAIL"))
    assert answers[ADMIN] == answers["nobody@pai.test"]
    assert answers[ADMIN][0] == 401
    # Argon2id is nearly all of it: without it an answer would be more than ten times quicker.
    known, unknown = (min(spent) for spent in spans.values())
    assert 1 / 3 < unknown / known < 3
    nobody.close()
    assert pai.stop() == 0
