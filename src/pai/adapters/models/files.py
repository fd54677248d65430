"""Bringing model files into a folder: by reflink where the disk can, by renaming or copy elsewhere; never unchecked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from pai.foundation.errors import Corrupt, Unavailable

FICLONE = 0x40049409


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bring(source: Path, target: Path, sha256: str, *, move: bool = False) -> None:
    """Put a checked copy of ``source`` at ``target``; with ``move`` the source is gone afterwards.

    Never a hard link: what happens to the source later must not change the target. Raises Corrupt when the hash is another,
    Unavailable when the source is not there.
    """
    if target.exists() and sha256_of(target) == sha256:
        return
    if not source.exists():
        raise Unavailable(
            f"the model file {source.name} has not been fetched",
            code="model_missing",
            hint="run `make start`, or choose --models echo",
        )
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if move and _renamed(source, target, sha256):
        return
    temporary = target.with_name(target.name + ".new")
    _copy(source, temporary)
    if sha256_of(temporary) != sha256:
        temporary.unlink()
        raise Corrupt(
            f"{source.name} is not the file of the catalogue",
            hint="delete it from the cache and run `make start` again",
        )
    temporary.replace(target)
    if move:
        source.unlink(missing_ok=True)


def _renamed(source: Path, target: Path, sha256: str) -> bool:
    # A link leads to somebody else's file, and through another name of the same file it could be changed.
    if source.is_symlink() or source.stat().st_nlink != 1 or sha256_of(source) != sha256:
        return False
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    target.chmod(0o600)
    return True


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader:
        copy_of(reader, target)


def copy_of(reader: BinaryIO, target: Path) -> None:
    """Write an open file to ``target``, by reflink where the disk can, and wait until it is on the disk."""
    with target.open("wb") as writer:
        os.fchmod(writer.fileno(), 0o600)
        try:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY):
                raise
            shutil.copyfileobj(reader, writer, 1 << 22)
        writer.flush()
        os.fsync(writer.fileno())
