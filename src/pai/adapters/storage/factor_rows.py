"""Second factors, passkeys, backup codes and known browsers as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.rows import from_row, to_row
from pai.core.identity.values import BackupCode, Device, Passkey, Totp
from pai.foundation.time import to_text


class FactorRows:
    """Implements ``core.identity.ports.FactorRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def _set(self, table: Table, value: Any) -> None:
        row = to_row(value, table)
        self._db.execute(upsert(table).values(row).on_conflict_do_update(index_elements=["id"], set_=row))

    def totp(self, user_id: str, *, confirmed: bool = True) -> Totp | None:
        """Return an account's authenticator app that is in force, or the one that is being set up."""
        c = t.totp_factors.c
        state = c.confirmed_at.is_not(None) if confirmed else c.confirmed_at.is_(None)
        query = select(t.totp_factors).where(c.user_id == user_id, state)
        row = self._db.execute(query).mappings().first()
        return from_row(Totp, row) if row else None

    def set_totp(self, totp: Totp) -> None:
        """Insert or replace by id."""
        self._set(t.totp_factors, totp)

    def remove_totp(self, user_id: str, *, confirmed: bool) -> None:
        """Delete an account's app that is in force, or the one that is being set up."""
        c = t.totp_factors.c
        state = c.confirmed_at.is_not(None) if confirmed else c.confirmed_at.is_(None)
        self._db.execute(delete(t.totp_factors).where(c.user_id == user_id, state))

    def backup_codes(self, user_id: str) -> Sequence[BackupCode]:
        """Return those that are not used yet."""
        c = t.backup_codes.c
        query = select(t.backup_codes).where(c.user_id == user_id, c.used_at.is_(None))
        return [from_row(BackupCode, row) for row in self._db.execute(query).mappings()]

    def set_backup_codes(self, user_id: str, codes: Sequence[BackupCode]) -> None:
        """Replace all codes of an account."""
        self._db.execute(delete(t.backup_codes).where(t.backup_codes.c.user_id == user_id))
        for code in codes:
            self._db.execute(insert(t.backup_codes), to_row(code, t.backup_codes))

    def use_backup_code(self, user_id: str, code_hash: bytes, now: datetime) -> bool:
        """Use a code up; return whether there was one to use."""
        c = t.backup_codes.c
        query = update(t.backup_codes).where(c.user_id == user_id, c.code_hash == code_hash, c.used_at.is_(None))
        return int(self._db.execute(query.values(used_at=to_text(now))).rowcount) == 1

    def passkeys(self, user_id: str) -> Sequence[Passkey]:
        """Return an account's passkeys, oldest first."""
        query = select(t.passkeys).where(t.passkeys.c.user_id == user_id).order_by(t.passkeys.c.id)
        return [from_row(Passkey, row) for row in self._db.execute(query).mappings()]

    def passkey_by_credential(self, credential_id: bytes) -> Passkey | None:
        """Return the passkey that a browser named."""
        query = select(t.passkeys).where(t.passkeys.c.credential_id == credential_id)
        row = self._db.execute(query).mappings().first()
        return from_row(Passkey, row) if row else None

    def set_passkey(self, passkey: Passkey) -> None:
        """Insert or replace by id."""
        self._set(t.passkeys, passkey)

    def remove_passkey(self, passkey_id: str) -> None:
        """Delete a passkey."""
        self._db.execute(delete(t.passkeys).where(t.passkeys.c.id == passkey_id))

    def devices(self, user_id: str) -> Sequence[Device]:
        """Return known browsers, newest first."""
        query = select(t.devices).where(t.devices.c.user_id == user_id).order_by(t.devices.c.id.desc())
        return [from_row(Device, row) for row in self._db.execute(query).mappings()]

    def set_device(self, device: Device) -> None:
        """Insert or replace by id."""
        self._set(t.devices, device)

    def keep_devices(self, user_id: str, most: int) -> None:
        """Forget the longest unseen beyond so many."""
        c = t.devices.c
        kept = select(c.id).where(c.user_id == user_id).order_by(c.seen_at.desc(), c.id.desc()).limit(most)
        self._db.execute(delete(t.devices).where(c.user_id == user_id, c.id.not_in(kept)))

    def holders(self, *, usable: bool = False) -> Mapping[str, Sequence[str]]:
        """Return which second factors each account has. One that was taken out of use counts, unless only ``usable`` ones are wanted."""
        found: dict[str, list[str]] = {}
        apps = select(t.totp_factors.c.user_id).where(t.totp_factors.c.confirmed_at.is_not(None))
        keys = select(t.passkeys.c.user_id).distinct()
        if usable:
            keys = keys.where(t.passkeys.c.suspended_at.is_(None))
        for kind, query in (("totp", apps), ("passkey", keys)):
            for (user_id,) in self._db.execute(query):
                found.setdefault(user_id, []).append(kind)
        return found
