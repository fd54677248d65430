"""The register of backups as rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from pai.adapters.storage import tables as t
from pai.adapters.storage.rows import from_row, to_row
from pai.core.operations.values import Backup


class BackupRows:
    """Implements ``core.operations.ports.BackupRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, backup: Backup) -> None:
        """Insert a backup."""
        self._db.execute(insert(t.backups), to_row(backup, t.backups))

    def list(self) -> Sequence[Backup]:
        """Return all, oldest first."""
        rows = self._db.execute(select(t.backups).order_by(t.backups.c.id)).mappings()
        return [from_row(Backup, row) for row in rows]

    def remove(self, backup_id: str) -> None:
        """Remove a backup that was not written to its end; one that is not there is no error."""
        self._db.execute(delete(t.backups).where(t.backups.c.id == backup_id))

    def secret(self) -> bytes | None:
        """Return the sealed secret."""
        found: bytes | None = self._db.execute(select(t.backup_secret.c.sealed)).scalar()
        return found

    def keep_secret(self, sealed: bytes) -> None:
        """Keep the sealed secret. There is one."""
        self._db.execute(insert(t.backup_secret), {"id": 1, "sealed": sealed})
