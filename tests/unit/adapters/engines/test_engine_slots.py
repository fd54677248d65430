from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pai.adapters.engines.slots import MOST_WAITING, Slots
from pai.foundation.errors import Throttled


@asynccontextmanager
async def take(slots: Slots, owner: str, tokens: int) -> AsyncIterator[tuple[int, bool]]:
    with slots.queue(owner, tokens) as turn:
        while not await turn.comes(60):
            pass
        yield turn.place


async def test_a_cache_is_used_again_by_its_owner_only() -> None:
    slots = Slots(2, 1000)
    async with take(slots, "alice", 10) as (alice, reuse):
        assert not reuse
    async with take(slots, "bob", 10) as (bob, reuse):
        assert bob != alice
        assert not reuse
    async with take(slots, "alice", 10) as (again, reuse):
        assert (again, reuse) == (alice, True)
    async with take(slots, "carol", 10) as (taken, reuse):  # takes the slot that was used longest ago
        assert (taken, reuse) == (bob, False)
    async with take(slots, "bob", 10) as (_, reuse):
        assert not reuse


async def test_nobody_shares_with_nobody() -> None:
    slots = Slots(1, 1000)
    for _ in range(2):
        async with take(slots, "", 10) as (_, reuse):
            assert not reuse


async def test_a_forgotten_owner_starts_anew_even_when_busy() -> None:
    slots = Slots(2, 1000)
    async with take(slots, "alice", 10) as (number, _):
        assert slots.forget("alice") == [number]
    async with take(slots, "alice", 10) as (_, reuse):
        assert not reuse
    assert slots.forget("") == []


async def test_requests_wait_in_order_for_slots_and_for_the_pool() -> None:
    slots = Slots(2, 100)
    order: list[str] = []

    async def run(name: str, tokens: int) -> None:
        async with take(slots, name, tokens):
            order.append(name)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for name, tokens in (("a", 60), ("b", 60), ("c", 10), ("d", 5000)):
            group.create_task(run(name, tokens))
    assert order == ["a", "b", "c", "d"]  # c fits beside a, but does not overtake b; d is cut to the whole pool


async def test_whoever_stops_waiting_blocks_nobody() -> None:
    slots = Slots(1, 100)
    async with take(slots, "a", 10):
        gone = asyncio.create_task(take(slots, "b", 10).__aenter__())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        later = asyncio.create_task(take(slots, "c", 10).__aenter__())
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(later, 1))[0] == 0


async def test_a_flood_of_one_keeps_others_waiting_for_one_answer_only() -> None:
    slots = Slots(1, 100)
    order: list[str] = []

    async def run(name: str) -> None:
        async with take(slots, name, 10):
            order.append(name)
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(run("flood"))
        await asyncio.sleep(0.0015)
        group.create_task(run("patient"))
    assert order.index("patient") <= 4
    assert len(order) == 21


async def test_two_slots_are_shared_between_two_owners() -> None:
    slots = Slots(2, 100)
    async with take(slots, "flood", 10), take(slots, "flood", 10):
        turns = [take(slots, "flood", 10), take(slots, "flood", 10), take(slots, "other", 10)]
        first, second, other = (asyncio.create_task(turn.__aenter__()) for turn in turns)
        await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(first, other), 1)
    assert not second.done()  # the other owner came before it, though it waited longer
    assert slots.busy == 2
    for turn in (turns[0], turns[2]):
        await turn.__aexit__(None, None, None)
    await asyncio.wait_for(second, 1)
    await turns[1].__aexit__(None, None, None)
    assert slots.busy == 0


async def test_too_many_waiting_are_refused_and_others_are_not() -> None:
    slots = Slots(1, 100)
    async with take(slots, "flood", 10):
        waiting = [asyncio.create_task(take(slots, "flood", 10).__aenter__()) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Throttled) as caught:
            await take(slots, "flood", 10).__aenter__()
        assert caught.value.code == "queue_full"
        other = asyncio.create_task(take(slots, "other", 10).__aenter__())
        await asyncio.sleep(0)
        assert slots.waiting == MOST_WAITING + 1
        for task in (*waiting, other):
            task.cancel()
        await asyncio.gather(*waiting, other, return_exceptions=True)
    assert (slots.waiting, slots.busy) == (0, 0)


async def test_a_turn_that_does_not_come_is_told() -> None:
    slots = Slots(1, 100, wait_seconds=0.01)
    async with take(slots, "a", 10):
        with pytest.raises(Throttled) as caught:
            await take(slots, "b", 10).__aenter__()
        assert caught.value.code == "queue_timeout"
    async with take(slots, "b", 10):
        assert slots.busy == 1


async def test_how_many_come_before_is_told_as_turns_go_round() -> None:
    slots = Slots(1, 100)
    async with take(slots, "a", 10):
        with (
            slots.queue("a", 10) as first, slots.queue("a", 10) as second, slots.queue("b", 10) as other,
            slots.queue("a", 10) as third,
        ):  # fmt: skip
            assert [turn.before for turn in (other, first, second, third)] == [0, 1, 2, 3]
            assert not await other.comes(0.01)
        with slots.queue("b", 10) as left:
            assert left.before == 0
    assert (slots.waiting, slots.busy) == (0, 0)
