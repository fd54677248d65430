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


@dataclass(frozen=True, slots=True, kw_only=True)
class PassphraseChanged(Event):
    """The console asked for another passphrase of the root; the old one opens nothing from then on."""

    name: ClassVar[str] = "keys:passphrase:change"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootRotated(Event):
    """The console asked for a new root key and a new recovery code; the old ones open nothing from then on."""

    name: ClassVar[str] = "keys:root:rotate"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRotated(Event):
    """The keys that encrypt keys and records get a new version."""

    name: ClassVar[str] = "keys:server:rotate"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysRewrapped(Event):
    """All records were looked at, and those under an older version of their key moved to the newest."""

    name: ClassVar[str] = "keys:server:rewrap"
    looked_at: int
    moved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShredded(Event):
    """The key of a collection was destroyed and its files deleted, by the console. ``wraps`` were removed; ``backups`` are copies that may
    still hold the key and the content."""

    name: ClassVar[str] = "keys:data:shred"
    wraps: int
    documents: int
    backups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed(Event):
    """Whoever holds the console opened a sealed installation. ``by`` is ``passphrase`` or ``recovery-code``, ``refused`` how many
    attempts failed before it."""

    name: ClassVar[str] = "keys:root:unseal"
    by: str
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupStarted(Event):
    """A snapshot is taken for a backup. The backup holds this event."""

    name: ClassVar[str] = "operations:backup:start"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupMade(Event):
    """All pieces of a backup are written, and its digest was signed."""

    name: ClassVar[str] = "operations:backup:create"
    digest: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupAbandoned(Event):
    """A backup could not be written; ``reason`` is the code of the error."""

    name: ClassVar[str] = "operations:backup:abandon"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreDrilled(Event):
    """A backup was restored for trial. ``age_seconds`` is what would have been lost (RPO), ``restore_seconds`` how long it took
    until all questions were answered (RTO); ``reason`` names those that failed."""

    name: ClassVar[str] = "operations:backup:drill"
    age_seconds: int
    restore_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored(Event):
    """This installation was put back from a backup, made at ``made_at``. Recorded at the first opening after it."""

    name: ClassVar[str] = "operations:backup:restore"
    made_at: str
