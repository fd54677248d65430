"""Events of the operations room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pai.core.audit.values import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised(Event):
    """This installation was made."""

    name: ClassVar[str] = "operations:installation:initialise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The server started. ``protections`` are the kernel layers around the gateway, ``missing`` the ones this kernel lacks."""

    name: ClassVar[str] = "operations:server:start"
    protections: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """The server stopped in order."""

    name: ClassVar[str] = "operations:server:stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRead(Event):
    """Someone looked at the audit log; ``filters`` is what they looked for, ``subjects`` whose data they asked about."""

    name: ClassVar[str] = "audit:log:read"
    events: int
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerified(Event):
    """Someone verified the audit log."""

    name: ClassVar[str] = "audit:log:verify"
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointMade(Event):
    """Someone asked for a signed checkpoint of the audit log."""

    name: ClassVar[str] = "audit:checkpoint:create"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExported(Event):
    """Events were handed out with their salts, from ``first`` on; written before any of them is given out."""

    name: ClassVar[str] = "audit:log:export"
    first: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditProved(Event):
    """Someone asked for a proof: that event ``event`` stands in the log, or that the log only grew ``since`` so many events."""

    name: ClassVar[str] = "audit:log:prove"
    event: int | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeConfirmed(Event):
    """Whoever holds the console typed the recovery code back: it is written down."""

    name: ClassVar[str] = "keys:recovery-code:confirm"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeRenewed(Event):
    """The console asked for a new recovery code; the old one opens nothing from then on."""

    name: ClassVar[str] = "keys:recovery-code:renew"
