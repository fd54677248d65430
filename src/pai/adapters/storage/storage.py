"""Units of work over the main database and the sealed files: one writer thread, a few readers."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Connection, Engine, create_engine, event, exc, text
from sqlalchemy.pool import StaticPool

from pai.adapters.storage.approval_rows import ApprovalRows
from pai.adapters.storage.audit_rows import AuditKeys, AuditRows
from pai.adapters.storage.backup_rows import BackupRows
from pai.adapters.storage.batch_file import BatchFile, BatchRows
from pai.adapters.storage.cipher import connect, is_io_error, translated
from pai.adapters.storage.collection_file import CollectionFile, stored_ids
from pai.adapters.storage.conversation_file import ConversationFile
from pai.adapters.storage.factor_rows import FactorRows
from pai.adapters.storage.identity_rows import UserRows, WrapRows
from pai.adapters.storage.knowledge_rows import CollectionRows, ModelRows, SubjectRows
from pai.adapters.storage.member_files import MemberFiles
from pai.adapters.storage.migrate import migrate
from pai.adapters.storage.recollection import Recollection, changes
from pai.adapters.storage.response_file import ResponseFile
from pai.adapters.storage.sealed_files import BATCH_SCHEMA, COLLECTION_SCHEMA, CONVERSATIONS_SCHEMA, SealedFile
from pai.adapters.storage.sealed_rows import SealedRows
from pai.adapters.storage.vector_index import VectorIndexes
from pai.core.files.values import batch_context
from pai.foundation.errors import Invalid, Unavailable
from pai.foundation.ids import is_id
from pai.foundation.redaction import Secret

if TYPE_CHECKING:
    from pai.core.approvals.ports import ApprovalsUnit
    from pai.core.audit.ports import AuditedUnit
    from pai.core.conversations.ports import ConversationsUnit
    from pai.core.files.ports import AttachingUnit, BatchesUnit
    from pai.core.identity.ports import IdentityUnit
    from pai.core.keys.ports import KeysUnit
    from pai.core.knowledge.ports import KnowledgeUnit
    from pai.core.models.ports import ModelsUnit
    from pai.core.operations.ports import BackupsUnit, OversightUnit
    from pai.core.ports.work import Work

Result = TypeVar("Result")
OPEN_FILES = 8
READERS = 2


class _Lane:
    """One thread's connection to the main database and its cache of open sealed files. ``changed``: since it was set to False, more
    than the audit log was written."""

    def __init__(self, path: Path, key: Secret, opening: threading.RLock, *, read_only: bool) -> None:
        self.read_only = read_only
        self._opening = opening
        self.engine: Engine = create_engine(
            "sqlite://", module=sqlcipher, poolclass=StaticPool, creator=lambda: connect(path, key, read_only=read_only)
        )
        self.changed = False
        if not read_only:
            event.listen(self.engine, "before_cursor_execute", self._note)
        self.files: OrderedDict[Path, SealedFile] = OrderedDict()

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.changed = self.changed or changes(statement)

    def file(self, path: Path, key: Secret, schema: tuple[tuple[str, ...], ...]) -> SealedFile:
        held = self.files.get(path)
        if held is not None and held.opens_with(key) and path.exists() and not held.transient:
            self.files.move_to_end(path)
            return held
        with self._opening:
            # Opening anew checks the key against the file: a wrong key cannot ride on somebody's cached connection.
            opened = SealedFile(path, key, schema, read_only=self.read_only)
            self.forget(path)
            self.files[path] = opened
            idle = [other for other, file in self.files.items() if other != path and not file.db.in_transaction]
            for other in idle[: max(0, len(self.files) - OPEN_FILES)]:
                self.forget(other)
        return opened

    def forget(self, path: Path) -> None:
        with self._opening:
            held = self.files.pop(path, None)
            if held is not None:
                held.rollback()
                held.close()

    def empty_logs(self) -> None:
        """Move what the write-ahead logs hold into their files, as far as no reader needs them."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for file in self.files.values():
            file.empty_log()

    def close(self) -> None:
        for path in list(self.files):
            self.forget(path)
        self.engine.dispose()


