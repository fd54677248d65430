"""Backups as the operator's command makes, checks and restores them. It runs with the rights of whoever holds the console, and gets
from the process that has the home open only what it needs: a snapshot, a secret for chunks, a signature."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pai.adapters.cryptography.age import Opening, Sealing, new_identity
from pai.adapters.cryptography.backup_reader import BackupFolder
from pai.adapters.cryptography.backup_restore import SIGNER_DIGITS, Restore
from pai.adapters.cryptography.backup_writer import BackupWriter, Counts
from pai.adapters.cryptography.files import disk_errors
from pai.adapters.models.catalogue import catalogue
from pai.adapters.system.home import Home
from pai.core.operations.values import BackupBegun, Snapshot
from pai.foundation.errors import Conflict, PaiError, Usage
from pai.foundation.redaction import Secret
from pai.foundation.time import from_text, to_text, utc_now
from pai.settings import Settings

Call = Callable[..., Any]


def create(
    settings: Settings, call: Call, folder: Path, *, to: tuple[str, ...], passphrase: Secret | None, keys_to: tuple[str, ...],
    with_models: bool, keep: timedelta | None, progress: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Write a backup of the installation that ``call`` reaches; return what was written. Raises PaiError; then there is none."""
    home = Home(settings.home)
    _refuse_inside(home.root, folder)
    sealing = Sealing(to, passphrase)
    keys_sealing = Sealing(keys_to) if keys_to else sealing
    sealing.check()
    keys_sealing.check()
    with _alone(home):
        progress("taking a snapshot ...")
        told = call("backup.begin")
        begun = BackupBegun(
            told["id"], from_text(told["at"]), Snapshot(told["folder"], told["seconds"]),
            Secret(base64.b64decode(told["secret"])), bytes.fromhex(told["signer"]),
        )  # fmt: skip
        kept_until = to_text(begun.at + keep) if keep else None
        try:
            with BackupWriter(folder, begun, sealing, keys_sealing, _every_second(progress), kept_until) as writer:
                source = home.staging / begun.snapshot.folder
                digest = writer.write(source, {} if with_models else _public(source))
                counts = writer.counts
                signed = call(
                    "backup.finish", id=begun.id, at=told["at"], digest=digest, destination=str(folder.absolute()),
                    files=counts.files, bytes=counts.bytes, kept_until=kept_until,
                )  # fmt: skip
                path = writer.commit(bytes.fromhex(signed["signature"]))
        except BaseException as error:
            reason = error.code if isinstance(error, PaiError) else type(error).__name__
            with contextlib.suppress(PaiError):  # what went wrong first is what the operator has to hear
                call("backup.abandon", id=begun.id, reason=reason)
            raise
    referred = [] if with_models else sorted(_public(home.root))
    return {
        "id": begun.id, "path": str(path), "at": told["at"], "files": counts.files, "bytes": counts.bytes, "stored": counts.stored,
        "chunks": counts.chunks, "new_chunks": counts.new_chunks, "writers_waited_seconds": round(begun.snapshot.seconds, 3),
        "kept_until": kept_until, "models_by_reference": referred, "digest": digest,
    }  # fmt: skip


def verify(folder: Path, opening: Opening | None, progress: Callable[[str], None]) -> dict[str, Any]:
    """Check every byte of a folder of backups. Raises Usage when it is none, Unauthenticated for a key that opens no backup."""
    backups = BackupFolder(folder)
    tell = _paced(progress)
    damaged, read = backups.verify(opening, lambda done, of: tell(f"checked {done} of {of} chunks"))
    return {
        "ok": not damaged, "backups": backups.ids(), "bytes": read, "opened": opening is not None,
        "damaged": [
            {"file": one.file, "problem": one.problem, "backups": list(one.backups), "files": list(one.files)} for one in damaged
        ],
    }  # fmt: skip


def restore(
    folder: Path, home: Path, *, wanted: str | None, opening: Opening, keys: Path | None, keys_opening: Opening,
    models: tuple[Path, ...], signer: str | None, progress: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Make ``home``, which must not exist, what it was. ``signer`` is the beginning of the public key that must have signed the backup.

    Raises PaiError; then there is still nothing at ``home``.
    """
    backups = BackupFolder(folder)
    tell = _paced(progress)
    work = Restore(
        backups, backups.chosen(wanted), opening, keys_opening, keys, models,
        lambda done, of: tell(f"restored {done >> 20} of {of >> 20} MB"), signer,
    )  # fmt: skip
    opened, missing = work.into(home.absolute())
    return {
        "id": opened.head.id, "signer": opened.head.signer[:SIGNER_DIGITS], "home": str(home),
        "at": opened.head.at, "files": len(opened.manifest.files),
        "bytes": opened.head.bytes, "missing_models": missing,
    }  # fmt: skip


def drill(*args: Any, **options: Any) -> dict[str, Any]:
    """See ``drilling.drill``."""
    from pai.bootstrap import drilling

    return drilling.drill(*args, **options)


def opening(identities: Secret | None, passphrase: Secret | None) -> Opening:
    """Return what opens a backup."""
    return Opening(identities, passphrase)


def make_identity(path: Path) -> dict[str, Any]:
    """Write a fresh age identity to ``path`` (mode 0600, never over a file) and return its recipient."""
    identity, recipient = new_identity()
    text = f"# created: {to_text(utc_now())[:19]}Z\n# public key: {recipient}\n{identity.reveal().decode()}\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Conflict(
            f"{path} is there already", code="file_exists", hint="an identity is never written over"
        ) from None
    with disk_errors("the identity file"), os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    return {"identity_file": str(path), "recipient": recipient}


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold the lock of whoever writes a backup of this home; the kernel frees it when they die."""
    home.staging.mkdir(mode=0o700, exist_ok=True)
    fd = os.open(home.staging / "backup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict(
            "another backup of this home is being written", code="backup_running", hint="wait for its end"
        ) from None
    finally:
        os.close(fd)


def _refuse_inside(home: Path, folder: Path) -> None:
    Home(home).require()
    inner, outer = folder.resolve(), home.resolve()
    if inner == outer or outer in inner.parents:
        raise Usage(
            "a backup inside the home would be lost with it", code="inside_home", hint="give a folder on another disk"
        )


def _public(home: Path) -> dict[str, tuple[int, str]]:
    """Return the files of starter models below ``home``: anybody can fetch them, and their hashes are pinned."""
    named = {
        f"models/{name}/{file.path}": (file.size, file.sha256)
        for name, model in catalogue().items()
        for file in model.files
    }
    return {
        path: told
        for path, told in named.items()
        if (home / path).is_file() and (home / path).stat().st_size == told[0]
    }


def _every_second(progress: Callable[[str], None]) -> Callable[[Counts], None]:
    tell = _paced(progress)
    return lambda counts: tell(f"{counts.files} files, {counts.bytes >> 20} MB, {counts.stored >> 20} MB of them new")


def _paced(progress: Callable[[str], None]) -> Callable[[str], None]:
    import time

    last = 0.0

    def tell(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            progress(text)

    return tell
