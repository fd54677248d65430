"""Telling open streams that the credential they were opened with is dead."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pai.foundation.actor import Actor, Role
from pai.foundation.labels import Label

REMEMBERED: Final = 10_000
"""Ended credentials that are kept in mind; each matters only as long as a request that came before its end is still read."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """Who watches which session or key (by id), and which of them ended. Lives on the event loop; nothing here is thread-safe.

    Ids are never used twice, so one that ended stays ended: a request whose credential was checked before its body came in
    slowly must not outlive the credential. ``roles``: what owners of live credentials became since; a request that was let in with another
    role is over, one that comes with the new role goes on. ``clearances``: the
    same for what accounts were cleared for. ``streams``: what is read right now, by the account that reads it.
    """

    watchers: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    ended: dict[str, None] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    clearances: dict[str, Label] = field(default_factory=dict)
    streams: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    @contextlib.contextmanager
    def watch(self, actor: Actor) -> Iterator[asyncio.Event]:
        """Yield an event that is set once the actor's session or key has ended."""
        name = _name(actor)
        ended = asyncio.Event()
        if self.over(actor):
            ended.set()
        self.watchers.setdefault(name, set()).add(ended)
        try:
            yield ended
        finally:
            held = self.watchers.get(name, set())
            held.discard(ended)
            if not held:
                self.watchers.pop(name, None)

    @contextlib.contextmanager
    def stream(self, actor: Actor) -> Iterator[asyncio.Event]:
        """Yield an event as ``watch`` does, which is set as well once something that this account could read was taken back."""
        with self.watch(actor) as ended:
            self.streams.setdefault(actor.id, set()).add(ended)
            try:
                yield ended
            finally:
                held = self.streams.get(actor.id, set())
                held.discard(ended)
                if not held:
                    self.streams.pop(actor.id, None)

    def cleared(self, user_id: str, clearance: Label) -> None:
        """Tell all streams of an account, now or later, that it is cleared for something else; its credentials live on with that."""
        self.clearances[user_id] = clearance
        self.taken_back(user_id)

    def taken_back(self, user_id: str) -> None:
        """Tell all streams of an account that something it could read was taken back. What they still may read they ask for again."""
        for ended in self.streams.get(user_id, ()):
            ended.set()

    def end(self, credential_id: str) -> None:
        """Tell everyone who watches this session or key, now or later."""
        self.ended[credential_id] = None
        while len(self.ended) > REMEMBERED:
            del self.ended[next(iter(self.ended))]
        for ended in self.watchers.get(credential_id, ()):
            ended.set()

    def changed(self, credential_id: str, role: Role) -> None:
        """Tell everyone who watches this session or key, now or later, that its owner has another role; it lives on with that."""
        self.roles.pop(credential_id, None)
        self.roles[credential_id] = role
        while len(self.roles) > REMEMBERED:
            del self.roles[next(iter(self.roles))]
        for ended in self.watchers.get(credential_id, ()):
            ended.set()

    def over(self, actor: Actor) -> bool:
        """Tell whether the actor's session or key has ended, or its owner's role or clearance has changed, since it was checked."""
        name = _name(actor)
        return (
            name in self.ended
            or self.roles.get(name, actor.role) is not actor.role
            or self.clearances.get(actor.id, actor.clearance) is not actor.clearance
        )


def _name(actor: Actor) -> str:
    return actor.session_id or actor.key_id or ""
