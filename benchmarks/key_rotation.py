"""How long a rotation of server keys takes over many wrapped keys: real keystore process, real database, as `pai keys rotate` does it.

    PYTHONPATH=tests python benchmarks/key_rotation.py --count 1000000

Beside it the same records are opened and sealed once more without a database and a socket, so that the figure can be read as a ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from pai.adapters.cryptography import aead
from pai.adapters.cryptography.keystore_process import start_keystore
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.storage import tables as t
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.identity_rows import stamp
from pai.adapters.storage.storage import Storage
from pai.core.keys.values import Factor
from pai.core.operations.custody import STEP
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from storage_home import NOW, PASSPHRASE, a_user


def fill(storage: Storage, user: str, wraps: list[bytes]) -> None:
    """Insert wraps of one user's key by the server."""
    rows = [
        {
            "id": new_id("wrp"),
            "user_id": user,
            "factor": Factor.CONSOLE.value,
            "factor_id": str(n),
            "blob": blob,
            "created_at": stamp(NOW),
        }
        for n, blob in enumerate(wraps)
    ]
    storage.run_sync(lambda unit: unit.wraps._db.execute(insert(t.member_wraps), rows))  # noqa: SLF001


def rotate(storage: Storage) -> int:
    """Move all; return how many."""
    moved, last = 0, ""
    while True:
        step = storage.run_sync(lambda unit, after=last: unit.sealed.rewrap("member/console", after, STEP))
        moved, last = moved + step.moved, step.last
        if not last:
            return moved


def bare(count: int) -> float:
    """Return the seconds that opening and sealing alone take."""
    keys = [os.urandom(32), os.urandom(32)]
    sealed = aead.seal_record(keys[0], bytes(62), purpose="member/console", associated=b"x" * 30)
    began = time.monotonic()
    for _ in range(count):
        opened = aead.open_versioned(keys, sealed, purpose="member/console", associated=b"x" * 30)
        aead.seal_versioned(keys, opened, purpose="member/console", associated=b"x" * 30)
    return time.monotonic() - began


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder, start_keystore(Path(folder), {"LANG": "C.UTF-8"}) as process:
        keystore = process.client
        keystore.create(Secret(PASSPHRASE.reveal()), "rfc9106-second")
        storage = Storage(
            Path(folder),
            keystore.database_key(),
            AuditKeys(keystore, verify_signature, "bench", Path(folder) / "audit"),
        )
        storage.migrate()
        user = a_user()
        storage.run_sync(lambda unit: unit.users.add(user))
        member = keystore.new_member(user.id, Secret(b"correct horse battery staple 9"), console=True)
        fill(storage, user.id, [member.console_wrap or b""] * count)
        keystore.rotate_keys()
        before, began = sum(os.times()[:4]), time.monotonic()
        moved = rotate(storage)
        took = time.monotonic() - began
        storage.close()
    used = sum(os.times()[:4]) - before
    alone = bare(min(count, 50_000)) * count / min(count, 50_000)
    print(
        json.dumps(
            {
                "wraps": count,
                "moved": moved,
                "seconds": round(took, 1),
                "gateway_processor_seconds": round(used, 1),
                "cryptography_alone": round(alone, 1),
                "ratio": round(took / alone, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
