"""Encrypted originals: one file per blob beside its collection's database (see ``segments`` for the format)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from pai.adapters.cryptography.files import MARK, disk_errors, sweep, sync_folder, write_whole
from pai.adapters.cryptography.segments import decrypt_segments, encrypt_segments
from pai.foundation.errors import Invalid, NotFound
from pai.foundation.redaction import Secret

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")


class SealedOriginals:
    """Implements ``core.knowledge.ports.Originals`` under ``<home>/collections/<collection id>/blobs/<blob id>``, and
    ``core.files.ports.Blobs`` under ``<home>/files/<user id>/blobs/<blob id>`` with that ``folder``."""

    def __init__(self, home: Path, folder: str = "collections") -> None:
        self._collections = home / folder

    def write(self, collection_id: str, blob_id: str, key: Secret, data: Iterable[bytes]) -> tuple[int, str]:
        """Encrypt a stream; return (bytes, SHA-256 hex of the plaintext).

        The final name appears only when all is on disk. Raises Unavailable when the disk is full (``disk_full``) or fails.
        """
        path = self._path(collection_id, blob_id)
        count = 0
        digest = hashlib.sha256()

        def counted() -> Iterator[bytes]:
            nonlocal count
            for piece in data:
                count += len(piece)
                digest.update(piece)
                yield piece

        with disk_errors("the store of originals"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, encrypt_segments(key.reveal(), counted(), context=_context(collection_id, blob_id)))
        return count, digest.hexdigest()

    def read(self, collection_id: str, blob_id: str, key: Secret) -> Generator[bytes, None, None]:
        """Decrypt; closing the iterator closes the file.

        Raises NotFound at once, Corrupt on truncation, reordering or any flipped bit before the end is reached.
        """
        path = self._path(collection_id, blob_id)
        with disk_errors("the original of this document"):
            try:
                source = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
            except FileNotFoundError:
                raise NotFound("the original of this document is not there", hint="restore it from a backup") from None
        pieces = _read(source, key, _context(collection_id, blob_id))
        # Begun here: one that is never taken would otherwise not close its file, since it had not come to hold it.
        next(pieces)
        return pieces

    def remove(self, collection_id: str, blob_id: str) -> None:
        """Delete a blob; one that is not there is no error."""
        path = self._path(collection_id, blob_id)
        with disk_errors("the store of originals"):
            if path.exists():
                path.unlink(missing_ok=True)
                sync_folder(path.parent)

    def blob_ids(self, collection_id: str) -> Sequence[str]:
        """Return the ids of all whole blobs, sorted; temporary files are not listed."""
        folder = self._folder(collection_id)
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if MARK not in path.name and _NAME.match(path.name))

    def sweep(self, collection_id: str) -> None:
        """Remove what writes that were cut off by a crash left behind. Call only while nothing is being written."""
        folder = self._folder(collection_id)
        if folder.is_dir():
            sweep(folder)

    def sweep_all(self) -> None:
        """As ``sweep``, for every collection: at the start of the one process that writes here."""
        for folder in self._collections.glob("*/blobs"):
            sweep(folder)

    def _folder(self, collection_id: str) -> Path:
        return self._collections / _checked(collection_id) / "blobs"

    def _path(self, collection_id: str, blob_id: str) -> Path:
        return self._folder(collection_id) / _checked(blob_id)


def _read(source: BinaryIO, key: Secret, context: str) -> Generator[bytes, None, None]:
    with source, disk_errors("the original of this document"):
        yield b""
        yield from decrypt_segments(key.reveal(), source, context=context)


def _context(collection_id: str, blob_id: str) -> str:
    return f"original:{collection_id}/{blob_id}"


def _checked(name: str) -> str:
    # Only such names reach the file system: no separator, no dot, no empty name, so no way out of the folder.
    if not _NAME.match(name):
        raise Invalid("an identifier of a stored file has an unexpected form", code="bad_identifier")
    return name
