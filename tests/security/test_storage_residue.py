"""Nothing readable lies in the files, deleted text is gone from the pages too, and a key opens only its own file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3.dbapi2 as sqlcipher

from pai.core.conversations.values import Conversation, Message, Response, Spoken
from pai.core.knowledge.values import Collection
from pai.foundation.errors import Corrupt, PaiError, Unavailable
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from storage_home import NOW, StorageHome, a_collection, a_document, a_key, a_user, some_chunks, some_vectors

MARKER = "zanzibarquokka"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StorageHome]:
    home = StorageHome.copied(tmp_path / "home")
    yield home
    home.close()


def fill(home: StorageHome, key: Secret) -> tuple[Collection, str]:
    owner = a_user()
    collection = a_collection(owner)
    documents = [a_document(collection, text) for text in ("first", "second")]

    def write(unit: Any) -> None:
        unit.users.add(owner)
        unit.collections.add(collection)
        store = unit.open_collection(collection.id, key)
        for document, word in zip(documents, (MARKER, "harmless"), strict=True):
            texts = [f"paragraph {n} speaks of {word} and {word}s at length " * 5 for n in range(40)]
            store.put_document(
                document.id, f"{word}.pdf", new_id("blb"), some_chunks(document.id, texts, word), some_vectors(40)
            )
            unit.collections.add_document(document)

    home.open().run_sync(write)
    return collection, documents[0].id


def decrypted_pages(path: Path, key: Secret, target: Path) -> bytes:
    """Every page of the file as it is under the cipher, free pages included.

    SQLCipher decrypts pages one by one on the way into the cache, so the pages are read through its own `sqlite_dbpage`-like
    route: a backup into an unkeyed database copies page by page, free list and all.
    """
    source = sqlcipher.connect(str(path))
    source.execute(f"PRAGMA key = \"x'{key.reveal().hex()}'\"")
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()
    source.execute(f"ATTACH DATABASE '{target}' AS plain KEY ''")
    source.execute("SELECT sqlcipher_export('plain')")
    source.execute("DETACH DATABASE plain")
    source.close()
    return target.read_bytes()


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_marker_in_any_file_while_open_and_after_closing(home: StorageHome) -> None:
    key = a_key()
    user = new_id("usr")
    fill(home, key)
    storage = home.opened[0]

    def write(unit: Any) -> None:
        store = unit.open_conversations(user, key)
        conversation = Conversation(new_id("cnv"), user, MARKER, Label.INTERNAL, NOW, NOW)
        store.put(conversation)
        store.add_message(Message(new_id("msg"), conversation.id, "user", MARKER, "", NOW))

    storage.run_sync(write)
    for _ in range(2):
        assert MARKER.encode() not in all_bytes(home.root).lower()
        assert key.reveal() not in all_bytes(home.root)
        home.close()


def test_a_removed_document_is_in_no_page_and_not_in_the_log(home: StorageHome, tmp_path: Path) -> None:
    key = a_key()
    collection, doomed = fill(home, key)
    storage = home.opened[0]
    path = home.root / "collections" / collection.id / "content.db"

    def remove(unit: Any) -> None:
        unit.open_collection(collection.id, key).remove_document(doomed)
        unit.collections.remove_document(doomed)

    storage.run_sync(remove)
    assert path.with_name("content.db-wal").stat().st_size == 0, "the write-ahead log was moved into the file and cut"
    home.close()
    pages = pages_of(path, key)
    text = b"".join(pages).lower()
    assert b"harmless" in text, "the positive control: what remains is readable with the key"
    assert MARKER.encode() not in text
    assert b"zanzibar" not in text, "nor the stem in the text index"
    assert b"zanzibar" not in decrypted_pages(path, key, tmp_path / "plain.db").lower()


def pages_of(path: Path, key: Secret) -> list[bytes]:
    """Decrypt every page with the raw key by the documented format: free pages and slack bytes too.

    SQLCipher 4: page = ciphertext || IV (16) || HMAC-SHA512 (64); AES-256-CBC; the first 16 bytes of the file are the salt.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    data = path.read_bytes()
    pages = []
    for start in range(0, len(data), 4096):
        page = data[start : start + 4096]
        body, iv = page[16 if start == 0 else 0 : 4096 - 80], page[4096 - 80 : 4096 - 64]
        opened = Cipher(algorithms.AES(key.reveal()), modes.CBC(iv)).decryptor()
        pages.append(opened.update(body) + opened.finalize())
    return pages


