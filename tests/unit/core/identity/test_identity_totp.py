"""One-time passwords by time, against the vectors of the standards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pai.core.identity.totp import address, as_text, code_at, matching_step, new_secret, step_of
from pai.foundation.redaction import Secret

RFC = Secret(b"12345678901234567890")


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B has eight digits; the six that apps show are the last of them."""
    assert code_at(RFC, seconds // 30) == code
    assert matching_step(RFC, code, datetime.fromtimestamp(seconds, UTC), 0) == seconds // 30


@pytest.mark.parametrize(("count", "code"), list(enumerate(["755224", "287082", "359152", "969429", "338314"])))
def test_the_vectors_of_rfc_4226(count: int, code: str) -> None:
    assert code_at(RFC, count) == code


def test_a_step_of_drift_is_taken_and_no_more() -> None:
    secret, now = new_secret(), datetime(2026, 1, 31, 9, 0, 10, tzinfo=UTC)
    for steps in range(-4, 5):
        then = step_of(now) + steps
        assert matching_step(secret, code_at(secret, then), now, 0) == (then if abs(steps) <= 1 else None), steps


def test_a_used_step_and_all_before_it_are_void() -> None:
    secret, now = new_secret(), datetime(2026, 1, 31, 9, 0, 10, tzinfo=UTC)
    used = step_of(now)
    assert matching_step(secret, code_at(secret, used), now, used) is None
    assert matching_step(secret, code_at(secret, used - 1), now, used) is None
    assert matching_step(secret, code_at(secret, used + 1), now, used) == used + 1
    back = now - timedelta(hours=3)  # the clock is set back: the codes of then are older than the one used
    assert matching_step(secret, code_at(secret, step_of(back)), back, used) is None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "-12345", "123 45"])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert matching_step(RFC, typed, datetime(2026, 1, 31, tzinfo=UTC), 0) is None


def test_the_address_is_what_apps_read() -> None:
    made = address(RFC, "ada+x@pai.test", "pai.example:1")
    assert made == (
        "otpauth://totp/PAI%20%28pai.example%3A1%29:ada%2Bx@pai.test"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=PAI%20%28pai.example%3A1%29"
    )
    assert as_text(RFC) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert len(new_secret().reveal()) == 20