class UnitOfWork:
    """Repositories over one transaction. Sealed files commit first, the main database (with the audit log) last."""

    def __init__(self, connection: Connection, lane: _Lane, storage: Storage) -> None:
        self._lane = lane
        self._storage = storage
        self._touched: list[SealedFile] = []
        self._stores: dict[str, CollectionFile] = {}
        self._doomed: list[str] = []
        self._after_commit: list[Callable[[], None]] = []
        self.users = UserRows(connection)
        self.factors = FactorRows(connection)
        self.wraps = WrapRows(connection)
        self.collections = CollectionRows(connection)
        self.subjects = SubjectRows(connection)
        self.models = ModelRows(connection)
        self.backups = BackupRows(connection)
        self.approvals = self.rules = ApprovalRows(connection)
        self.sealed = SealedRows(connection, storage.audit)
        self.audit = AuditRows(connection, storage.audit, self._after_commit)

    def _open(self, path: Path, key: Secret, schema: tuple[tuple[str, ...], ...]) -> SealedFile:
        file = self._lane.file(path, key, schema)
        if file not in self._touched:
            file.begin()
            self._touched.append(file)
        return file

    def open_collection(self, collection_id: str, key: Secret) -> CollectionFile:
        """Open (or create) a collection's file. On its first writing use, documents without a main row are removed; a reader
        does not see them. Raises Corrupt for a wrong key or a damaged file."""
        path = self._storage.home / "collections" / _checked(collection_id, "col") / "content.db"
        file = self._open(path, key, COLLECTION_SCHEMA)
        if collection_id in self._stores:
            return self._stores[collection_id]
        hidden: set[str] = set()
        recover = not self._lane.read_only and collection_id not in self._storage.recovered
        if recover or self._lane.read_only:
            hidden = set(stored_ids(file)) - self.collections.document_ids(collection_id)
        store = CollectionFile(file, self._storage.indexes, self.collections.get(collection_id), hidden)
        if recover:
            store.recover(hidden)
            hidden.clear()
            self._storage.recovered.add(collection_id)
        self._stores[collection_id] = store
        return store

    def open_conversations(self, user_id: str, key: Secret, *, fresh: bool = False) -> ConversationFile:
        """Open (or create) a member's conversations. Raises Corrupt for a wrong key or a damaged file.

        ``fresh``: the key was made in this very unit; a file that is there was left by one that did not commit, and is replaced.
        """
        return ConversationFile(self._own_file(user_id, key, fresh=fresh), self._empty_log)

    def open_responses(self, user_id: str, key: Secret, *, fresh: bool = False) -> ResponseFile:
        """As ``open_conversations``: the same file, its responses."""
        return ResponseFile(self._own_file(user_id, key, fresh=fresh), self._empty_log)

    def open_files(self, user_id: str, key: Secret, *, fresh: bool = False) -> MemberFiles:
        """As ``open_conversations``: the same file, the rows of the member's own files."""
        return MemberFiles(self._own_file(user_id, key, fresh=fresh), self._empty_log)

    def open_batches(self, user_id: str, key: Secret) -> BatchRows:
        """As ``open_conversations``: the same file, the rows of the member's batches."""
        return BatchRows(self._own_file(user_id, key, fresh=False))

    def open_batch(self, batch_id: str, key: Secret) -> BatchFile:
        """Open (or create) a batch's own file. Raises Corrupt for a wrong key or a damaged file."""
        return BatchFile(self._open(self._storage.batch_path(batch_id), key, BATCH_SCHEMA))

    def destroy_batch(self, batch_id: str) -> None:
        """Delete the batch's own file after this unit has committed."""
        path = self._storage.batch_path(batch_id)

        def destroy() -> None:
            self._lane.forget(path)
            _unlink(path)

        self._after_commit.append(destroy)

    def _own_file(self, user_id: str, key: Secret, *, fresh: bool) -> SealedFile:
        path = self._storage.home / "conversations" / f"{_checked(user_id, 'usr')}.db"
        if fresh:
            self._lane.forget(path)
            _unlink(path)
        return self._open(path, key, CONVERSATIONS_SCHEMA)

    def _empty_log(self, file: SealedFile) -> None:
        """Once this unit has committed, leave no copy of what was deleted in the file's write-ahead log."""

        def empty() -> None:
            try:
                file.empty_log()
            except sqlcipher.DatabaseError as error:
                self._storage.note_failure(error)  # the unit has committed: its caller must hear of success

        self._after_commit.append(empty)

    def destroy_collection(self, collection_id: str) -> None:
        """Delete the collection's folder after this unit has committed."""
        self._doomed.append(_checked(collection_id, "col"))

    def commit_files(self) -> None:
        """Commit the sealed files of this unit."""
        for file in self._touched:
            file.commit()

    def rollback(self) -> None:
        """Undo what was done to the sealed files of this unit. A file that committed already, while the main database did not,
        is looked through again at its next use."""
        self._storage.recovered.difference_update(self._stores)
        for file in self._touched:
            file.rollback()

    def settle(self) -> None:
        """Do what may only happen once the main database has committed: delete what was taken out, write checkpoint files."""
        for collection_id in self._doomed:
            folder = self._storage.home / "collections" / collection_id
            self._stores.pop(collection_id, None)
            self._lane.forget(folder / "content.db")
            self._storage.indexes.forget(folder / "content.db")
            shutil.rmtree(folder, ignore_errors=True)
        for collection_id, store in self._stores.items():
            try:
                store.settle()
            except sqlcipher.DatabaseError as error:
                # The unit has committed: its caller must hear of success. What is left is deleted at the next use.
                self._storage.recovered.discard(collection_id)
                self._storage.note_failure(error)
                store.abandon()
        for action in self._after_commit:
            action()


