"""Which slot of an engine serves which request: a slot's prompt cache is used again only by the user who filled it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Slot:
    """``owner`` is whose prompt the slot's cache holds: None when it is nobody's or may not be used again."""

    number: int
    owner: str | None = None
    busy: bool = False
    used: int = 0
    reserved: int = 0


@dataclass(slots=True)
class _Waiting:
    owner: str
    tokens: int
    turn: asyncio.Future[tuple[Slot, bool]]


class Slots:
    """``count`` slots that share a pool of ``pool`` tokens of context. First come, first served."""

    def __init__(self, count: int, pool: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._pool = pool
        self._waiting: deque[_Waiting] = deque()
        self._clock = 0

    @asynccontextmanager
    async def take(self, owner: str, tokens: int) -> AsyncIterator[tuple[int, bool]]:
        """Wait for a slot and for ``tokens`` of the pool (an estimate, cut to the pool).

        Gives the slot's number and whether its cache may be used.

        An empty ``owner`` never shares a cache, not even with itself.
        """
        waiting = _Waiting(owner, min(tokens, self._pool), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._serve()
        try:
            slot, reuse = await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self._release(waiting.turn.result()[0])
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
                self._serve()
            raise
        try:
            yield slot.number, reuse
        finally:
            self._release(slot)

    def forget(self, owner: str) -> list[int]:
        """Let nobody use the caches of ``owner`` again; return the numbers of all its slots, busy ones too."""
        found = [slot for slot in self._slots if owner and slot.owner == owner]
        for slot in found:
            slot.owner = None
        return [slot.number for slot in found]

    def _serve(self) -> None:
        while self._waiting:
            waiting = self._waiting[0]
            free = [slot for slot in self._slots if not slot.busy]
            if not free or self._reserved() + waiting.tokens > self._pool:
                return
            self._waiting.popleft()
            if not waiting.turn.cancelled():
                waiting.turn.set_result(self._give(waiting, free))

    def _give(self, waiting: _Waiting, free: list[Slot]) -> tuple[Slot, bool]:
        own = [slot for slot in free if waiting.owner and slot.owner == waiting.owner]
        slot = max(own, key=lambda s: s.used) if own else min(free, key=lambda s: (s.owner is not None, s.used))
        self._clock += 1
        slot.owner, slot.busy, slot.used, slot.reserved = waiting.owner or None, True, self._clock, waiting.tokens
        return slot, bool(own)

    def _release(self, slot: Slot) -> None:
        slot.busy, slot.reserved = False, 0
        self._serve()

    def _reserved(self) -> int:
        return sum(slot.reserved for slot in self._slots)
