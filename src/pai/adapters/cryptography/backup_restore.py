"""Putting a home back: into a folder beside it, which becomes the home by one rename when every file was proved right."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pai.adapters.cryptography.age import Opening
from pai.adapters.cryptography.backup_pieces import Referred, is_place
from pai.adapters.cryptography.backup_reader import BackupFolder, Opened
from pai.adapters.cryptography.files import disk_errors, sync_folder, write_whole
from pai.foundation.errors import Conflict, Corrupt, Denied, Unavailable

MARK = "restored.json"
"""Tells the next opening that this home was put back, so that the audit log can."""
SIGNER_DIGITS = 16
"""Of the public key in hex: as many as stand in the origin of checkpoints."""
_KEYS = "keys/"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Restore:
    """Everything that a restore needs. ``keys_part`` is where the part with the keys lies, None for beside the backup; ``models``
    are folders to take public model files from; ``progress`` is told (bytes done, bytes); ``signer`` is how the public key (hex) that
    signed the backup has to begin, by 16 digits at least."""

    folder: BackupFolder
    backup: str
    opening: Opening
    keys_opening: Opening
    keys_part: Path | None
    models: tuple[Path, ...]
    progress: Callable[[int, int], None]
    signer: str | None = None

    def into(self, home: Path) -> tuple[Opened, list[str]]:
        """Make ``home`` what it was; return the opened backup and the model files that were not found.

        Raises Conflict when ``home`` holds anything, Corrupt when the backup was changed (and then leaves nothing behind).
        """
        refuse_existing(home)
        opened = self.folder.open(self.backup, self.opening)
        self._refuse_other_signer(opened.head.signer)
        with disk_errors("the new home"), _staging(home) as staging:
            _refuse_small_disk(home.parent, opened)
            missing = self._fill(staging, opened)
            text = {"backup": opened.head.id, "at": opened.head.at}
            write_whole(staging / MARK, [msgspec.json.encode(text)])
            for place, _, _ in os.walk(staging):
                sync_folder(Path(place))
            try:
                staging.rename(home)
            except OSError:
                refuse_existing(home)
                raise
            sync_folder(home.parent)
        return opened, missing

    def _refuse_other_signer(self, signed_by: str) -> None:
        wanted = self.signer
        if wanted is not None and (len(wanted) < SIGNER_DIGITS or not signed_by.startswith(wanted.lower())):
            raise Denied(
                f"the backup was signed by {signed_by[:SIGNER_DIGITS]}", code="other_signer",
                hint="an installation's key stands in its checkpoints: pai.local/KEY/audit; 16 digits are needed",
            )  # fmt: skip

    def _fill(self, staging: Path, opened: Opened) -> list[str]:
        done = 0
        for file in opened.manifest.files:
            _write(staging / file.path, self.folder.content(opened, file))
            done += file.size
            self.progress(done, opened.head.bytes)
        for path, data in self._keys(opened).items():
            _write(staging / path, [data])
        return [one.path for one in opened.manifest.referred if not self._take(one, staging)]

    def _keys(self, opened: Opened) -> dict[str, bytes]:
        sealed = self.folder.part(opened.head, "keys.age", self.keys_part)
        try:
            keys = msgspec.json.decode(self.keys_opening.open(sealed), type=dict[str, bytes])
        except msgspec.MsgspecError:
            raise Corrupt("the part with the keys cannot be understood") from None
        if not all(is_place(path) and path.startswith(_KEYS) for path in keys):
            raise Corrupt("the part with the keys names a place that no home has")
        return keys

    def _take(self, wanted: Referred, staging: Path) -> bool:
        inside = Path(wanted.path).relative_to("models") if wanted.path.startswith("models/") else Path(wanted.path)
        for place in self.models:
            source = place / inside
            if source.is_file() and source.stat().st_size == wanted.size:
                target = staging / wanted.path
                digest = hashlib.sha256()
                _write(target, _hashed(source, digest))
                if digest.hexdigest() == wanted.sha256:
                    return True
                target.unlink()
        return False


def refuse_existing(home: Path) -> None:
    """Raise Conflict when there is anything at ``home``; an empty folder is nothing."""
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise Conflict(
            f"{home} is there already, and nothing is restored over it", code="home_exists",
            hint="set PAI_HOME to a folder that does not exist yet, or move the old home away first",
        )  # fmt: skip


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    home.parent.mkdir(parents=True, exist_ok=True)
    staging = home.with_name(f".{home.name}.restoring")
    lock = os.open(home.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "another restore works beside this home", code="restore_running", hint="wait for its end"
            ) from None
        if staging.exists():  # of a restore that was cut off
            shutil.rmtree(staging)
        staging.mkdir(mode=0o700)
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def _refuse_small_disk(place: Path, opened: Opened) -> None:
    needed = opened.head.bytes + sum(one.size for one in opened.manifest.referred)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise Unavailable(
            f"the home needs {needed >> 20} MB, and {place} has {free >> 20} MB free", code="disk_full",
            hint="free some space, or set PAI_HOME to a folder on another disk",
        )  # fmt: skip


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    for folder in reversed(path.parents):  # one by one: the mode that `parents` gives to those between is the umask's
        folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(descriptor)


def _hashed(source: Path, digest: hashlib._Hash) -> Iterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(_BLOCK):
            digest.update(piece)
            yield piece
