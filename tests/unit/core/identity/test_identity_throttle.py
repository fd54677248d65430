from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pai.adapters.storage.storage import Storage
from pai.core.identity.throttle import FORGET, admit, forgive
from pai.foundation.errors import Throttled
from storage_home import NOW, StorageHome

DAY = 86_400


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    home = StorageHome.copied(tmp_path_factory.mktemp("throttle"))
    yield home.open()
    home.close()


class Door:
    """Log-ins that fail, one after the other; ``now`` moves by what the door asks for."""

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage, self.name, self.now = storage, name, NOW

    def attempt(self, account: str = "ada", address: str = "192.0.2.1") -> int:
        """Return 0 when the attempt may go on, else the seconds to wait."""
        try:
            self.storage.run_sync(
                lambda unit: admit(unit.users, f"{self.name}-{account}", f"{self.name}-{address}", self.now)
            )
        except Throttled as error:
            return error.retry_after
        return 0

    def success(self, account: str = "ada", address: str = "192.0.2.1") -> None:
        self.storage.run_sync(lambda unit: forgive(unit.users, f"{self.name}-{account}", f"{self.name}-{address}"))

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_five_are_free_then_pauses_double_up_to_a_minute(storage: Storage) -> None:
    door = Door(storage, "doubling")
    assert [door.attempt() for _ in range(5)] == [0] * 5
    pauses = []
    for _ in range(9):
        wait = door.attempt()
        pauses.append(wait)
        door.later(wait)
        assert door.attempt() == 0
    # A pause is told in whole seconds, rounded up.
    assert pauses == [2, 3, 5, 9, 17, 33, 61, 61, 61]


def test_trying_during_a_pause_does_not_make_it_longer(storage: Storage) -> None:
    door = Door(storage, "patient")
    for _ in range(9):
        wait = door.attempt()
        door.later(wait)
        door.attempt()
    left = door.attempt()
    assert left > 1
    for _ in range(200):
        assert door.attempt() == left
    door.later(left)
    assert door.attempt() == 0


def test_one_address_is_slowed_over_many_accounts(storage: Storage) -> None:
    door = Door(storage, "spraying")
    assert [door.attempt(f"account{n}") for n in range(30)] == [0] * 30
    assert door.attempt("account30") > 0
    assert door.attempt("account30", "192.0.2.2") == 0


def test_many_addresses_on_one_account_are_slowed_but_it_is_never_locked(storage: Storage) -> None:
    door = Door(storage, "distributed")
    assert [door.attempt("ada", f"192.0.2.{n}") for n in range(60)] == [0] * 60
    waits = []
    for n in range(60, 80):
        waits.append(door.attempt("ada", f"192.0.2.{n}"))
        door.later(waits[-1])
        assert door.attempt("ada", f"192.0.2.{n}") == 0
    assert all(waits)
    assert max(waits) <= 31


def test_an_hour_later_all_is_forgotten(storage: Storage) -> None:
    door = Door(storage, "forgetting")
    for _ in range(12):
        door.later(door.attempt())
    assert door.attempt() >= 0
    door.later(FORGET.total_seconds())
    assert [door.attempt() for _ in range(5)] == [0] * 5


def test_a_clock_that_was_set_back_keeps_nobody_out(storage: Storage) -> None:
    door = Door(storage, "clock")
    for _ in range(4):
        door.attempt()
    door.later(-DAY)
    assert [door.attempt() for _ in range(5)] == [0] * 5
    assert door.attempt() > 0


def test_a_right_login_clears_the_pair_but_not_what_the_address_did_to_others(storage: Storage) -> None:
    door = Door(storage, "forgiving")
    for n in range(29):
        assert door.attempt(f"victim{n}") == 0
    # An attacker with an account of their own gets one attempt back, no more.
    assert door.attempt("own") == 0
    door.success("own")
    assert door.attempt("victim29") == 0
    assert door.attempt("victim30") > 0


def test_the_table_holds_no_addresses_as_typed(storage: Storage, tmp_path: Path) -> None:
    door = Door(storage, "hashed")
    door.attempt("my-password-typed-as-email", "198.51.100.77")
    with_names = []

    def look(unit: object) -> None:
        rows = unit.users._db.exec_driver_sql("SELECT * FROM login_failures").fetchall()  # type: ignore[attr-defined]
        assert rows
        with_names.extend(row for row in rows if "my-password" in str(row) or "198.51" in str(row))

    storage.read_sync(look)
    assert with_names == []


def test_the_guesses_of_a_day_are_few(storage: Storage) -> None:
    """What the slowing down is worth: a patient attacker with one address gets about one guess a minute."""
    door, guesses = Door(storage, "patient-attacker"), 0
    end: datetime = door.now + timedelta(hours=2)
    while door.now < end:
        wait = door.attempt()
        guesses += wait == 0
        door.later(wait or 0.2)
    assert guesses * 12 < 1800
