"""Accounts, sessions, links and keys on a real storage, keystore and policy; only the clock is ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.storage.storage import Storage
from pai.core.audit.values import EventFilter, RecordedEvent
from pai.core.identity.accounts import Accounts, AddedUser
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.devices import Arrival
from pai.core.identity.login import Login
from pai.core.identity.own_password import OwnPassword
from pai.core.identity.people import People as Others
from pai.core.identity.second_factors import SecondFactors
from pai.core.identity.sessions import NewSession, Sessions
from pai.core.identity.setup import Setup
from pai.core.policy.gate import Gate
from pai.foundation.actor import OPERATOR, Role
from pai.foundation.redaction import Secret
from storage_home import NOW, StorageHome

PASSWORD = Secret(b"violet tractor under nine lamps")
OTHER = Secret(b"seven green kettles in the attic")
WRONG = Secret(b"wrong tractor under nine lamps")


@dataclass
class SetClock:
    moment: datetime = NOW
    passed: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.passed

    def later(self, **span: float) -> None:
        self.moment += timedelta(**span)
        self.passed += timedelta(**span).total_seconds()

    def set_back(self, **span: float) -> None:
        """What somebody does to the machine's clock; time goes on all the same."""
        self.moment -= timedelta(**span)


@dataclass
class CountingCaches:
    """Notes whose prompts the engines were told to drop."""

    forgotten: list[str] = field(default_factory=list)

    async def forget(self, cache_key: str) -> None:
        self.forgotten.append(cache_key)


class People:
    """The identity room as composition makes it. Each instance is a process of its own over the same storage."""

    def __init__(
        self, storage: Storage, vault: KeyVault, clock: SetClock | None = None, gate: Gate | None = None
    ) -> None:
        self.storage, self.vault, self.clock = storage, vault, clock or SetClock()
        policy = self.policy = CedarPolicy(now=lambda: self.clock.now())
        self.gate = gate or Gate()
        self.caches = CountingCaches()
        self.accounts = Accounts(storage, vault, policy, self.clock, self.gate)
        self.sessions = Sessions(storage, vault, policy, self.clock, caches=self.caches)
        self.factors = SecondFactors(self.sessions)
        self.login = Login(self.sessions, self.factors)
        self.password = OwnPassword(self.sessions)
        self.setup = Setup(self.accounts, self.sessions)
        self.keys = ApiKeys(storage, vault, policy, self.clock)
        self.others = Others(self.accounts, self.sessions, self.keys)

    async def add(self, name: str, role: Role = Role.MEMBER, password: Secret = PASSWORD) -> AddedUser:
        address = f"{name}-{os.urandom(4).hex()}@pai.test"
        return await self.accounts.add(OPERATOR, address, role, password)

    async def log_in(self, email: str, password: Secret = PASSWORD, address: str = "127.0.0.1") -> NewSession:
        begun = await self.login.with_password(email, password, Arrival(address, "Mozilla/5.0 Firefox/140.0"))
        assert isinstance(begun, NewSession)
        return begun

    async def events(self, name: str, resource: str | None = None) -> list[RecordedEvent]:
        wanted = EventFilter(name=name or None, resource=resource, limit=1000)
        return list(await self.storage.read(lambda unit: unit.audit.events(wanted)))


@contextmanager
def identity_home(root: Path) -> Iterator[tuple[Storage, KeyVault]]:
    home = StorageHome.copied(root)
    yield home.open(), home.vault
    home.close()
