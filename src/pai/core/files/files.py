"""A member's own files: handed over, listed, read, deleted. Bytes are encrypted as they come and never lie in memory whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pai.core.conversations.own_file import OwnFile
from pai.core.files.events import FileAdded, FileDeleted, FileRead, FilesListed
from pai.core.files.ports import Blobs, FileStore, FilesUnit
from pai.core.files.values import File, Use
from pai.core.knowledge.ingest import plain_name
from pai.core.knowledge.ports import DiskSpace
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid, NotFound
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

LABEL: Final = Label.CONFIDENTIAL
MOST_FILES: Final = 10_000
Seal = Callable[[Actor, Secret, str, Iterable[bytes], Callable[[], Use]], Awaitable[File]]
"""Encrypts a file of an actor with a key, and returns what its row will be."""


@dataclass(frozen=True, slots=True)
class Files:
    """Use cases on files. Nobody else's can be named: they are found by the actor's id."""

    work: Work[FilesUnit]
    own: OwnFile
    policy: Policy
    blobs: Blobs
    disk: DiskSpace
    arriving: set[str] = field(default_factory=set)
    """Blobs that are written now and have no row yet."""

    async def add(self, actor: Actor, name: str, data: Iterable[bytes], use: Callable[[], Use]) -> File:
        """Encrypt a file and keep it. What it is for is asked when all of it is in, since clients may tell that last.

        Raises Invalid, Denied (``locked``), Unavailable (``disk_full``); then nothing was kept.
        """
        self._decide(actor)
        self.disk.require()
        key = await self.work.run(lambda unit: self._key(unit, actor))
        await self._sweep(actor, key)

        def given() -> Use:
            told = use()
            if told is Use.BATCH_OUTPUT:
                hint = "send purpose=user_data"
                raise Invalid("files of this purpose are written by PAI", code="bad_purpose", hint=hint)
            return told

        return await self.keep(actor, key, name, data, given)

    async def keep(self, actor: Actor, key: Secret, name: str, data: Iterable[bytes], use: Callable[[], Use]) -> File:
        """Keep a file with a key that is open already."""
        async with self.sealing() as seal:
            file = await seal(actor, key, name, data, use)
            await self.work.run(lambda unit: self.enter(unit, actor, key, file))
        return file

    @contextlib.asynccontextmanager
    async def sealing(self) -> AsyncIterator[Seal]:
        """Give what encrypts files that ``enter`` keeps, before this is left; should that fail, none of their bytes stay."""
        made: list[tuple[str, str]] = []

        async def seal(actor: Actor, key: Secret, name: str, data: Iterable[bytes], use: Callable[[], Use]) -> File:
            blob_id = new_id("blb")
            self.arriving.add(blob_id)
            made.append((actor.id, blob_id))
            size, digest = await asyncio.to_thread(self.blobs.write, actor.id, blob_id, key, data)
            return File(new_id("file"), actor.id, plain_name(name), use(), blob_id, size, digest, self.own.clock.now())

        try:
            yield seal
        except Exception:
            for owner, blob_id in made:
                await asyncio.to_thread(self.blobs.remove, owner, blob_id)
            raise
        finally:
            # Cut off by a client that went away, the row may be there or not: bytes without one go at the next upload.
            self.arriving.difference_update(blob_id for _, blob_id in made)

    def enter(self, unit: FilesUnit, actor: Actor, key: Secret, file: File) -> None:
        """Keep the row of a file whose bytes are sealed."""
        unit.open_files(actor.id, key).put(file)
        unit.audit.record(actor, FileAdded(resource=ref_of(file), label=file.label, bytes=file.size))

    async def list(self, actor: Actor, use: Use | None = None) -> Sequence[File]:
        """Return one's files, oldest first. Raises Denied (``locked``)."""
        self._decide(actor)

        def look(unit: FilesUnit) -> Sequence[File]:
            store = self._open(unit, actor)
            found = [one for one in store.list() if use in (None, one.use)] if store is not None else []
            resource = ResourceRef("files", actor.id, actor.id, LABEL)
            unit.audit.record(actor, FilesListed(resource=resource, label=LABEL, files=len(found)))
            return found

        return await self.work.run(look)

    async def get(self, actor: Actor, file_id: str) -> File:
        """Return a file without its bytes. Raises NotFound, Denied."""
        self._decide(actor)

        def look(unit: FilesUnit) -> File:
            file = self._found(unit, actor, file_id)[1]
            unit.audit.record(actor, FilesListed(resource=ref_of(file), label=file.label, files=1))
            return file

        return await self.work.run(look)

    async def content(self, actor: Actor, file_id: str) -> tuple[File, Generator[bytes, None, None]]:
        """Return a file and its bytes, to be taken in a thread and closed. Raises NotFound, Denied; Corrupt while they are taken."""
        self._decide(actor)

        def look(unit: FilesUnit) -> tuple[File, Secret]:
            _, file, key = self._found(unit, actor, file_id)
            unit.audit.record(actor, FileRead(resource=ref_of(file), label=file.label))
            return file, key

        file, key = await self.work.run(look)
        return file, self.blobs.read(actor.id, file.blob_id, key)

    async def delete(self, actor: Actor, file_id: str) -> None:
        """Delete a file. What was made from it (documents, answers) stays. Raises NotFound, Denied."""
        self._decide(actor)

        def write(unit: FilesUnit) -> File:
            store, file, _ = self._found(unit, actor, file_id)
            store.delete(file.id)
            unit.audit.record(actor, FileDeleted(resource=ref_of(file), label=file.label))
            return file

        file = await self.work.run(write)
        await asyncio.to_thread(self.blobs.remove, actor.id, file.blob_id)

    def _decide(self, actor: Actor) -> None:
        self.policy.decide(actor, Permission.FILES, ResourceRef("files", actor.id, actor.id, LABEL))

    def _key(self, unit: FilesUnit, actor: Actor) -> Secret:
        key, fresh = self.own.key_or_new(unit, actor)
        if len(unit.open_files(actor.id, key, fresh=fresh).list()) >= MOST_FILES:
            raise Invalid(f"an account keeps at most {MOST_FILES} files", code="too_many_files", hint="delete some")
        return key

    def _open(self, unit: FilesUnit, actor: Actor) -> FileStore | None:
        key = self.own.key(unit, actor)
        return unit.open_files(actor.id, key) if key is not None else None

    def _found(self, unit: FilesUnit, actor: Actor, file_id: str) -> tuple[FileStore, File, Secret]:
        key = self.own.key(unit, actor)
        store = unit.open_files(actor.id, key) if key is not None else None
        file = store.get(file_id) if store is not None else None
        if key is None or store is None or file is None:
            raise NotFound("no such file")
        self.policy.decide(actor, Permission.FILES, ref_of(file))
        return store, file, key

    async def _sweep(self, actor: Actor, key: Secret) -> None:
        """Remove bytes that a crash left without a row."""
        stored = await asyncio.to_thread(self.blobs.blob_ids, actor.id)
        # In this order: what is written meanwhile is either arriving still, or has its row when they are read.
        arriving = set(self.arriving)
        rows = await self.work.read(lambda unit: {file.blob_id for file in unit.open_files(actor.id, key).list()})
        for blob_id in set(stored) - rows - arriving:
            with contextlib.suppress(NotFound):
                await asyncio.to_thread(self.blobs.remove, actor.id, blob_id)


def ref_of(file: File) -> ResourceRef:
    """Return the file as policy sees it."""
    return ResourceRef("file", file.id, file.owner_id, file.label)


@contextlib.contextmanager
def closing(data: Generator[bytes, None, None]) -> Iterator[None]:
    """Close what ``content`` gave when this is left."""
    try:
        yield
    finally:
        # In the hands of a thread that cannot be stopped it is closed when that thread is done with it.
        with contextlib.suppress(ValueError):
            data.close()
