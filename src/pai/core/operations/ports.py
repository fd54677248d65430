"""What the operations room needs to tell how the installation does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pai.core.audit.ports import AuditTrail
from pai.core.identity.ports import UserRepository
from pai.core.ports.metrics import Reading
from pai.core.privacy.ports import SubjectRepository


@dataclass(frozen=True, slots=True)
class Resident:
    """A loaded model. ``memory`` is the estimate in bytes that room is made by; ``worker`` names the process that holds it."""

    model: str
    worker: str
    memory: int
    running: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Memory of a process in bytes. ``kind`` is ``pss`` (what is shared is divided) or ``rss`` (what is shared counts whole)."""

    kind: str
    bytes: int


class Readings(Protocol):
    """What was counted since the start."""

    def read(self) -> Sequence[Reading]: ...


class Residents(Protocol):
    """Which models are in memory."""

    def residents(self) -> Sequence[Resident]: ...


class Scales(Protocol):
    """Weighs processes."""

    async def weighed(self) -> Mapping[str, Taken]:
        """Return the memory of PAI's processes (``gateway``, ``keystore``, ``supervisor``) and workers, by name; empty when nobody can
        tell."""
        ...


class OversightUnit(Protocol):
    """A unit of work for those who look at the audit log: people and data subjects have names there."""

    @property
    def audit(self) -> AuditTrail: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def subjects(self) -> SubjectRepository: ...
