"""Opening SQLCipher files: the raw key, and the settings that keep deleted text from staying behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2 as sqlcipher

from pai.foundation.errors import Conflict, Corrupt, PaiError, Unavailable
from pai.foundation.redaction import Secret


def connect(path: Path, key: Secret, *, read_only: bool = False, memory: bool = False) -> Any:
    """Return a connection with its key checked; with ``memory`` it stands for a file that does not exist yet.

    Raises Corrupt for a wrong key or a damaged file, Conflict for a broken constraint, Unavailable for the disk.
    """
    if not memory:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        connection = sqlcipher.connect(
            ":memory:" if memory else str(path),
            check_same_thread=False,
            isolation_level=None,
            timeout=10,
            cached_statements=256,
        )
        connection.execute(f"PRAGMA key = \"x'{key.reveal().hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        for pragma in (
            "cipher_memory_security = ON", "cell_size_check = ON",
            "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY", "foreign_keys = ON",
            "trusted_schema = OFF", "busy_timeout = 10000", "wal_autocheckpoint = 400",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except sqlcipher.DatabaseError as error:
        raise translated(error, path) from None
    if not memory:
        path.chmod(0o600)
    return connection


def translated(error: Exception, path: Path) -> PaiError:
    """Return the error that a person can act on."""
    text = str(error).lower()
    if "constraint failed" in text:
        return Conflict(f"that is there already, or refers to what is not: {error}", hint="look at what exists first")
    if "locked" in text or "busy" in text:
        return Unavailable(f"{path.name} is in use", code="busy", hint="another program holds it; try again")
    if "not a database" in text or "malformed" in text or "hmac" in text:
        return Corrupt(
            f"{path.name} does not open", hint="it is damaged or the key is not its own; restore it from a backup"
        )
    if "full" in text:
        return Unavailable("the disk is full", code="disk_full", hint="free some space; nothing acknowledged was lost")
    if "readonly" in text or "read-only" in text:
        return Unavailable(
            f"{path.name} cannot be written", code="read_only", hint="check the mode of the home and its disk"
        )
    return Unavailable(
        f"{path.name} cannot be used: {error}", code="storage", hint="restart; if it stays, restore from a backup"
    )


def is_io_error(error: BaseException) -> bool:
    """Return whether a write or fsync failed. It must never be retried: the kernel may have dropped the dirty pages."""
    return "i/o error" in str(error).lower()
