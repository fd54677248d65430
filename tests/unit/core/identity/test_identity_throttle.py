"""Pauses between guesses at a password: they grow, they end, and nobody can extend them for somebody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from pai.core.identity.ports import UserRepository
from pai.core.identity.throttle import admit, forgive
from pai.core.identity.values import FailureCount
from pai.foundation.errors import Throttled

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


@dataclass
class Counts:
    """The part of the repository that counts."""

    held: dict[str, FailureCount] = field(default_factory=dict)

    def failures(self, key: str) -> FailureCount | None:
        return self.held.get(key)

    def set_failures(self, count: FailureCount) -> None:
        self.held[count.key] = count

    def clear_failures(self, key: str) -> None:
        self.held.pop(key, None)


@pytest.fixture
def users() -> UserRepository:
    return cast("UserRepository", Counts())


def tries(users: UserRepository, account: str, address: str, moments: list[datetime]) -> list[int]:
    """Return for each attempt the seconds to wait, 0 when it was let through."""
    told = []
    for moment in moments:
        try:
            admit(users, account, address, moment)
            told.append(0)
        except Throttled as pause:
            told.append(pause.retry_after)
    return told


def test_five_attempts_are_free_then_there_is_a_pause_that_trying_does_not_extend(users: UserRepository) -> None:
    assert tries(users, "ada", "10.0.0.1", [NOW] * 8) == [0, 0, 0, 0, 0, 2, 2, 2]
    assert tries(users, "ada", "10.0.0.1", [NOW + timedelta(seconds=2)]) == [0]


def test_pauses_double_up_to_a_minute(users: UserRepository) -> None:
    now, waits = NOW, []
    for _ in range(12):
        told = tries(users, "ada", "10.0.0.1", [now, now])
        waits.append(told[1])
        now += timedelta(seconds=told[1])
    assert waits[:4] == [0, 0, 2, 3]
    assert waits == sorted(waits)
    assert waits[-1] == 61
    assert tries(users, "ada", "10.0.0.1", [now + timedelta(hours=1)] * 5) == [0] * 5


def test_another_address_does_not_wait_for_the_attacker(users: UserRepository) -> None:
    tries(users, "ada", "10.0.0.1", [NOW] * 6)
    assert tries(users, "ada", "10.0.0.2", [NOW]) == [0]


def test_many_accounts_from_one_address_are_slowed(users: UserRepository) -> None:
    assert tries(users, "u", "10.0.0.1", [NOW])[0] == 0
    told = [tries(users, f"user{n}", "10.0.0.1", [NOW])[0] for n in range(40)]
    assert told[:29] == [0] * 29
    assert all(told[29:])


def test_an_account_that_is_attacked_from_everywhere_keeps_its_owner_waiting_half_a_minute_at_most(
    users: UserRepository,
) -> None:
    for n in range(200):
        tries(users, "ada", f"10.0.{n}.1", [NOW + timedelta(minutes=n / 10)])
    assert tries(users, "ada", "10.9.9.9", [NOW + timedelta(minutes=20)])[0] <= 31


def test_the_right_password_takes_the_count_back(users: UserRepository) -> None:
    tries(users, "ada", "10.0.0.1", [NOW] * 5)
    forgive(users, "ada", "10.0.0.1")
    assert tries(users, "ada", "10.0.0.1", [NOW] * 5) == [0] * 5


def test_what_was_typed_is_not_kept(users: UserRepository) -> None:
    tries(users, "ada@example.org", "10.0.0.1", [NOW])
    assert "ada" not in str(cast("Counts", users).held)
    assert "10.0.0.1" not in str(cast("Counts", users).held)