def test_a_destroyed_collection_leaves_no_folder(home: StorageHome) -> None:
    key = a_key()
    collection, _ = fill(home, key)
    storage = home.opened[0]
    storage.read_sync(lambda unit: list(unit.open_collection(collection.id, key).document_ids()))

    def destroy(unit: Any) -> None:
        unit.collections.remove(collection.id)
        unit.destroy_collection(collection.id)

    def destroy_and_fail(unit: Any) -> None:
        destroy(unit)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        storage.run_sync(destroy_and_fail)
    folder = home.root / "collections" / collection.id
    assert folder.exists()
    storage.run_sync(destroy)
    assert not folder.exists()
    assert storage.read_sync(lambda unit: list(unit.open_collection(collection.id, key).document_ids())) == []
    assert not folder.exists(), "a late reader does not bring it back"


@pytest.mark.parametrize("lane", ["run_sync", "read_sync"])
def test_a_wrong_key_never_gets_a_cached_connection(home: StorageHome, lane: str) -> None:
    key = a_key()
    collection, _ = fill(home, key)
    run = getattr(home.opened[0], lane)

    def count(with_key: Secret) -> int:
        return run(lambda unit: len(unit.open_collection(collection.id, with_key).document_ids()))

    for _ in range(3):
        assert count(key) == 2
        for wrong in (a_key(), Secret(key.reveal()[:31] + bytes([key.reveal()[31] ^ 1])), Secret(b"")):
            with pytest.raises(PaiError):
                count(wrong)
    assert count(key) == 2


def test_a_wrong_key_for_the_main_database_is_a_clear_error(home: StorageHome) -> None:
    from pai.adapters.storage.storage import Storage

    home.open()
    home.close()
    wrong = Storage(home.root, a_key(), home.audit_keys)
    with pytest.raises(Corrupt, match="does not open"):
        wrong.migrate()
    wrong.close()


def test_a_flipped_byte_is_corrupt_not_wrong_data(home: StorageHome) -> None:
    key = a_key()
    collection, _ = fill(home, key)
    home.close()
    path = home.root / "collections" / collection.id / "content.db"
    data = bytearray(path.read_bytes())
    for at in range(4096 + 100, len(data), 4096):
        data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt):
        home.open().read_sync(lambda unit: unit.open_collection(collection.id, key).names())


def test_keys_do_not_show_in_errors(home: StorageHome) -> None:
    key = a_key()
    collection, _ = fill(home, key)
    wrong = Secret(os.urandom(32))
    with pytest.raises(PaiError) as caught:
        home.opened[0].run_sync(lambda unit: unit.open_collection(collection.id, wrong))
    shown = repr(caught.value) + str(caught.value) + str(caught.value.__cause__)
    assert wrong.reveal().hex() not in shown
    assert key.reveal().hex() not in shown
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize("kind", ["conversation", "response"])
def test_what_a_member_deletes_is_in_no_page_and_not_in_the_log(home: StorageHome, kind: str) -> None:
    key, user = a_key(), new_id("usr")
    storage = home.open()
    rows = {word: (Conversation(new_id("cnv"), user, word, Label.INTERNAL, NOW, NOW), Response(new_id("resp"), user, word, NOW)) for word in (MARKER, "harmless")}  # fmt: skip

    def write(unit: Any) -> None:
        for word, (conversation, response) in rows.items():
            said = f"speaks of {word} " * 400
            chats, responses = unit.open_conversations(user, key), unit.open_responses(user, key)
            if kind == "conversation":
                chats.put(conversation)
                chats.add_message(Message(new_id("msg"), conversation.id, "user", said, "", NOW))
            else:
                responses.begin(response, [Spoken("1", "user", said)])
                responses.end(dataclasses.replace(response, output=(Spoken("2", "assistant", said),)))

    def delete(unit: Any) -> None:
        conversation, response = rows[MARKER]
        unit.open_conversations(user, key).delete(conversation.id)
        unit.open_responses(user, key).delete(response.id)

    storage.run_sync(write)
    path = home.root / "conversations" / f"{user}.db"
    storage.run_sync(delete)
    assert path.with_name(f"{path.name}-wal").stat().st_size == 0
    home.close()
    text = b"".join(pages_of(path, key)).lower()
    assert b"harmless" in text, "the positive control: what remains is readable with the key"
    assert MARKER.encode() not in text


def test_everything_of_a_member_carries_its_governance(home: StorageHome) -> None:
    key, user = a_key(), new_id("usr")

    def columns(unit: Any) -> dict[str, set[str]]:
        db = unit.open_responses(user, key)._file.db
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {table: {row[1] for row in db.execute(f"PRAGMA table_info({table})")} for table in tables}

    found = home.open().run_sync(columns)
    assert {"conversations", "messages", "responses", "response_items"} <= found.keys()
    for table, names in found.items():
        assert {"label", "purpose", "training", "retention", "restricted"} <= names, table
