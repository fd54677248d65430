"""Values of the operations room."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai.foundation.redaction import Secret

BACKUP_SECRET_BYTES: Final = 32
SIGNED_AS: Final = "pai backup 1"
"""What the signature under a backup begins with, so that no other text that the same key signs can stand for one."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup as the register knows it. ``digest`` is the SHA-256 (hex) that was signed, ``destination`` where it was written
    to, ``files`` and ``bytes`` what it holds, ``kept_until`` when its keeper means to destroy it."""

    id: str
    at: datetime
    digest: str
    destination: str
    files: int
    bytes: int
    kept_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the home as of one moment. ``folder`` is its name below the home's folder for what is under way; writers waited
    for ``seconds``."""

    folder: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BackupBegun:
    """What is needed to write a backup. ``secret`` is the 32-byte key that the keys of its pieces come from, ``signer`` the public
    key that will sign it."""

    id: str
    at: datetime
    snapshot: Snapshot
    secret: Secret
    signer: bytes


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a restore drill found. ``age_seconds`` is how much would have been lost (RPO), ``restore_seconds`` how long coming back
    took (RTO); ``failed`` names the questions that were answered no."""

    backup_id: str
    ok: bool
    age_seconds: int
    restore_seconds: int
    failed: tuple[str, ...] = ()
