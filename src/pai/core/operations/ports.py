"""What the operations room needs to tell how the installation does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pai.core.audit.ports import AuditedUnit, AuditTrail
from pai.core.identity.ports import UserRepository
from pai.core.keys.ports import SealedRepository
from pai.core.knowledge.ports import KnowledgeUnit
from pai.core.operations.values import Backup, Snapshot
from pai.core.policy.ports import RuleRepository
from pai.core.ports.metrics import Reading
from pai.core.privacy.ports import SubjectRepository
from pai.foundation.redaction import Secret


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


class BackupRepository(Protocol):
    """The register of backups (main database)."""

    def add(self, backup: Backup) -> None: ...
    def list(self) -> Sequence[Backup]:
        """Return all, oldest first."""
        ...

    def remove(self, backup_id: str) -> None: ...

    def secret(self) -> bytes | None:
        """Return the sealed secret of this installation's backups."""
        ...

    def keep_secret(self, sealed: bytes) -> None: ...


class BackupsUnit(AuditedUnit, Protocol):
    """A unit of work that carries the register of backups."""

    @property
    def backups(self) -> BackupRepository:
        """The register of backups."""
        ...


class ExportUnit(AuditedUnit, Protocol):
    """A unit of work for handing the log out."""

    @property
    def rules(self) -> RuleRepository:
        """How acts are approved."""
        ...


class CustodyUnit(AuditedUnit, Protocol):
    """A unit of work that carries what is sealed under server keys."""

    @property
    def sealed(self) -> SealedRepository:
        """Records under server keys."""
        ...


class ShreddingUnit(KnowledgeUnit, BackupsUnit, Protocol):
    """A unit of work in which a collection can be destroyed, and that knows the backups."""


class Moments(Protocol):
    """Copies of the home as of one moment, taken while it is served."""

    async def take(self, backup_id: str) -> Snapshot:
        """Hold the writer, copy what changes and link what never does. Raises Unavailable (``disk_full``)."""
        ...

    def taken(self, backup_id: str) -> bool:
        """Return whether this snapshot is there."""
        ...

    async def remove(self, backup_id: str) -> None:
        """Remove a snapshot; one that is not there is no error."""
        ...


class SecretMaker(Protocol):
    """Makes 32 random bytes."""

    def __call__(self) -> Secret: ...


class OversightUnit(Protocol):
    """A unit of work for those who look at the audit log: people and data subjects have names there."""

    @property
    def audit(self) -> AuditTrail: ...
    @property
    def users(self) -> UserRepository: ...
    @property
    def subjects(self) -> SubjectRepository: ...
