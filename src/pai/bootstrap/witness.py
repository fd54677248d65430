"""Composition of a witness: its folder, its key, this machine's clock. It needs no installation beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.cryptography.witness_folder import WitnessFolder
from pai.core.audit.notes import read_verifier_key
from pai.core.audit.witness import Witness
from pai.foundation.time import utc_now


@contextmanager
def opened(folder: Path) -> Iterator[Witness]:
    """Give the witness in a folder, which no other process uses meanwhile. Raises NotFound, Conflict."""
    store = WitnessFolder(folder)
    with store.held():
        yield Witness(store, verify_signature, utc_now)


def made(folder: Path, name: str, log_key: str) -> None:
    """Make a witness of the log with this key. Raises Invalid for a key that is none, Conflict when there is one."""
    read_verifier_key(log_key)
    WitnessFolder(folder).create(name, log_key.strip())
