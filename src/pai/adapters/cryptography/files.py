"""Files written whole or not at all, readable by their owner only."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from pai.foundation.errors import Unavailable

MARK = ".tmp-"


@contextlib.contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn what the disk refuses into an error that a person can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                "the disk is full", code="disk_full", hint="free some space; nothing acknowledged was lost"
            ) from error
        raise Unavailable(
            f"{what} cannot be used: {error.strerror}", code="storage", hint="check the mode of the home and its disk"
        ) from error


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write ``pieces`` to ``path`` (mode 0600): temporary name, fsync, rename, fsync of the folder.

    After a crash at any moment ``path`` holds either what it held before or all of ``pieces``. A failure removes
    the temporary file.
    """
    temporary = path.with_name(f"{path.name}{MARK}{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # also on KeyboardInterrupt: no half-written file stays
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove temporary files that a crash left in ``folder``."""
    for path in folder.glob(f"*{MARK}*"):
        path.unlink(missing_ok=True)
