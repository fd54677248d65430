"""Bringing model files into a folder: by reflink where the disk can, by copy elsewhere; never under the final name unchecked."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from pai.foundation.errors import Corrupt, Unavailable

FICLONE = 0x40049409


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bring(source: Path, target: Path, sha256: str) -> None:
    """Put a checked copy of ``source`` at ``target``. Raises Corrupt when its hash is another, Unavailable when it is not there."""
    if target.exists() and sha256_of(target) == sha256:
        return
    if not source.exists():
        raise Unavailable(
            f"the model file {source.name} has not been fetched",
            code="model_missing",
            hint="run `make start`, or choose --models echo",
        )
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".new")
    with source.open("rb") as reader, temporary.open("wb") as writer:
        os.fchmod(writer.fileno(), 0o600)
        try:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY):
                raise
            shutil.copyfileobj(reader, writer, 1 << 22)
        writer.flush()
        os.fsync(writer.fileno())
    if sha256_of(temporary) != sha256:
        temporary.unlink()
        raise Corrupt(
            f"{source.name} is not the file of the catalogue",
            hint="delete it from the cache and run `make start` again",
        )
    temporary.replace(target)
