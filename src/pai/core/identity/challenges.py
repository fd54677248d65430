"""Challenges that were given out and not answered yet, so that nobody can make those of others void by asking for many."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from pai.core.identity.ports import Place

MOST: Final = 2000
SHARE: Final = 200
"""What one peer address, or one session, may have open; its own oldest go first."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a challenge was given out for: ``purpose`` (``register``, ``login``, ``second``, ``step-up``) and ``whose`` (a session, a
    ticket's account, nobody). ``asker`` is whose share it counts to."""

    purpose: str
    whose: str
    place: Place
    until: float
    asker: str


@dataclass(frozen=True, slots=True)
class Challenges:
    """Open challenges, oldest first. What strangers may ask for belongs into one of its own."""

    held: dict[bytes, Challenge] = field(default_factory=dict)

    def add(self, challenge: bytes, given: Challenge, moment: float) -> None:
        """Keep one. Room comes from its asker's own oldest beyond the share, and from whoever has most open when all is full: an asker of
        few loses none to an asker of many."""
        for old in [key for key, one in self.held.items() if one.until <= moment]:
            del self.held[old]
        counts = Counter(one.asker for one in self.held.values())
        if counts[given.asker] >= SHARE:
            self._drop_oldest(given.asker)
        elif len(self.held) >= MOST:
            self._drop_oldest(counts.most_common(1)[0][0])
        self.held[challenge] = given

    def _drop_oldest(self, asker: str) -> None:
        del self.held[next(key for key, one in self.held.items() if one.asker == asker)]

    def take(self, challenge: bytes) -> Challenge | None:
        """Use one up."""
        return self.held.pop(challenge, None)


def share_of(address: str) -> str:
    """Return whose share a peer address counts to: of IPv6 the network of 64 bits, which one host has to itself."""
    try:
        peer = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is None:
        return str(ipaddress.ip_network((peer, 64), strict=False))
    return str(peer)
