"""Telling open streams that the credential they were opened with is dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pai.foundation.actor import Actor


@dataclass(frozen=True, slots=True)
class Liveness:
    """Who watches which session or key (by id). Lives on the event loop; nothing here is thread-safe."""

    watchers: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    @contextlib.contextmanager
    def watch(self, actor: Actor) -> Iterator[asyncio.Event]:
        """Yield an event that is set once the actor's session or key has ended."""
        name = actor.session_id or actor.key_id or ""
        ended = asyncio.Event()
        self.watchers.setdefault(name, set()).add(ended)
        try:
            yield ended
        finally:
            held = self.watchers.get(name, set())
            held.discard(ended)
            if not held:
                self.watchers.pop(name, None)

    def end(self, credential_id: str) -> None:
        """Tell everyone who watches this session or key."""
        for ended in self.watchers.get(credential_id, ()):
            ended.set()
