"""Refused keys are counted: a flood leaves thirty events a minute, and the next one says how many it left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pai.core.identity.api_keys import Refusals

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def test_few_refusals_are_recorded_one_by_one() -> None:
    refusals = Refusals()
    assert [refusals.admit(NOW) for _ in range(30)] == [0] * 30


def test_a_flood_is_counted_and_told_with_the_next_one() -> None:
    refusals = Refusals()
    recorded = [refusals.admit(NOW + timedelta(milliseconds=n)) for n in range(1000)]
    assert [one for one in recorded if one is not None] == [0] * 30
    assert refusals.admit(NOW + timedelta(minutes=1)) == 970
    assert refusals.admit(NOW + timedelta(minutes=1)) == 0


def test_nothing_is_lost_between_minutes() -> None:
    refusals = Refusals(each_minute=2)
    told = [refusals.admit(NOW + timedelta(seconds=n)) for n in range(600)]
    recorded = [one for one in told if one is not None]
    assert len(recorded) + sum(recorded) + refusals.left_out == 600
