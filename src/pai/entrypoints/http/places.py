"""Places for uploads: few at once, and of them so few for one person that others always find one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

AT_ONCE: Final = 4
"""Each upload holds a thread while it comes in; log-ins and the rest need some too."""
EACH: Final = 2
"""Half of them: who sends slowly, on purpose or over a bad line, holds up nobody but themselves."""


class Places:
    """Uploads that come in now. Who has too many waits for their own, without holding a place meanwhile."""

    def __init__(self, at_once: int = AT_ONCE, each: int = EACH) -> None:
        self._all = asyncio.Semaphore(at_once)
        self._each = each
        self._own: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def held(self, person: str) -> AsyncIterator[None]:
        """Wait for a place of this person's, then for one of all, and hold both."""
        own, users = self._own.get(person, (asyncio.Semaphore(self._each), 0))
        self._own[person] = own, users + 1
        try:
            async with own, self._all:
                yield
        finally:
            _, users = self._own.pop(person)
            if users > 1:
                self._own[person] = own, users - 1
