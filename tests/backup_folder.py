"""A small folder of backups for tests, written by the real writer from a home made of plain files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pai.adapters.cryptography.age import Opening, Sealing, new_identity
from pai.adapters.cryptography.backup_reader import BackupFolder, Damage
from pai.adapters.cryptography.backup_restore import Restore
from pai.adapters.cryptography.backup_writer import BackupWriter, Counts
from pai.adapters.cryptography.signatures import new_signing_seed, public_key_of, sign_message
from pai.core.operations.backups import signed_text
from pai.core.operations.values import BackupBegun, Snapshot
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.time import utc_now


def sample_home(root: Path) -> Path:
    """Files as an installation has them; one of more than a chunk, one empty."""
    for name, data in {
        "initialised": b"", "pai.toml": b"[server]\n", "keys/keystore.json": b'{"root": "wrapped"}', "keys/server.json": b"{}",
        "db/main.db": os.urandom(200_000), "collections/col_1/content.db": os.urandom(3000),
        "collections/col_1/blobs/blb_1": os.urandom(70_000), "audit/000000000003.note": b"note\n", "models/m/weights.gguf": b"w" * 5000,
    }.items():  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@dataclass
class Keeper:
    """Makes backups of ``home`` into ``folder``. ``sealing`` and ``opening`` belong together."""

    home: Path
    folder: Path
    secret: Secret = field(default_factory=lambda: Secret(os.urandom(32)))
    seed: bytes = field(default_factory=new_signing_seed)
    identity: Secret = field(init=False)
    recipient: str = field(init=False)

    def __post_init__(self) -> None:
        self.identity, self.recipient = new_identity()

    @property
    def opening(self) -> Opening:
        return Opening(identities=self.identity)

    def begun(self) -> BackupBegun:
        return BackupBegun(new_id("bak"), utc_now(), Snapshot("unused", 0.0), self.secret, public_key_of(self.seed))

    def back_up(
        self, referred: dict[str, tuple[int, str]] | None = None, sealing: Sealing | None = None
    ) -> tuple[str, Counts]:
        begun, sealed_to = self.begun(), sealing or Sealing((self.recipient,))
        with BackupWriter(self.folder, begun, sealed_to, sealed_to, lambda _: None) as writer:
            digest = writer.write(self.home, referred or {})
            writer.commit(sign_message(self.seed, signed_text(digest)))
            return begun.id, writer.counts

    def restore(
        self, backup: str, home: Path, opening: Opening | None = None, progress: Callable[[int, int], None] = lambda _d, _o: None,
        models: tuple[Path, ...] = (),
    ) -> list[str]:  # fmt: skip
        opened_by = opening or self.opening
        return Restore(BackupFolder(self.folder), backup, opened_by, opened_by, None, models, progress).into(home)[1]

    def damage(self, opening: Opening | None = None) -> list[Damage]:
        return BackupFolder(self.folder).verify(opening, lambda _d, _o: None)[0]


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
