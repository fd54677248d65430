"""Which slot of an engine serves which request: a slot's prompt cache is used again only by the user who filled it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pai.foundation.errors import Throttled

MOST_WAITING: Final = 128
"""Requests of one owner that may wait; what comes then is refused at once."""


@dataclass(slots=True)
class Slot:
    """``owner`` is whose prompt the slot's cache holds: None when it is nobody's or may not be used again."""

    number: int
    owner: str | None = None
    busy: bool = False
    used: int = 0
    reserved: int = 0


@dataclass(slots=True, eq=False)
class Turn:
    """A request's turn, which comes when there is room and nobody is before it."""

    owner: str
    tokens: int
    given: asyncio.Future[tuple[Slot, bool]]
    slots: Slots
    until: float

    @property
    def before(self) -> int:
        """How many requests come before this one, as things are now."""
        return self.slots.before(self)

    async def comes(self, seconds: float) -> bool:
        """Wait so long; return whether it came. Raises Throttled when it has not come in time."""
        left = self.until - asyncio.get_running_loop().time()
        done, _ = await asyncio.wait([self.given], timeout=min(seconds, max(0.0, left)))
        if not done and left <= seconds:
            hint = "the machine has more to do than it can: ask for less at once"
            raise Throttled("no turn came in time", code="queue_timeout", hint=hint, retry_after=30)
        return bool(done)

    @property
    def place(self) -> tuple[int, bool]:
        """The slot's number, and whether its cache may be used; once the turn has come."""
        slot, reuse = self.given.result()
        return slot.number, reuse


class Slots:
    """``count`` slots that share a pool of ``pool`` tokens of context.

    The next turn belongs to the owner who has the fewest under way, among those to whose last turn is the longest ago: whoever
    sends a hundred requests at once keeps nobody else waiting for more than one round of answers. ``wait_seconds`` bounds the wait.
    """

    def __init__(self, count: int, pool: int, *, wait_seconds: float = 600.0) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._pool = pool
        self._wait_seconds = wait_seconds
        self._waiting: list[Turn] = []
        self._running: Counter[str] = Counter()
        self._last: dict[str, int] = {}  # when an owner who waits or is served had the last turn
        self._clock = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Requests under way."""
        return sum(slot.busy for slot in self._slots)

    @contextmanager
    def queue(self, owner: str, tokens: int) -> Iterator[Turn]:
        """Queue for a slot and for ``tokens`` of the pool (an estimate, cut to the pool); leave the queue, or the slot, at the end.

        An empty ``owner`` never shares a cache, not even with itself. Raises Throttled when too many wait already.
        """
        if sum(one.owner == owner for one in self._waiting) >= MOST_WAITING:
            raise Throttled(
                "too many requests are waiting", code="queue_full", hint="send fewer at once", retry_after=5
            )
        loop = asyncio.get_running_loop()
        turn = Turn(owner, min(tokens, self._pool), loop.create_future(), self, loop.time() + self._wait_seconds)
        self._waiting.append(turn)
        self._serve()
        try:
            yield turn
        finally:
            if turn.given.done():
                self._release(turn.given.result()[0], owner)
            else:
                self._waiting.remove(turn)
                self._serve()

    def before(self, turn: Turn) -> int:
        """Return how many come before a turn if nobody else asks: owners take turns, each one's requests come as they were sent."""
        if turn not in self._waiting:
            return 0
        rounds: Counter[str] = Counter(self._running)
        keys = []
        for one in self._waiting:
            keys.append((rounds[one.owner], self._last.get(one.owner, 0)))
            rounds[one.owner] += 1
        at = self._waiting.index(turn)
        return sum(key < keys[at] or (key == keys[at] and number < at) for number, key in enumerate(keys))

    def forget(self, owner: str) -> list[int]:
        """Let nobody use the caches of ``owner`` again; return the numbers of all its slots, busy ones too."""
        found = [slot for slot in self._slots if owner and slot.owner == owner]
        for slot in found:
            slot.owner = None
        return [slot.number for slot in found]

    def _serve(self) -> None:
        while self._waiting:
            # min takes the first of equals: the list is in order of arrival.
            waiting = min(self._waiting, key=lambda one: (self._running[one.owner], self._last.get(one.owner, 0)))
            free = [slot for slot in self._slots if not slot.busy]
            if not free or self._reserved() + waiting.tokens > self._pool:
                return  # nobody overtakes: a long request would wait for ever behind short ones
            self._waiting.remove(waiting)
            waiting.given.set_result(self._give(waiting, free))

    def _give(self, waiting: Turn, free: list[Slot]) -> tuple[Slot, bool]:
        own = [slot for slot in free if waiting.owner and slot.owner == waiting.owner]
        slot = max(own, key=lambda s: s.used) if own else min(free, key=lambda s: (s.owner is not None, s.used))
        self._clock += 1
        self._running[waiting.owner] += 1
        self._last[waiting.owner] = self._clock
        slot.owner, slot.busy, slot.used, slot.reserved = waiting.owner or None, True, self._clock, waiting.tokens
        return slot, bool(own)

    def _release(self, slot: Slot, owner: str) -> None:
        slot.busy, slot.reserved = False, 0
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
            if all(one.owner != owner for one in self._waiting):
                del self._last[owner]
        self._serve()

    def _reserved(self) -> int:
        return sum(slot.reserved for slot in self._slots)
