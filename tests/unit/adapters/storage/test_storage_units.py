"""Units of work: all or nothing over several files, one writer, readers that see whole documents only, clear failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import exc

from pai.adapters.storage.sealed_files import SealedFile
from pai.adapters.storage.storage import Storage
from pai.core.conversations.values import Conversation
from pai.core.knowledge.values import ItemState, JobItem
from pai.foundation.actor import SYSTEM
from pai.foundation.errors import PaiError, Unavailable
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from storage_home import NOW, Noted, StorageHome, a_collection, a_document, a_key, a_user, some_chunks, some_vectors


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StorageHome]:
    home = StorageHome.copied(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def storage(home: StorageHome) -> Storage:
    return home.open()


def new_collection(storage: Storage, key: Secret):
    owner = a_user()
    collection = a_collection(owner)

    def write(unit: Any) -> None:
        unit.users.add(owner)
        unit.collections.add(collection)
        unit.open_collection(collection.id, key)

    storage.run_sync(write)
    return collection


def put(unit: Any, collection: Any, key: Secret, text: str) -> str:
    document = a_document(collection, text)
    unit.open_collection(collection.id, key).put_document(
        document.id, f"{text}.txt", "blob", some_chunks(document.id, [text]), some_vectors(1)
    )
    unit.collections.add_document(document)
    unit.audit.record(SYSTEM, Noted(n=1))
    return document.id


def state(storage: Storage, collection: Any, key: Secret) -> tuple[set[str], set[str], int]:
    return storage.read_sync(
        lambda unit: (
            {document.id for document in unit.collections.documents(collection.id)},
            set(unit.open_collection(collection.id, key).document_ids()),
            unit.audit.size(),
        )
    )


def test_a_failure_anywhere_leaves_neither_rows_nor_content_nor_events(storage: Storage) -> None:
    key, user = a_key(), new_id("usr")
    collection = new_collection(storage, key)

    def fail(unit: Any) -> None:
        put(unit, collection, key, "one")
        unit.open_conversations(user, key).put(Conversation(new_id("cnv"), user, "t", Label.INTERNAL, NOW, NOW))
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        storage.run_sync(fail)
    assert state(storage, collection, key) == (set(), set(), 0)
    assert storage.read_sync(lambda unit: list(unit.open_conversations(user, key).list())) == []
    assert storage.read_sync(lambda unit: unit.audit.verify()).ok


def test_a_main_database_that_does_not_commit_leaves_no_document(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has committed, the main database has not: readers must not see the document, the next writer deletes it."""
    key = a_key()
    collection = new_collection(storage, key)
    storage.run_sync(lambda unit: put(unit, collection, key, "kept"))
    committed = []

    def commit_then_lose_the_main_database(unit: Any) -> None:
        put(unit, collection, key, "lost")
        inner = unit.commit_files

        def commit_files() -> None:
            inner()
            committed.append(True)
            raise exc.OperationalError("COMMIT", {}, sqlcipher.OperationalError("database or disk is full"))

        unit.commit_files = commit_files

    with pytest.raises(Unavailable) as caught:
        storage.run_sync(commit_then_lose_the_main_database)
    assert committed
    assert caught.value.code == "disk_full"
    rows, seen, events = state(storage, collection, key)
    assert rows == seen
    assert len(rows) == 1
    assert events == 1
    found = storage.read_sync(lambda unit: unit.open_collection(collection.id, key).search_text("lost kept", 9))
    assert len(found) == 1
    storage.run_sync(lambda unit: put(unit, collection, key, "lost"))
    rows, seen, _ = state(storage, collection, key)
    assert rows == seen
    assert len(rows) == 2
    raw = storage.run_sync(
        lambda unit: unit.open_collection(collection.id, key)._file.rows("SELECT count(*) FROM documents")
    )
    assert raw[0][0] == 2, "the orphan was deleted from the file"


