"""Secrets in files: readable by their owner alone, one trailing newline stripped."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from pai.foundation.errors import Usage
from pai.foundation.redaction import Secret

MAX_SECRET: Final = 64 * 1024


def read_secret_file(path: Path, what: str) -> Secret:
    """Return the secret in a file without its one trailing newline.

    Raises Usage when it is no plain file, when others may read it, or when it is empty or larger than 64 KiB. The mode
    is that of the descriptor which is then read, so the file cannot be exchanged in between.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise Usage(f"the {what} file {path} cannot be read: {error.strerror}", code="secret_file") from None
    try:
        text = _read(fd, path, what)
    finally:
        os.close(fd)
    if len(text) > MAX_SECRET:
        raise Usage(f"the {what} file {path} is larger than 64 KiB", code="secret_file")
    text = text.removesuffix(b"\n")
    if not text:
        raise Usage(f"the {what} file {path} is empty", code="secret_file")
    return Secret(text)


def _read(fd: int, path: Path, what: str) -> bytes:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise Usage(f"the {what} file {path} is not a plain file", code="secret_file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o177:
        raise Usage(
            f"the {what} file {path} has mode {mode:04o}, wider than 0600",
            code="secret_file_open",
            hint=f"run: chmod 600 {path}",
        )
    pieces = []
    while piece := os.read(fd, MAX_SECRET):
        pieces.append(piece)
        if len(pieces) > 2:
            break
    return b"".join(pieces)
