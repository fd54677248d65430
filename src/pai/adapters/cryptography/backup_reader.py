"""Reading a folder of backups: what is in it, and whether every byte of it is what was written.

Hashes and signatures are checked without any key. With what opens a backup its contents are decrypted and compared as well.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pai.adapters.cryptography.age import Opening
from pai.adapters.cryptography.backup_pieces import (
    BACKUPS,
    CHUNKS,
    HEAD,
    HEX,
    Head,
    Kept,
    Manifest,
    Unlocked,
    chunk_secret,
    open_chunk,
    read_head,
    read_manifest,
)
from pai.adapters.cryptography.backup_writer import check_marker
from pai.adapters.cryptography.files import MARK, disk_errors
from pai.adapters.cryptography.segments import decrypt_segments
from pai.adapters.cryptography.signatures import verify_signature
from pai.core.operations.values import SIGNED_AS
from pai.foundation.errors import Corrupt, NotFound, PaiError
from pai.foundation.ids import is_id
from pai.foundation.redaction import Secret

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Damage:
    """A file of the folder that is not what was written. ``backups`` are those that need it, ``files`` what it holds of the home,
    known only when the backup could be opened."""

    file: str
    problem: str
    backups: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup whose seal was opened. ``secret`` is what the keys of its chunks are made with."""

    head: Head
    manifest: Manifest
    secret: bytes