def test_a_file_of_a_job_whose_document_was_lost_waits_again_and_one_that_was_deleted_does_not(
    home: StorageHome, storage: Storage
) -> None:
    """Its job would else end as done, with a document that is nowhere."""
    key = a_key()
    collection = new_collection(storage, key)

    def take_in(unit: Any, n: int) -> str:
        document = put(unit, collection, key, f"text {n}")
        item = JobItem("job_1", n, f"{n}.txt", f"blb_{n}", 9, "00", ItemState.ACCEPTED, document_id=document)
        unit.open_collection(collection.id, key).update_item(item)
        return document

    deleted = storage.run_sync(lambda unit: take_in(unit, 0))
    storage.run_sync(lambda unit: take_in(unit, 1))

    def lose(unit: Any) -> None:
        take_in(unit, 2)
        inner = unit.commit_files

        def commit_files() -> None:
            inner()
            raise exc.OperationalError("COMMIT", {}, sqlcipher.OperationalError("database or disk is full"))

        unit.commit_files = commit_files

    def remove(unit: Any) -> None:
        store = unit.open_collection(collection.id, key)
        store.remove_document(deleted)
        unit.collections.remove_document(deleted)
        store.settle = lambda: None  # as if killed right after the commit

    storage.run_sync(remove)
    with pytest.raises(Unavailable):
        storage.run_sync(lose)
    home.close()
    items = home.open().run_sync(lambda unit: unit.open_collection(collection.id, key).items("job_1"))
    assert [item.state for item in items] == [ItemState.ACCEPTED, ItemState.ACCEPTED, ItemState.WAITING]


def test_a_removal_that_did_not_reach_the_file_is_finished_at_the_next_start(
    home: StorageHome, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = a_key()
    collection = new_collection(storage, key)
    gone = storage.run_sync(lambda unit: put(unit, collection, key, "gone"))

    def remove(unit: Any) -> None:
        store = unit.open_collection(collection.id, key)
        store.remove_document(gone)
        unit.collections.remove_document(gone)
        store.settle = lambda: None  # as if killed right after the commit

    storage.run_sync(remove)
    assert state(storage, collection, key)[:2] == (set(), set())
    home.close()
    again = home.open()
    assert state(again, collection, key)[:2] == (set(), set()), "a reader that comes first does not see it either"
    raw = again.run_sync(
        lambda unit: unit.open_collection(collection.id, key)._file.rows("SELECT count(*) FROM chunks")
    )
    assert raw[0][0] == 0


def test_a_failed_removal_leaves_the_document_whole(storage: Storage) -> None:
    key = a_key()
    collection = new_collection(storage, key)
    kept = storage.run_sync(lambda unit: put(unit, collection, key, "kept"))

    def fail(unit: Any) -> None:
        unit.open_collection(collection.id, key).remove_document(kept)
        unit.collections.remove_document(kept)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        storage.run_sync(fail)
    assert state(storage, collection, key)[:2] == ({kept}, {kept})


def test_a_reader_cannot_write(storage: Storage) -> None:
    key = a_key()
    collection = new_collection(storage, key)
    for job in (
        lambda unit: unit.users.add(a_user()),
        lambda unit: unit.audit.record(SYSTEM, Noted()),
        lambda unit: put(unit, collection, key, "x"),
        lambda unit: unit.open_collection(collection.id, key).put_document("doc_x", "n", "b", [], []),
    ):
        with pytest.raises(PaiError):
            storage.read_sync(job)
    assert state(storage, collection, key) == (set(), set(), 0)


def test_readers_see_a_document_wholly_or_not_at_all_while_it_is_written(storage: Storage) -> None:
    key = a_key()
    collection = new_collection(storage, key)
    stop = threading.Event()
    wrong: list[object] = []

    def watch() -> None:
        while not stop.is_set():
            rows, seen, _ = state(storage, collection, key)
            if rows != seen:
                wrong.append((rows, seen))

    watcher = threading.Thread(target=watch)
    watcher.start()
    for n in range(40):
        storage.run_sync(lambda unit, n=n: put(unit, collection, key, f"text {n}"))
    stop.set()
    watcher.join()
    assert wrong == []


async def test_the_event_loop_is_refused_and_run_is_not(storage: Storage) -> None:
    with pytest.raises(RuntimeError, match="event loop"):
        storage.run_sync(lambda unit: unit.audit.size())
    with pytest.raises(RuntimeError, match="event loop"):
        storage.read_sync(lambda unit: unit.audit.size())
    threads = await storage.run(lambda unit: threading.current_thread().name)
    assert threads.startswith("storage-writer")
    assert (await storage.read(lambda unit: threading.current_thread().name)).startswith("storage-reader")
    await asyncio.gather(*(storage.run(lambda unit: unit.audit.record(SYSTEM, Noted())) for _ in range(20)))
    assert await storage.read(lambda unit: unit.audit.size()) == 20


def test_two_storages_on_one_home_append_one_log(home: StorageHome) -> None:
    storages = [home.open(), home.open()]
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(lambda n: storages[n % 2].run_sync(lambda unit: unit.audit.record(SYSTEM, Noted(n=n))), range(40))
        )
    result = storages[0].read_sync(lambda unit: unit.audit.verify())
    assert result.ok
    assert result.size == 40


