"""Units of work over the main database and the sealed files: one writer thread, a few readers."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Connection, Engine, create_engine, exc, text
from sqlalchemy.pool import StaticPool

from pai.adapters.storage.audit_rows import AuditKeys, AuditRows
from pai.adapters.storage.cipher import connect, translated
from pai.adapters.storage.collection_file import CollectionFile, VectorIndex
from pai.adapters.storage.conversation_file import ConversationFile
from pai.adapters.storage.identity_rows import UserRows, WrapRows
from pai.adapters.storage.knowledge_rows import CollectionRows, ModelRows, SubjectRows
from pai.adapters.storage.migrate import migrate
from pai.adapters.storage.sealed_files import COLLECTION_SCHEMA, CONVERSATIONS_SCHEMA, SealedFile
from pai.foundation.errors import Invalid, Unavailable
from pai.foundation.ids import is_id
from pai.foundation.redaction import Secret

Result = TypeVar("Result")
OPEN_FILES = 8
READERS = 2


class _Lane:
    """One thread's connection to the main database and its cache of open sealed files."""

    def __init__(self, path: Path, key: Secret, *, read_only: bool) -> None:
        self.read_only = read_only
        self.engine: Engine = create_engine(
            "sqlite://", module=sqlcipher, poolclass=StaticPool, creator=lambda: connect(path, key, read_only=read_only)
        )
        self.files: OrderedDict[Path, SealedFile] = OrderedDict()
        self.indexes: dict[Path, VectorIndex] = {}

    def file(self, path: Path, key: Secret, schema: tuple[tuple[str, ...], ...]) -> SealedFile:
        held = self.files.get(path)
        if held is not None and held.opens_with(key) and path.exists():
            self.files.move_to_end(path)
            return held
        if held is not None:
            self.forget(path)
        # Opening anew checks the key against the file: a wrong key cannot ride on somebody's cached connection.
        opened = SealedFile(path, key, schema, read_only=self.read_only)
        self.files[path] = opened
        while len(self.files) > OPEN_FILES:
            self.forget(next(iter(self.files)))
        return opened

    def forget(self, path: Path) -> None:
        held = self.files.pop(path, None)
        self.indexes.pop(path, None)
        if held is not None:
            held.rollback()
            held.close()

    def close(self) -> None:
        for path in list(self.files):
            self.forget(path)
        self.engine.dispose()


class UnitOfWork:
    """Repositories over one transaction. Sealed files commit first, the main database (with the audit log) last."""

    def __init__(self, connection: Connection, lane: _Lane, home: Path, audit: AuditKeys, recovered: set[str]) -> None:
        self._lane = lane
        self._home = home
        self._recovered = recovered
        self._touched: list[SealedFile] = []
        self._doomed: list[str] = []
        self.users = UserRows(connection)
        self.wraps = WrapRows(connection)
        self.collections = CollectionRows(connection)
        self.subjects = SubjectRows(connection)
        self.models = ModelRows(connection)
        self.audit = AuditRows(connection, audit)

    def _open(self, path: Path, key: Secret, schema: tuple[tuple[str, ...], ...]) -> SealedFile:
        file = self._lane.file(path, key, schema)
        if not self._lane.read_only and file not in self._touched:
            file.begin()
            self._touched.append(file)
        return file

    def open_collection(self, collection_id: str, key: Secret) -> CollectionFile:
        """Open (or create) a collection's file. On its first writing use, documents without a main row are removed."""
        path = self._home / "collections" / _checked(collection_id, "col") / "content.db"
        file = self._open(path, key, COLLECTION_SCHEMA)
        store = CollectionFile(file, self._lane.indexes.setdefault(path, VectorIndex()))
        if not self._lane.read_only and collection_id not in self._recovered:
            known = {document.id for document in self.collections.documents(collection_id)}
            for document_id in store.document_ids():
                if document_id not in known:
                    store.remove_document(document_id)
            self._recovered.add(collection_id)
        return store

    def open_conversations(self, user_id: str, key: Secret) -> ConversationFile:
        """Open (or create) a member's conversations."""
        path = self._home / "conversations" / f"{_checked(user_id, 'usr')}.db"
        return ConversationFile(self._open(path, key, CONVERSATIONS_SCHEMA))

    def destroy_collection(self, collection_id: str) -> None:
        """Delete the collection's folder after this unit has committed."""
        self._doomed.append(_checked(collection_id, "col"))

    def commit_files(self) -> None:
        """Commit the sealed files of this unit."""
        for file in self._touched:
            file.commit()

    def rollback_files(self) -> None:
        """Undo what was done to the sealed files of this unit."""
        for file in self._touched:
            file.rollback()

    def delete_doomed(self) -> list[Path]:
        """Delete the folders of destroyed collections; return their database paths."""
        paths = []
        for collection_id in self._doomed:
            folder = self._home / "collections" / collection_id
            self._lane.forget(folder / "content.db")
            shutil.rmtree(folder, ignore_errors=True)
            paths.append(folder / "content.db")
        return paths


