"""A real storage on a real vault in a temporary folder, and small sample values, for the storage tests."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import numpy as np

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.storage import Storage
from pai.core.audit.values import Event
from pai.core.identity.values import User
from pai.core.knowledge.values import Chunk, Collection, Document
from pai.foundation.actor import ActorKind, Role
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from pai.foundation.time import utc_now

PASSPHRASE = Secret(b"a long passphrase for tests only")
NOW = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Event):
    name: ClassVar[str] = "test:storage:note"
    n: int = 0
    documents: tuple[str, ...] = ()


@dataclass
class StorageHome:
    """A home whose storage can be closed and opened again. ``vault`` is the real keystore, in this process; ``clock`` stands for the
    time when it is set."""

    root: Path
    vault: KeyVault
    opened: list[Storage] = field(default_factory=list)
    clock: datetime | None = None

    @classmethod
    def create(cls, root: Path) -> StorageHome:
        vault = KeyVault(root / "keys")
        vault.create(PASSPHRASE, "rfc9106-second")
        return cls(root, vault)

    @classmethod
    def copied(cls, root: Path) -> StorageHome:
        """As `create` and `open` leave it, in a tenth of the time: all homes that are copied share their keys."""
        shutil.copytree(_pattern(), root, dirs_exist_ok=True)
        return cls.existing(root)

    @classmethod
    def existing(cls, root: Path) -> StorageHome:
        vault = KeyVault(root / "keys")
        vault.open(PASSPHRASE)
        return cls(root, vault)

    @property
    def database(self) -> Path:
        return self.root / "db" / "main.db"

    @property
    def audit_keys(self) -> AuditKeys:
        return AuditKeys(
            self.vault, verify_signature, "pai.test/log", self.root / "audit", now=lambda: self.clock or utc_now()
        )

    def open(self) -> Storage:
        storage = Storage(self.root, self.vault.database_key(), self.audit_keys)
        storage.migrate()
        self.opened.append(storage)
        return storage

    def close(self) -> None:
        while self.opened:
            self.opened.pop().close()


@functools.cache
def _pattern() -> Path:
    """A home with a migrated database, made once in each process."""
    folder = tempfile.TemporaryDirectory(prefix="pai-storage-home-")
    atexit.register(folder.cleanup)
    home = StorageHome.create(Path(folder.name))
    home.open()
    home.close()
    return home.root


def a_user(name: str = "owner") -> User:
    return User(
        new_id("usr"), f"{name}-{os.urandom(3).hex()}@pai.test", Role.MEMBER, ActorKind.PERSON, b"p" * 32, b"s" * 16, b"v" * 32,
        False, NOW,
    )  # fmt: skip


def a_collection(owner: User, name: str = "letters", **changes: object) -> Collection:
    fields: dict[str, object] = {
        "id": new_id("col"), "name": name, "owner_id": owner.id, "label": Label.RESTRICTED, "purpose": "patient care",
        "created_at": NOW, "embedding_model": "test",
    }  # fmt: skip
    return Collection(**(fields | changes))  # type: ignore[arg-type]


def a_document(collection: Collection, text: str, document_id: str | None = None) -> Document:
    return Document(
        document_id or new_id("doc"), collection.id, hashlib.sha256(text.encode()).hexdigest(), "text/plain", len(text), 1, 1, NOW,
        collection.label, collection.purpose,
    )  # fmt: skip


def some_chunks(document_id: str, texts: Sequence[str], heading: str = "") -> list[Chunk]:
    return [Chunk(new_id("chk"), document_id, n, 1, heading, text) for n, text in enumerate(texts)]


def some_vectors(count: int, dimensions: int = 8, seed: int = 1) -> list[bytes]:
    rows = np.random.default_rng(seed).standard_normal((count, dimensions)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [row.tobytes() for row in rows]


def a_key() -> Secret:
    return Secret(os.urandom(32))
