"""What bounds an API key, and that a key made with a key stays within the bounds of that one."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai.foundation.actor import Scope
from pai.foundation.errors import Denied, Invalid
from pai.foundation.labels import Label

MOST_NETWORKS: Final = 32
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """Scopes, label ceiling, end (None: never) and networks (CIDR, empty: anywhere) of a key."""

    scopes: frozenset[Scope]
    ceiling: Label
    expires_at: datetime | None
    networks: tuple[str, ...]


def checked_networks(networks: Sequence[str]) -> tuple[str, ...]:
    """Return the networks in their one written form. Raises Invalid (``bad_network``)."""
    if len(networks) > MOST_NETWORKS:
        raise Invalid(f"a key takes at most {MOST_NETWORKS} networks", code="bad_network")
    return tuple(dict.fromkeys(str(_network(text)) for text in networks))


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError:
        hint = "such as 192.168.1.0/24, 10.0.0.7 or fd00::/8"
        raise Invalid(f"{text[:60]!r} is no network", code="bad_network", hint=hint) from None


def within(address: str, networks: Sequence[str]) -> bool:
    """Tell whether a peer address lies in one of the networks; anywhere when there are none. An IPv4 address may come as IPv6."""
    if not networks:
        return True
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in ipaddress.ip_network(network) for network in networks)


def within_maker(maker: KeyLimits, wanted: KeyLimits) -> KeyLimits:
    """Return what a key gets that is made with another one: its end and networks are the maker's where none are named.

    Raises Denied where more is asked for than the maker has.
    """
    if not wanted.scopes <= maker.scopes:
        raise Denied("a key cannot make a key with more scopes than its own")
    if not maker.ceiling.covers(wanted.ceiling):
        raise Denied("a key cannot make a key with a higher label ceiling than its own", hint="name a ceiling")
    end, networks = wanted.expires_at or maker.expires_at, wanted.networks or maker.networks
    if maker.expires_at is not None and end is not None and end > maker.expires_at:
        raise Denied("a key cannot make a key that outlives it", hint=f"let it end by {maker.expires_at.isoformat()}")
    if maker.networks and not all(_inside(text, maker.networks) for text in networks):
        raise Denied("a key cannot make a key for more networks than its own", hint="name some of its networks")
    return KeyLimits(wanted.scopes, wanted.ceiling, end, networks)


def _inside(text: str, networks: Sequence[str]) -> bool:
    inner = ipaddress.ip_network(text)
    outer = [one for one in map(ipaddress.ip_network, networks) if one.version == inner.version]
    return any(inner[0] in one and inner[-1] in one for one in outer)