def _unlink(path: Path) -> None:
    """Remove a database with its log."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _checked(value: str, prefix: str) -> str:
    # Ids become paths: only the exact form of our own ids does.
    if not is_id(value, prefix):
        raise Invalid("not an identifier", code="bad_id")
    return value


class Storage:
    """Implements ``core.ports.work.Work``. Only one process ever writes a home: it holds the home's lock."""

    def __init__(self, home: Path, key: Secret, audit: AuditKeys) -> None:
        self.home = home
        self.audit = audit
        self.indexes = VectorIndexes()
        self.recollection = Recollection()
        self.recovered: set[str] = set()
        # SQLite writes to a file, whoever opens or closes it: a schema's next step, what its log held.
        self._opening = threading.RLock()
        self._path = home / "db" / "main.db"
        self._key = key
        self._failed: str | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="storage-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")
        self._local = threading.local()
        self._lanes: list[_Lane] = []

    def migrate(self) -> None:
        """Bring the main database to this program's schema, after a copy. Raises Unavailable for a newer one."""
        self._writer.submit(migrate, self._path, self._key).result()
        while self._writer.submit(self._work, lambda unit: unit.audit.complete_index(), read_only=False).result():
            pass

    def _lane(self, *, read_only: bool) -> _Lane:
        lane: _Lane | None = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = _Lane(self._path, self._key, self._opening, read_only=read_only)
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
            self.note_failure(error)
            raise translated(error.orig or error, self._path) from error
        except sqlcipher.DatabaseError as error:
            self.note_failure(error)
            raise translated(error, self._path) from error

    def note_failure(self, error: BaseException) -> None:
        """Refuse all further writes after a failed write or fsync, until the next start."""
        if is_io_error(error):
            self._failed = "input/output error"

    def _in_unit(self, job: Callable[[UnitOfWork], Result], connection: Connection, lane: _Lane) -> Result:
        unit = UnitOfWork(connection, lane, self)
        lane.changed = False
        try:
            result = job(unit)
            unit.commit_files()
            connection.execute(text("COMMIT"))
            if lane.changed:
                self.recollection.forget()
        except BaseException:
            unit.rollback()
            if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                connection.execute(text("ROLLBACK"))
            raise
        unit.settle()
        return result

    def leftover_collections(self) -> list[str]:
        """Return ids of folders without a row: a crash came between a deletion's commit and the removal of the folder. Their keys
        are gone, so their content is too."""
        rows = self.read_sync(lambda unit: {path.name: unit.collections.get(path.name) for path in self._folders()})
        return sorted(name for name, row in rows.items() if row is None)

    def batch_path(self, batch_id: str) -> Path:
        """Return where a batch's own file lies."""
        return self.home / "batches" / f"{_checked(batch_id, 'batch')}.db"

    def _remove_lost_batches(self) -> None:
        """Remove files of batches that nobody has a key for: they were never submitted whole, or their end was written."""

        def lost(unit: UnitOfWork) -> list[Path]:
            paths = (self.home / "batches").glob("batch_*.db")
            return [path for path in paths if not unit.wraps.recipients(batch_context(path.stem))]

        for path in self.read_sync(lost):
            _unlink(path)

    def remove_leftovers(self) -> list[str]:
        """Remove files of batches without a key, and the folders that ``leftover_collections`` names; return the ids of these. Call
        before anything is served."""
        self._remove_lost_batches()
        left = self.leftover_collections()
        for name in left:
            shutil.rmtree(self.home / "collections" / name, ignore_errors=True)
        return left

    def _folders(self) -> list[Path]:
        return [path for path in (self.home / "collections").glob("*") if is_id(path.name, "col")]

    def run_sync(self, job: Callable[[Any], Result]) -> Result:
        """Run storage work in the writer thread and wait. Refused on an event loop's thread, which must not block."""
        _refuse_event_loop()
        return self._writer.submit(self._work, job, read_only=False).result()

    def read_sync(self, job: Callable[[Any], Result]) -> Result:
        """Run reading work in a reader thread and wait. Refused on an event loop's thread."""
        _refuse_event_loop()
        return self._readers.submit(self._work, job, read_only=True).result()

    async def run(self, job: Callable[[Any], Result]) -> Result:
        """Run storage work in the writer thread; durable when it returns."""
        future = self._writer.submit(self._work, job, read_only=False)
        # Shielded: a client that goes away must not leave the writer's result unobserved in the middle of a commit.
        return await asyncio.shield(asyncio.wrap_future(future))

    async def read(self, job: Callable[[Any], Result]) -> Result:
        """Run reading work in a reader thread."""
        return await asyncio.wrap_future(self._readers.submit(self._work, job, read_only=True))

    async def recall(self, name: str, job: Callable[[Any], Result]) -> Result:
        """As ``read``, or what it gave under this name before, if nothing but the audit log was written since."""
        return await self.recollection.of(name, lambda: self.read(job))

    async def still(self, job: Callable[[], Result]) -> Result:
        """Run ``job`` while no database below the home changes: in the writer's thread, outside of transactions, and with nothing
        opened or closed by readers. Who reads an open file reads on."""

        def work() -> Result:
            self._lane(read_only=False).empty_logs()
            with self._opening:
                return job()

        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(work)))

    def close(self) -> None:
        """Finish what is running and close all files."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        for lane in self._lanes:
            lane.close()


if TYPE_CHECKING:

    def _fits_every_room(unit: UnitOfWork) -> tuple[
        KnowledgeUnit, IdentityUnit, ConversationsUnit, ModelsUnit, KeysUnit, AuditedUnit, AttachingUnit, BatchesUnit, BackupsUnit,
        OversightUnit, ApprovalsUnit,
    ]:  # fmt: skip
        return unit, unit, unit, unit, unit, unit, unit, unit, unit, unit, unit

    def _works(storage: Storage) -> Work[UnitOfWork]:
        return storage


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("storage work on the event loop: use `await work.run(...)`")
