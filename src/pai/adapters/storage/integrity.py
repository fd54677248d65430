"""Asking an encrypted database whether it is whole."""

from __future__ import annotations

from pathlib import Path

from pai.adapters.storage.cipher import connect
from pai.foundation.errors import PaiError
from pai.foundation.redaction import Secret

_MOST = 10


def problems_of(path: Path, key: Secret) -> list[str]:
    """Return what is wrong with the file: pages that do not authenticate, broken trees and indexes, rows that refer to nothing."""
    try:
        connection = connect(path, key, read_only=True)
    except PaiError as error:
        return [error.message]
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA cipher_integrity_check").fetchmany(_MOST)]
        structure = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})").fetchall()]
        broken = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST)
    finally:
        connection.close()
    return [
        *found,
        *(text for text in structure if text != "ok"),
        *(f"a row of {row[0]} refers to nothing" for row in broken),
    ]
