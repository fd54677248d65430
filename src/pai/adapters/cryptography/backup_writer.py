"""Writing a backup into its folder: chunks first, the backup's own folder by one rename at the end.

Whatever is cut off before that rename leaves chunks that the next backup uses or nobody refers to, never half a backup.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import msgspec

from pai.adapters.cryptography.age import Sealing
from pai.adapters.cryptography.backup_pieces import (
    BACKUPS,
    CHUNK_BYTES,
    CHUNKS,
    DATABASE_CHUNK_BYTES,
    HEAD,
    MARKER,
    MARKER_TEXT,
    VERSION,
    Head,
    Kept,
    Manifest,
    Part,
    Referred,
    Unlocked,
    chunk_secret,
    is_place,
    seal_chunk,
)
from pai.adapters.cryptography.files import disk_errors, sweep, sync_folder, write_whole
from pai.adapters.cryptography.segments import encrypt_segments
from pai.core.operations.values import BackupBegun
from pai.foundation.errors import Conflict, Unsupported, Usage
from pai.foundation.time import to_text

PARTIAL: Final = ".partial-"
KEYS_FOLDER: Final = "keys"
_WHAT: Final = "the folder of backups"


@dataclass(slots=True)
class Counts:
    """What was written so far; sizes in bytes, ``stored`` counts only what was not there before."""

    files: int = 0
    bytes: int = 0
    chunks: int = 0
    new_chunks: int = 0
    stored: int = 0


@dataclass(slots=True)
class BackupWriter:
    """Writes one backup into ``folder``. Use it as a context manager: it holds the folder's lock. ``progress`` is told counts."""

    folder: Path
    begun: BackupBegun
    sealing: Sealing
    keys_sealing: Sealing
    progress: Callable[[Counts], None]
    kept_until: str | None = None
    counts: Counts = field(default_factory=Counts)
    _lock: int = -1
    _head: Head | None = None

    def __enter__(self) -> Self:
        with disk_errors(_WHAT):
            prepare(self.folder)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(self._lock)
                raise Conflict(
                    "another backup is being written there", code="backup_running", hint="wait for its end"
                ) from None
            for left in (self.folder / BACKUPS).glob(f"{PARTIAL}*"):
                shutil.rmtree(left)
            for place in (self.folder / CHUNKS).iterdir():
                sweep(place)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        os.close(self._lock)

    @property
    def _partial(self) -> Path:
        return self.folder / BACKUPS / f"{PARTIAL}{self.begun.id}"

    def write(self, home: Path, referred: Mapping[str, tuple[int, str]]) -> str:
        """Write everything below ``home`` but the head; return the digest to be signed. Files in ``referred`` (path -> size,
        SHA-256) are told by their hash. Raises Unavailable (``disk_full``), Unsupported for a file name that no home has."""
        with disk_errors(_WHAT):
            return self._write(home, referred)

    def _write(self, home: Path, referred: Mapping[str, tuple[int, str]]) -> str:
        self._partial.mkdir(mode=0o700)
        secret, files, told, keys = chunk_secret(self.begun.secret), [], [], {}
        for path in sorted(path for path in home.rglob("*") if path.is_file()):
            name = path.relative_to(home).as_posix()
            if not is_place(name):
                raise Unsupported(
                    f"the home holds a file that no backup can name: {name[:100]!r}", hint="move it elsewhere"
                )
            if name in referred:
                told.append(Referred(name, *referred[name]))
            elif name.startswith(f"{KEYS_FOLDER}/"):
                keys[name] = path.read_bytes()
            else:
                files.append(self._file(path, name, secret))
        manifest_key = os.urandom(32)
        unlock = msgspec.json.encode(Unlocked(self.begun.secret.reveal(), manifest_key))
        manifest = msgspec.json.encode(Manifest(tuple(files), tuple(told)))
        names = sorted({chunk for file in files for _, chunk in file.chunks})
        parts = {
            "unlock.age": self._part("unlock.age", [self.sealing.seal(unlock)]),
            "manifest.sealed": self._part(
                "manifest.sealed", encrypt_segments(manifest_key, [manifest], context=f"backup:{self.begun.id}")
            ),
            "keys.age": self._part("keys.age", [self.keys_sealing.seal(msgspec.json.encode(keys))]),
            "chunks.list": self._part("chunks.list", ["".join(f"{name}\n" for name in names).encode()]),
        }
        self._head = Head(
            format="pai-backup", version=VERSION, id=self.begun.id, at=to_text(self.begun.at), kept_until=self.kept_until,
            files=len(files) + len(told) + len(keys), bytes=self.counts.bytes, parts=parts, signer=self.begun.signer.hex(),
        )  # fmt: skip
        return self._head.digest()

    def commit(self, signature: bytes) -> Path:
        """Write the signed head and give the backup its name. From here on it exists; returns its folder."""
        if self._head is None:
            raise RuntimeError("nothing was written yet")
        signed = msgspec.structs.replace(self._head, signature=signature.hex())
        final = self.folder / BACKUPS / self.begun.id
        with disk_errors(_WHAT):
            write_whole(self._partial / HEAD, [msgspec.json.format(msgspec.json.encode(signed), indent=1) + b"\n"])
            sync_folder(self.folder / CHUNKS)
            self._partial.rename(final)
            sync_folder(final.parent)
        return final

    def _part(self, name: str, pieces: Iterator[bytes] | list[bytes]) -> Part:
        size, digest = 0, hashlib.sha256()

        def counted() -> Iterator[bytes]:
            nonlocal size
            for piece in pieces:
                size += len(piece)
                digest.update(piece)
                yield piece

        write_whole(self._partial / name, counted())
        return Part(size, digest.hexdigest())

    def _file(self, path: Path, name: str, secret: bytes) -> Kept:
        digest, size, chunks = hashlib.sha256(), 0, []
        step = DATABASE_CHUNK_BYTES if path.suffix == ".db" else CHUNK_BYTES
        with path.open("rb") as source:
            while piece := source.read(step):
                digest.update(piece)
                size += len(piece)
                chunks.append(self._chunk(secret, piece))
        self.counts.files += 1
        self.counts.bytes += size
        self.progress(self.counts)
        return Kept(name, size, digest.hexdigest(), tuple(chunks))

    def _chunk(self, secret: bytes, piece: bytes) -> tuple[str, str]:
        digest, sealed = seal_chunk(secret, piece)
        name = hashlib.sha256(sealed).hexdigest()
        path = self.folder / CHUNKS / name[:2] / name
        self.counts.chunks += 1
        # A chunk appears by a rename after its fsync, so one of this name and size is whole; whether it still is, `verify` tells.
        if not path.exists() or path.stat().st_size != len(sealed):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, [sealed])
            self.counts.new_chunks += 1
            self.counts.stored += len(sealed)
        return digest, name


def prepare(folder: Path) -> None:
    """Make ``folder`` a folder of backups, or check that it is one. Raises Usage for a folder that holds something else."""
    marker = folder / MARKER
    if not marker.exists():
        if folder.exists() and (
            not folder.is_dir() or any(one.name != "lock" and MARKER not in one.name for one in folder.iterdir())
        ):
            raise Usage(
                f"{folder} holds other things than backups of PAI",
                code="not_a_backup",
                hint="give a new or empty folder",
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(marker, [MARKER_TEXT])
    check_marker(folder)
    for name in (CHUNKS, BACKUPS):
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def check_marker(folder: Path) -> None:
    """Raise Usage when ``folder`` is no folder of backups that this program reads."""
    try:
        found = (folder / MARKER).read_bytes()
    except OSError:
        raise Usage(
            f"{folder} is no folder of PAI's backups", code="not_a_backup", hint="give the DEST of `pai backup create`"
        ) from None
    if found != MARKER_TEXT:
        raise Usage(
            f"{folder / MARKER} was changed, or belongs to another version of PAI", code="not_a_backup",
            hint=f"it should hold {MARKER_TEXT.decode().strip()}",
        )  # fmt: skip