def _checked(value: str, prefix: str) -> str:
    # Ids become paths: only the exact form of our own ids does.
    if not is_id(value, prefix):
        raise Invalid("not an identifier", code="bad_id")
    return value


class Storage:
    """Implements ``core.ports.work.Work``. Only one process ever writes a home: it holds the home's lock."""

    def __init__(self, home: Path, key: Secret, audit: AuditKeys) -> None:
        self._home = home
        self._path = home / "db" / "main.db"
        self._key = key
        self._audit = audit
        self._recovered: set[str] = set()
        self._failed: str | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")
        self._local = threading.local()
        self._lanes: list[_Lane] = []

    def migrate(self) -> None:
        """Bring the main database to this program's schema, after a copy. Raises Unavailable for a newer one."""
        self._writer.submit(migrate, self._path, self._key).result()

    def _lane(self, *, read_only: bool) -> _Lane:
        lane: _Lane | None = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = _Lane(self._path, self._key, read_only=read_only)
            self._lanes.append(lane)
        return lane

    def _work(self, job: Callable[[UnitOfWork], Result], *, read_only: bool) -> Result:
        if self._failed and not read_only:
            raise Unavailable(
                f"storage is read-only after a failed write: {self._failed}", code="read_only", hint="restart PAI"
            )
        lane = self._lane(read_only=read_only)
        try:
            with lane.engine.connect() as connection:
                connection.execute(text("BEGIN" if read_only else "BEGIN IMMEDIATE"))
                return self._in_unit(job, connection, lane)
        except exc.DBAPIError as error:
            if "i/o" in str(error).lower():
                self._failed = "input/output error"  # a failed fsync must never be retried: the page cache may lie
            raise translated(error.orig or error, self._path) from error
        except sqlcipher.DatabaseError as error:
            raise translated(error, self._path) from error

    def _in_unit(self, job: Callable[[UnitOfWork], Result], connection: Connection, lane: _Lane) -> Result:
        unit = UnitOfWork(connection, lane, self._home, self._audit, self._recovered)
        try:
            result = job(unit)
            unit.commit_files()
            connection.execute(text("COMMIT"))
        except BaseException:
            unit.rollback_files()
            if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                connection.execute(text("ROLLBACK"))
            raise
        unit.delete_doomed()
        return result

    def run_sync(self, job: Callable[[Any], Result]) -> Result:
        """Run storage work in the writer thread and wait. Refused on an event loop's thread, which must not block."""
        _refuse_event_loop()
        return self._writer.submit(self._work, job, read_only=False).result()

    async def run(self, job: Callable[[Any], Result]) -> Result:
        """Run storage work in the writer thread; durable when it returns."""
        future = self._writer.submit(self._work, job, read_only=False)
        # Shielded: a client that goes away must not leave the writer's result unobserved in the middle of a commit.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def read(self, job: Callable[[Any], Result]) -> Result:
        """Run reading work in a reader thread."""
        return await asyncio.wrap_future(self._readers.submit(self._work, job, read_only=True))

    def close(self) -> None:
        """Finish what is running and close all files."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        for lane in self._lanes:
            lane.close()


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("storage work on the event loop: use `await work.run(...)`")
