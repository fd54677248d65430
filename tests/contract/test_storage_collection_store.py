"""The port of a collection's sealed file, and of a member's conversations, on real SQLCipher files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest

from pai.adapters.storage.storage import Storage
from pai.core.conversations.values import Conversation, Message
from pai.core.knowledge.values import Collection, ItemState, JobItem
from pai.foundation.errors import Invalid, NotFound
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from storage_home import NOW, StorageHome, a_collection, a_document, a_key, a_user, some_chunks, some_vectors

TEXTS = ["The lease ends in March.", "Running costs are paid by the tenant.", "Nothing about money here."]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    home = StorageHome.copied(tmp_path_factory.mktemp("stores"))
    yield home.open()
    home.close()


@dataclasses.dataclass
class Filled:
    collection: Collection
    key: Secret
    document: str
    chunks: list
    vectors: list[bytes]


@pytest.fixture
def filled(storage: Storage) -> Filled:
    owner, key = a_user(), a_key()
    collection = a_collection(owner)
    document = a_document(collection, "lease")
    chunks = some_chunks(document.id, TEXTS, "Contract > Lease")
    vectors = some_vectors(len(TEXTS))

    def write(unit):
        unit.users.add(owner)
        unit.collections.add(collection)
        unit.open_collection(collection.id, key).put_document(document.id, "lease.pdf", "blob1", chunks, vectors)
        unit.collections.add_document(document)

    storage.run_sync(write)
    return Filled(collection, key, document.id, chunks, vectors)


def look(storage: Storage, filled: Filled, job):
    return storage.read_sync(lambda unit: job(unit.open_collection(filled.collection.id, filled.key)))


def test_a_document_comes_back_whole(storage: Storage, filled: Filled) -> None:
    assert look(storage, filled, lambda s: list(s.document_ids())) == [filled.document]
    assert look(storage, filled, lambda s: s.name(filled.document)) == "lease.pdf"
    assert look(storage, filled, lambda s: s.blob_id(filled.document)) == "blob1"
    assert look(storage, filled, lambda s: s.names()) == {filled.document: "lease.pdf"}
    assert look(storage, filled, lambda s: list(s.chunks_of(filled.document))) == filled.chunks
    asked = [filled.chunks[2].id, "chk_unknown", filled.chunks[0].id]
    assert look(storage, filled, lambda s: list(s.chunks(asked))) == [filled.chunks[2], filled.chunks[0]]
    with pytest.raises(NotFound):
        look(storage, filled, lambda s: s.name(new_id("doc")))


@pytest.mark.parametrize(
    ("query", "first"),
    [("lease march", 0), ("tenants PAYING", 1), ('"money" OR (', 2), ("col:money* -x", 2), ("running", 1)],
)
def test_text_search_takes_any_text(storage: Storage, filled: Filled, query: str, first: int) -> None:
    assert look(storage, filled, lambda s: s.search_text(query, 3))[0] == filled.chunks[first].id


@pytest.mark.parametrize("query", ["", "  ", '"', "-", "***", "\x00", "()"])
def test_a_query_without_words_finds_nothing(storage: Storage, filled: Filled, query: str) -> None:
    assert look(storage, filled, lambda s: s.search_text(query, 3)) == []


def test_headings_are_searched(storage: Storage, filled: Filled) -> None:
    assert len(look(storage, filled, lambda s: s.search_text("contract", 10))) == 3


def test_vector_search_is_exact_and_best_first(storage: Storage, filled: Filled) -> None:
    asked = filled.vectors[1]
    found = look(storage, filled, lambda s: s.search_vector(asked, 2))
    assert found[0][0] == filled.chunks[1].id
    assert found[0][1] == pytest.approx(1, abs=1e-6)
    assert len(found) == 2
    assert found[0][1] >= found[1][1]
    near = look(storage, filled, lambda s: s.similarities(asked, [filled.chunks[0].id, "chk_none"]))
    expected = float(np.frombuffer(filled.vectors[0], "<f4") @ np.frombuffer(asked, "<f4"))
    assert near == {filled.chunks[0].id: pytest.approx(expected, abs=1e-6)}
    assert look(storage, filled, lambda s: s.search_vector(b"\0" * 12, 2)) == [], "other dimensions find nothing"


def test_the_cached_vectors_follow_every_write_and_roll_back(storage: Storage, filled: Filled) -> None:
    def find(limit: int = 10) -> list[str]:
        return [name for name, _ in look(storage, filled, lambda s: s.search_vector(filled.vectors[0], limit))]

    assert len(find()) == 3
    second = a_document(filled.collection, "second")
    pieces = some_chunks(second.id, ["more"])

    def put(unit):
        store = unit.open_collection(filled.collection.id, filled.key)
        store.put_document(second.id, "b.txt", "blob2", pieces, [filled.vectors[0]])
        unit.collections.add_document(second)
        assert len(store.search_vector(filled.vectors[0], 10)) == 4

    def put_and_fail(unit):
        put(unit)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        storage.run_sync(put_and_fail)
    assert len(find()) == 3
    assert (
        storage.run_sync(
            lambda unit: len(
                unit.open_collection(filled.collection.id, filled.key).search_vector(filled.vectors[0], 10)
            )
        )
        == 3
    )
    storage.run_sync(put)
    assert len(find()) == 4
    assert set(find(2)) == {filled.chunks[0].id, pieces[0].id}


def test_a_removed_document_is_gone_inside_its_unit_and_after(storage: Storage, filled: Filled) -> None:
    def remove(unit):
        store = unit.open_collection(filled.collection.id, filled.key)
        store.remove_document(filled.document)
        unit.collections.remove_document(filled.document)
        return nothing(unit)

    def nothing(unit):
        store = unit.open_collection(filled.collection.id, filled.key)
        return [
            list(store.document_ids()), store.names(), store.search_text("lease tenant money", 9),
            store.search_vector(filled.vectors[0], 9), list(store.chunks([filled.chunks[0].id])),
            list(store.chunks_of(filled.document)), store.similarities(filled.vectors[0], [filled.chunks[0].id]),
        ]  # fmt: skip

    assert storage.run_sync(remove) == [[], {}, [], [], [], [], {}]
    assert storage.read_sync(nothing) == [[], {}, [], [], [], [], {}]


def test_a_document_can_be_replaced_under_its_own_id(storage: Storage, filled: Filled) -> None:
    again = some_chunks(filled.document, ["An amended agreement."])

    def replace(unit):
        store = unit.open_collection(filled.collection.id, filled.key)
        store.remove_document(filled.document)
        store.put_document(filled.document, "lease-2.pdf", "blob9", again, filled.vectors[:1])

    storage.run_sync(replace)
    assert look(storage, filled, lambda s: list(s.chunks_of(filled.document))) == again
    assert look(storage, filled, lambda s: s.search_text("lease march", 5)) == []


def test_stored_content_carries_the_collections_label_and_the_rest(storage: Storage, filled: Filled) -> None:
    def governed(unit):
        store = unit.open_collection(filled.collection.id, filled.key)
        return {
            tuple(row)
            for table in ("documents", "chunks")
            for row in store._file.rows(f"SELECT label, purpose, training, retention, restricted FROM {table}")
        }

    assert storage.read_sync(governed) == {("restricted", "patient care", "infer", "content", 0)}


def test_items_of_a_job(storage: Storage, filled: Filled) -> None:
    items = [
        JobItem("job_1", n, f"{n}.txt", f"b{n}", 5, "d", subjects=("sub_1",), subject_column="name") for n in (2, 0, 1)
    ]
    done = dataclasses.replace(items[0], state=ItemState.REFUSED, code="empty", reason="no text")

    def write(unit):
        store = unit.open_collection(filled.collection.id, filled.key)
        store.put_items(items)
        store.update_item(done)

    storage.run_sync(write)
    assert look(storage, filled, lambda s: list(s.items("job_1"))) == [items[1], items[2], done]
    assert look(storage, filled, lambda s: s.original_ids()) == {"blob1"}
    assert look(storage, filled, lambda s: list(s.items_of("b1", ""))) == [items[2]]
    assert look(storage, filled, lambda s: [one.n for one in s.items_of("", "d")]) == [0, 1, 2]
    assert look(storage, filled, lambda s: list(s.items_of("b9", "e"))) == []


def test_reading_what_was_never_written_creates_nothing(storage: Storage) -> None:
    key, collection_id, user_id = a_key(), new_id("col"), new_id("usr")
    assert storage.read_sync(lambda unit: list(unit.open_collection(collection_id, key).document_ids())) == []
    assert storage.read_sync(lambda unit: list(unit.open_conversations(user_id, key).list())) == []
    assert not (storage.home / "collections" / collection_id).exists()
    assert not (storage.home / "conversations" / f"{user_id}.db").exists()
    storage.run_sync(
        lambda unit: unit.open_collection(collection_id, key).put_items([JobItem("j", 0, "n", "b", 1, "d")])
    )
    assert len(storage.read_sync(lambda unit: unit.open_collection(collection_id, key).items("j"))) == 1


@pytest.mark.parametrize("name", ["../../etc", "col_", "col_" + "a" * 25 + "/", "usr_" + "0" * 26, ""])
def test_only_our_ids_become_paths(storage: Storage, name: str) -> None:
    with pytest.raises(Invalid):
        storage.run_sync(lambda unit: unit.open_collection(name, a_key()))
    with pytest.raises(Invalid):
        storage.run_sync(lambda unit: unit.destroy_collection(name))


def test_conversations(storage: Storage) -> None:
    user, key = a_user(), a_key()
    old = Conversation(new_id("cnv"), user.id, "Old", Label.INTERNAL, NOW, NOW)
    new = dataclasses.replace(old, id=new_id("cnv"), title="New", updated_at=NOW + timedelta(seconds=1))
    said = [
        Message(new_id("msg"), old.id, role, f"said {n}", "", NOW) for n, role in enumerate(("user", "assistant") * 2)
    ]

    def write(unit):
        store = unit.open_conversations(user.id, key)
        store.put(old)
        store.put(new)
        for message in said:
            store.add_message(message)

    storage.run_sync(write)

    def read(job):
        return storage.read_sync(lambda unit: job(unit.open_conversations(user.id, key)))

    assert list(read(lambda s: s.list())) == [new, old]
    assert list(read(lambda s: s.messages(old.id))) == said, "in the order they were said, within one millisecond too"
    renamed = dataclasses.replace(old, title="Renamed", updated_at=NOW + timedelta(seconds=2))
    storage.run_sync(lambda unit: unit.open_conversations(user.id, key).put(renamed))
    assert read(lambda s: s.get(old.id)) == renamed
    with pytest.raises(NotFound):
        storage.run_sync(
            lambda unit: unit.open_conversations(user.id, key).add_message(
                dataclasses.replace(said[0], conversation_id="x")
            )
        )
    storage.run_sync(lambda unit: unit.open_conversations(user.id, key).delete(old.id))
    assert read(lambda s: s.get(old.id)) is None
    assert list(read(lambda s: s.messages(old.id))) == []
