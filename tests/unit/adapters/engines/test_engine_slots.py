from __future__ import annotations

import asyncio

from pai.adapters.engines.slots import Slots


async def test_a_cache_is_used_again_by_its_owner_only() -> None:
    slots = Slots(2, 1000)
    async with slots.take("alice", 10) as (alice, reuse):
        assert not reuse
    async with slots.take("bob", 10) as (bob, reuse):
        assert bob != alice
        assert not reuse
    async with slots.take("alice", 10) as (again, reuse):
        assert (again, reuse) == (alice, True)
    async with slots.take("carol", 10) as (taken, reuse):  # takes the slot that was used longest ago
        assert (taken, reuse) == (bob, False)
    async with slots.take("bob", 10) as (_, reuse):
        assert not reuse


async def test_nobody_shares_with_nobody() -> None:
    slots = Slots(1, 1000)
    for _ in range(2):
        async with slots.take("", 10) as (_, reuse):
            assert not reuse


async def test_a_forgotten_owner_starts_anew_even_when_busy() -> None:
    slots = Slots(2, 1000)
    async with slots.take("alice", 10) as (number, _):
        assert slots.forget("alice") == [number]
    async with slots.take("alice", 10) as (_, reuse):
        assert not reuse
    assert slots.forget("") == []


async def test_requests_wait_in_order_for_slots_and_for_the_pool() -> None:
    slots = Slots(2, 100)
    order: list[str] = []

    async def run(name: str, tokens: int) -> None:
        async with slots.take(name, tokens):
            order.append(name)
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for name, tokens in (("a", 60), ("b", 60), ("c", 10), ("d", 5000)):
            group.create_task(run(name, tokens))
    assert order == ["a", "b", "c", "d"]  # c fits beside a, but does not overtake b; d is cut to the whole pool


async def test_whoever_stops_waiting_blocks_nobody() -> None:
    slots = Slots(1, 100)
    async with slots.take("a", 10):
        gone = asyncio.create_task(slots.take("b", 10).__aenter__())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        later = asyncio.create_task(slots.take("c", 10).__aenter__())
        await asyncio.sleep(0)
    assert (await asyncio.wait_for(later, 1))[0] == 0
