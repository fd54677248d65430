"""Nobody can hold all places for uploads."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from pai.entrypoints.http.places import Places


async def hold(stack: contextlib.AsyncExitStack, places: Places, person: str) -> None:
    async with asyncio.timeout(0.05):
        await stack.enter_async_context(places.held(person))


async def test_one_person_cannot_hold_all_places() -> None:
    places = Places(at_once=4, each=2)
    async with contextlib.AsyncExitStack() as stack:
        await hold(stack, places, "ada")
        await hold(stack, places, "ada")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await hold(stack, places, "ada")
        await hold(stack, places, "ben")
        await hold(stack, places, "ben")
        with pytest.raises(TimeoutError):
            await hold(stack, places, "cleo")


async def test_who_waits_for_their_own_place_takes_none_from_others_and_leaves_no_trace() -> None:
    places = Places(at_once=2, each=1)
    async with contextlib.AsyncExitStack() as stack:
        await hold(stack, places, "ada")
        waiting = [asyncio.create_task(hold_and_let_go(places, "ada")) for _ in range(8)]
        await asyncio.sleep(0)
        await hold(stack, places, "ben")
    await asyncio.gather(*waiting)
    assert places._own == {}


async def hold_and_let_go(places: Places, person: str) -> None:
    async with places.held(person):
        await asyncio.sleep(0)