def test_verify_beside_a_writer_that_makes_checkpoints_raises_no_false_alarm(storage: Storage) -> None:
    def write() -> None:
        for n in range(30):
            storage.run_sync(lambda unit, n=n: (unit.audit.record(SYSTEM, Noted(n=n)), unit.audit.checkpoint()))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        result = storage.read_sync(lambda unit: unit.audit.verify())
        assert result.ok, result.errors
    writer.join()


def test_after_a_failed_write_storage_reads_only_until_restarted(home: StorageHome, storage: Storage) -> None:
    def broken(unit: Any) -> None:
        unit.audit.record(SYSTEM, Noted())
        raise sqlcipher.OperationalError("disk I/O error")

    with pytest.raises(Unavailable):
        storage.run_sync(broken)
    with pytest.raises(Unavailable, match="read-only") as caught:
        storage.run_sync(lambda unit: unit.audit.record(SYSTEM, Noted()))
    assert caught.value.code == "read_only"
    assert storage.read_sync(lambda unit: unit.audit.size()) == 0
    home.close()
    assert home.open().run_sync(lambda unit: unit.audit.record(SYSTEM, Noted())) == 0


def test_a_unit_over_many_collections_keeps_all_of_them_open(storage: Storage) -> None:
    key = a_key()
    collections = [new_collection(storage, key) for _ in range(12)]

    def write(unit: Any) -> None:
        for collection in collections:
            put(unit, collection, key, collection.id)

    storage.run_sync(write)
    assert all(len(state(storage, collection, key)[1]) == 1 for collection in collections)


def test_a_folder_without_a_row_is_reported_and_removed(home: StorageHome, storage: Storage) -> None:
    key = a_key()
    kept = new_collection(storage, key)
    left = new_id("col")
    storage.run_sync(lambda unit: unit.open_collection(left, key))
    assert storage.leftover_collections() == [left]
    assert storage.remove_leftovers() == [left]
    assert not (home.root / "collections" / left).exists()
    assert (home.root / "collections" / kept.id).is_dir()
    assert storage.remove_leftovers() == []


def test_older_code_refuses_a_newer_sealed_file(tmp_path: Path) -> None:
    key = a_key()
    newer = (("CREATE TABLE a (x)",), ("CREATE TABLE b (x)",))
    SealedFile(tmp_path / "f.db", key, newer, read_only=False).close()
    with pytest.raises(Unavailable) as caught:
        SealedFile(tmp_path / "f.db", key, newer[:1], read_only=False)
    assert caught.value.code == "newer_data"


def test_a_sealed_file_is_brought_to_the_newest_schema_by_whoever_opens_it(tmp_path: Path) -> None:
    key = a_key()
    steps = (("CREATE TABLE a (x)",), ("CREATE TABLE b (x)",))
    SealedFile(tmp_path / "f.db", key, steps[:1], read_only=False).close()
    reader = SealedFile(tmp_path / "f.db", key, steps, read_only=True)
    assert reader.rows("SELECT * FROM b") == []
    reader.close()