@dataclass(frozen=True, slots=True)
class BackupFolder:
    """A folder of backups. Raises Usage when it is none."""

    path: Path

    def __post_init__(self) -> None:
        check_marker(self.path)

    def ids(self) -> list[str]:
        """Return the backups, oldest first."""
        return sorted(one.name for one in (self.path / BACKUPS).iterdir() if is_id(one.name, "bak"))

    def chosen(self, wanted: str | None) -> str:
        """Return the id of the backup that is meant; the newest for None. Raises NotFound."""
        found = self.ids()
        if not found or (wanted is not None and wanted not in found):
            raise NotFound(
                f"there is no backup {wanted or ''} in {self.path}".replace("  ", " "),
                hint="see `pai backup verify DEST`",
            )
        return wanted or found[-1]

    def head(self, backup: str) -> Head:
        """Return a backup's head, its signature checked against the key that it names. Raises Corrupt."""
        head = read_head(_bytes(self.path / BACKUPS / backup / HEAD))
        text = f"{SIGNED_AS}\n{head.digest()}\n".encode()
        try:
            good = head.id == backup and verify_signature(
                bytes.fromhex(head.signer), text, bytes.fromhex(head.signature)
            )
        except ValueError:
            good = False
        if not good:
            raise Corrupt("the signature of the head does not hold")
        return head

    def part(self, head: Head, name: str, place: Path | None = None) -> bytes:
        """Return a part whose hash is the one that the head names. ``place`` is where it lies instead. Raises Corrupt."""
        data = _bytes(place or self.path / BACKUPS / head.id / name)
        told = head.parts[name]
        if len(data) != told.size or hashlib.sha256(data).hexdigest() != told.sha256:
            raise Corrupt(
                f"{name} is not what was written", hint="it was changed, cut short, or belongs to another backup"
            )
        return data

    def open(self, backup: str, opening: Opening) -> Opened:
        """Open a backup's seal and read its manifest. Raises Corrupt, Unauthenticated (``wrong_backup_key``)."""
        head = self.head(backup)
        try:
            unlocked = msgspec.json.decode(opening.open(self.part(head, "unlock.age")), type=Unlocked)
        except msgspec.MsgspecError:
            raise Corrupt("unlock.age cannot be understood") from None
        sealed = io.BytesIO(self.part(head, "manifest.sealed"))
        manifest = read_manifest(b"".join(decrypt_segments(unlocked.manifest, sealed, context=f"backup:{head.id}")))

        return Opened(head, manifest, chunk_secret(Secret(unlocked.secret)))

    def content(self, opened: Opened, file: Kept) -> Iterator[bytes]:
        """Yield a file's content chunk by chunk, each authenticated; at the end the whole is what was backed up.

        Raises Corrupt, which names the chunk.
        """
        digest, size = hashlib.sha256(), 0
        for plain, name in file.chunks:
            try:
                piece = open_chunk(opened.secret, plain, _bytes(self.path / CHUNKS / name[:2] / name))
            except Corrupt as error:
                raise Corrupt(
                    f"{CHUNKS}/{name[:2]}/{name}, which holds a part of {file.path}, is missing or was changed",
                    hint="restore another backup; see `pai backup verify DEST`",
                ) from error
            digest.update(piece)
            size += len(piece)
            yield piece
        if size != file.size or digest.hexdigest() != file.sha256:
            raise Corrupt(f"{file.path} is not what was backed up", hint="restore another backup")

    def verify(self, opening: Opening | None, progress: Callable[[int, int], None]) -> tuple[list[Damage], int]:
        """Return what is damaged in the whole folder, and how many bytes were read. ``progress`` is told (chunks done, chunks).

        Raises Unauthenticated when ``opening`` opens none of the backups.
        """
        damaged: list[Damage] = []
        needs: dict[str, list[str]] = defaultdict(list)
        holds: dict[str, set[str]] = defaultdict(set)
        read = 0
        for backup in self.ids():
            found, size = self._verify_parts(backup, needs)
            damaged += found
            read += size
        if opening is not None:
            damaged += self._verify_opened(opening, holds)
        # What is being written, or a crash left, belongs to no backup.
        there = sorted(path for path in self.path.glob(f"{CHUNKS}/*/*") if MARK not in path.name)
        for done, path in enumerate(there):
            place = path.relative_to(self.path).as_posix()
            size, digest = _hash(path)
            read += size
            if digest != path.name or path.parent.name != path.name[:2]:
                problem = "it is not what was written"
                damaged.append(Damage(place, problem, tuple(needs[path.name]), tuple(sorted(holds[path.name]))))
            progress(done + 1, len(there))
        present = {path.name for path in there}
        damaged += [
            Damage(f"{CHUNKS}/{name[:2]}/{name}", "it is missing", tuple(backups), tuple(sorted(holds[name])))
            for name, backups in sorted(needs.items())
            if name not in present and backups
        ]
        return damaged, read

    def _verify_parts(self, backup: str, needs: dict[str, list[str]]) -> tuple[list[Damage], int]:
        place = f"{BACKUPS}/{backup}"
        try:
            head = self.head(backup)
        except PaiError as error:
            return [Damage(f"{place}/{HEAD}", error.message, (backup,))], 0
        damaged, read = [], (self.path / place / HEAD).stat().st_size
        for name, told in head.parts.items():
            try:
                data = self.part(head, name)
            except PaiError as error:
                away = name == "keys.age" and not (self.path / place / name).exists()
                if not away:  # the part with the keys may be kept elsewhere
                    damaged.append(Damage(f"{place}/{name}", error.message, (backup,)))
                continue
            read += told.size
            if name == "chunks.list":
                for chunk in data.decode("ascii", "replace").splitlines():
                    if HEX.match(chunk):
                        needs[chunk].append(backup)
        return damaged, read

    def _verify_opened(self, opening: Opening, holds: dict[str, set[str]]) -> list[Damage]:
        damaged: list[Damage] = []
        refused: PaiError | None = None
        opened_any = False
        for backup in self.ids():
            try:
                opened = self.open(backup, opening)
            except Corrupt:
                continue  # told with its parts
            except PaiError as error:
                refused = error
                continue
            opened_any = True
            for file in opened.manifest.files:
                for _, name in file.chunks:
                    holds[name].add(file.path)
                try:
                    for _ in self.content(opened, file):
                        pass
                except Corrupt as error:
                    if file.path in error.message and error.message.startswith(file.path):
                        damaged.append(Damage(f"{BACKUPS}/{backup}", error.message, (backup,), (file.path,)))
        if refused is not None and not opened_any:
            raise refused
        return damaged


def _bytes(path: Path) -> bytes:
    with disk_errors("the folder of backups"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise Corrupt(f"{path.name} is missing", hint="it was removed, or lies elsewhere") from None


def _hash(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with disk_errors("the folder of backups"), path.open("rb") as file:
        while piece := file.read(_BLOCK):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
