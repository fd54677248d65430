"""Browsers that an account was used with, so that a log-in from another one is told to its owner.

A browser is known by a cookie of its own, 256 random bits of which the database holds the SHA-256. It proves nothing and opens
nothing: who steals it is merely not announced as new.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai.core.identity.ports import IdentityUnit
from pai.core.identity.values import Device
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret

MOST_KNOWN: Final = 50
"""Browsers kept for an account; beyond them the longest unseen are forgotten."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a log-in comes from: peer address, User-Agent header, value of the cookie that the browser is known by."""

    address: str
    agent: str
    device: Secret | None = None

    @property
    def told_agent(self) -> str:
        """The User-Agent as it is kept."""
        return "".join(c for c in self.agent if c.isprintable())[:200]


@dataclass(frozen=True, slots=True)
class Arrived:
    """The browser, whether it is new to an account that was used before, its cookie's value (None when it has one), and every browser of
    the account whose first log-in nobody has acknowledged yet."""

    device: Device
    new: bool
    token: Secret | None
    unseen: tuple[Device, ...]


def arrive(unit: IdentityUnit, user_id: str, arrival: Arrival, now: datetime) -> Arrived:
    """Note that an account is used with this browser. The first one of all is not new: there was nobody to be told."""
    known = unit.factors.devices(user_id)
    wanted = hash_of(arrival.device, user_id) if arrival.device is not None else None
    held = next((one for one in known if one.token_hash == wanted), None)
    token = arrival.device or Secret(secrets.token_urlsafe(32).encode())
    if held is not None:
        device = dataclasses.replace(held, seen_at=now, address=arrival.address[:64])
    else:
        device = Device(
            new_id("dev"), user_id, hash_of(token, user_id), arrival.told_agent, arrival.address[:64], now, now,
            acknowledged_at=None if known else now,
        )  # fmt: skip
    unit.factors.set_device(device)
    unit.factors.keep_devices(user_id, MOST_KNOWN)
    given = token if arrival.device is None else None
    return Arrived(device, held is None and bool(known), given, unseen(unit, user_id))


def unseen(unit: IdentityUnit, user_id: str) -> tuple[Device, ...]:
    """Return the browsers of an account that nobody has acknowledged."""
    return tuple(one for one in unit.factors.devices(user_id) if one.acknowledged_at is None)


def hash_of(token: Secret, user_id: str) -> bytes:
    """Return what is stored of a browser's cookie; bound to the account, so that rows of two accounts do not tell of one browser."""
    return hashlib.sha256(b"pai/device/1\x00" + user_id.encode() + b"\x00" + token.reveal()).digest()
