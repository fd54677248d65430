"""Snapshots of the home for backups: databases are copied while their writer waits, what never changes is linked.

Sealed files cannot be opened here, for this process has no keys of members' content but those in use. So they are copied as they
are, with their write-ahead logs: while the writer is held and nothing is opened or closed, neither changes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

from pai.adapters.storage.storage import Storage
from pai.core.operations.values import Snapshot
from pai.foundation.errors import Invalid, Unavailable
from pai.foundation.ids import is_id

LEFT_OUT: Final = frozenset({"run", "tmp", "logs"})
"""Folders of what is under way."""
NOT_KEPT: Final = frozenset({"recovery-code.txt"})
"""A code that was not confirmed yet lies beside the key that it opens: it goes into no backup."""
KEYS: Final = "keys"
_TRIES: Final = 20
_PREFIX: Final = "backup-"
_COPY_BEFORE_MIGRATION: Final = "main-before-"
"""It holds wraps and accounts that were removed since."""


class HomeMoments:
    """Implements ``core.operations.ports.Moments`` below ``<home>/tmp``. ``floor`` is the free space (bytes) that stays."""

    def __init__(self, storage: Storage, floor: int) -> None:
        self._storage = storage
        self._home = storage.home
        self._floor = floor

    async def take(self, backup_id: str) -> Snapshot:
        """Take a snapshot. One at a time: an older one is removed, for whoever writes backups holds a lock that ends with them.
        Raises Unavailable (``disk_full``) without room for it."""
        folder = self._folder(backup_id)

        def copy() -> float:
            self.sweep()
            began = time.monotonic()
            self._copy(folder)
            return time.monotonic() - began

        return Snapshot(folder.name, await self._storage.still(copy))

    def taken(self, backup_id: str) -> bool:
        """Return whether this snapshot is there."""
        return self._folder(backup_id).is_dir()

    async def remove(self, backup_id: str) -> None:
        """Remove a snapshot."""
        folder = self._folder(backup_id)
        await self._storage.run(lambda _unit: shutil.rmtree(folder, ignore_errors=True))

    def sweep(self) -> None:
        """Remove snapshots that were left behind."""
        for folder in (self._home / "tmp").glob(f"{_PREFIX}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _folder(self, backup_id: str) -> Path:
        if not is_id(backup_id, "bak"):
            raise Invalid("not an identifier", code="bad_id")
        return self._home / "tmp" / f"{_PREFIX}{backup_id}"

    def _copy(self, folder: Path) -> None:
        files = list(kept_files(self._home))
        needed = sum(_size(self._home / path) for path in files if not _lasting(path))
        free = shutil.disk_usage(self._home).free
        if free < needed + self._floor:
            raise Unavailable(
                f"the snapshot needs {needed >> 20} MB beside the home, and {max(0, free - self._floor) >> 20} MB may be used",
                code="disk_full", hint="free some space on the disk of the home",
            )  # fmt: skip
        try:
            for path in sorted(files, key=lambda path: path.parts[0] == KEYS):
                target = folder / path
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):  # what was deleted since the walk is in no backup
                    _take(self._home / path, target, lasting=_lasting(path))
            self._settle_keys(folder)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise Unavailable(
                "the disk is full" if full else f"the snapshot cannot be written: {error.strerror}",
                code="disk_full" if full else "storage", hint="free some space on the disk of the home",
            ) from error  # fmt: skip

    def _settle_keys(self, folder: Path) -> None:
        """Copy the key folder until none of its files changed meanwhile: the keystore writes them, whoever holds the writer, and one
        file of before a rotation with another of after it would open nothing."""
        for _ in range(_TRIES):
            with contextlib.suppress(FileNotFoundError):
                told = {path.name: path.read_bytes() for path in (self._home / KEYS).iterdir() if _belongs(path.name)}
                if told == {path.name: path.read_bytes() for path in (folder / KEYS).iterdir()}:
                    return
                shutil.rmtree(folder / KEYS)
                (folder / KEYS).mkdir(mode=0o700)
                for name, data in told.items():
                    (folder / KEYS / name).write_bytes(data)
        raise Unavailable("the keys change all the time", code="busy", hint="wait for the end of their rotation")


def kept_files(home: Path) -> Iterator[PurePath]:
    """Yield what belongs to an installation, relative to its home; links and special files do not."""
    for parent, folders, names in os.walk(home):
        place = Path(parent)
        folders.sort()
        if place == home:
            folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in sorted(names):
            if _belongs(name) and _is_plain(place / name):
                yield (place / name).relative_to(home)


def _belongs(name: str) -> bool:
    passing = name.endswith(("-shm", ".new")) or ".tmp-" in name or name.startswith(_COPY_BEFORE_MIGRATION)
    return name not in NOT_KEPT and not passing


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _lasting(path: PurePath) -> bool:
    # Blobs and models appear by a rename and are never written to again, so a second name of them is a copy.
    return path.parts[0] == "models" or "blobs" in path.parts[:-1]


def _take(source: Path, target: Path, *, lasting: bool) -> None:
    if lasting:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
                raise
        else:
            return
    shutil.copyfile(source, target, follow_symlinks=False)
