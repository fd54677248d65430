"""Whoever holds the database key and changes the audit log is found out by `verify`."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pai.adapters.storage import audit_rows
from pai.adapters.storage.cipher import connect
from pai.core.audit import notes
from pai.core.audit.values import EventFilter, Outcome, Verification
from pai.foundation.actor import OPERATOR, SYSTEM
from pai.foundation.errors import Corrupt
from pai.foundation.refs import ModelRef, ResourceRef, SubjectRef
from storage_home import Noted, StorageHome


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 12 events with checkpoints at 5 and 12."""
    home = StorageHome.copied(tmp_path_factory.mktemp("tampering") / "home")
    storage = home.open()

    def fill(first: int, last: int) -> Callable[[Any], None]:
        def write(unit: Any) -> None:
            for n in range(first, last):
                unit.audit.record(
                    OPERATOR if n % 2 else SYSTEM,
                    Noted(
                        n=n, resource=ResourceRef("collection", f"col_{n}"), documents=(f"doc_{n % 2}",), model=ModelRef("tiny", "ab"),
                        subjects=(SubjectRef(f"sub_{n % 3}"),),
                    ),
                )  # fmt: skip
            unit.audit.checkpoint()

        return write

    storage.run_sync(fill(0, 5))
    home.close()
    shutil.copy2(home.database, home.root / "older.db")
    home.open().run_sync(fill(5, 12))
    home.close()
    return home.root


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Iterator[StorageHome]:
    shutil.copytree(original, tmp_path / "home")
    home = StorageHome.existing(tmp_path / "home")
    yield home
    home.close()


def verify(home: StorageHome) -> Verification:
    result = home.open().read_sync(lambda unit: unit.audit.verify())
    home.close()
    return result


def tamper(home: StorageHome, *statements: str) -> None:
    connection = connect(home.database, home.vault.database_key())
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_an_honest_log_verifies(home: StorageHome) -> None:
    result = verify(home)
    assert result.ok, result.errors
    assert (result.size, result.checkpoint) == (12, 12)
    storage = home.open()
    latest = storage.read_sync(lambda unit: unit.audit.latest_checkpoint())
    assert latest.root == result.root
    assert sorted(path.name for path in home.audit_keys.folder.iterdir()) == ["000000000005.note", "000000000012.note"]
    note = notes.parse(latest.note)
    assert (note.size, base64.b64encode(note.root).decode()) == (12, result.root)


def test_events_are_found_by_each_index(home: StorageHome) -> None:
    storage = home.open()

    def indexes(**wanted: Any) -> list[int]:
        return [event.index for event in storage.read_sync(lambda unit: unit.audit.events(EventFilter(**wanted)))]

    assert indexes(limit=3) == [11, 10, 9]
    assert indexes(subject="sub_1") == [10, 7, 4, 1]
    assert indexes(resource="col_4") == [4]
    assert indexes(document="doc_1", before=6) == [5, 3, 1]
    assert indexes(document="doc_1", subject="sub_0") == [9, 3]
    assert indexes(outcome=Outcome.DONE, limit=2) == [11, 10]
    assert indexes(outcome=Outcome.REFUSED) == []
    assert indexes(name="test:", limit=1) == indexes(name="test:storage:", limit=1) == [11]
    assert indexes(name="tes:") == indexes(name="test:storage:not:") == []
    assert indexes(actor="system", before=5) == [4, 2, 0]
    assert indexes(model="tiny", name="test:storage:note", limit=1) == [11]
    assert indexes(name="other:name:here") == []
    event = storage.read_sync(lambda unit: unit.audit.events(EventFilter(resource="col_4")))[0]
    assert event.body["n"] == 4
    assert event.body["subjects"] == ["sub_1"]


LAST = 'DELETE FROM audit_events WHERE "index" = 11'
ATTACKS = {
    "last event deleted": ([LAST], {"tree", "truncated"}),
    "an event deleted": (['DELETE FROM audit_events WHERE "index" = 3'], {"missing", "tree", "truncated"}),
    "all events deleted": (["DELETE FROM audit_events", "DELETE FROM audit_frontier", "DELETE FROM checkpoints"], {"truncated", "subjects", "documents"}),
    "body flipped": (["UPDATE audit_events SET body = zeroblob(length(body)) WHERE \"index\" = 2"], {"body"}),
    "bodies swapped": (
        ['UPDATE audit_events SET body = (SELECT body FROM audit_events o WHERE o."index" = 1) WHERE "index" = 2'], {"body"},
    ),
    "events reordered": (
        ['UPDATE audit_events SET "index" = -1 WHERE "index" = 4', 'UPDATE audit_events SET "index" = 4 WHERE "index" = 5',
         'UPDATE audit_events SET "index" = 5 WHERE "index" = -1'], {"body", "tree", "checkpoint"},
    ),
    "salt changed": (["UPDATE audit_events SET salt = randomblob(16) WHERE \"index\" = 2"], {"leaf"}),
    "leaf changed": (["UPDATE audit_events SET leaf = randomblob(32) WHERE \"index\" = 2"], {"leaf", "tree", "checkpoint"}),
    "actor column changed": (["UPDATE audit_events SET actor = 'nobody' WHERE \"index\" = 2"], {"columns"}),
    "time column changed": (["UPDATE audit_events SET at = '2020-01-01T00:00:00.000000Z' WHERE \"index\" = 2"], {"columns"}),
    "resource column cleared": (["UPDATE audit_events SET resource = NULL WHERE \"index\" = 2"], {"columns"}),
    "outcome column changed": (["UPDATE audit_events SET outcome = 'failed' WHERE \"index\" = 2"], {"columns"}),
    "document unlinked": (['DELETE FROM audit_documents WHERE "index" = 2'], {"documents"}),
    "document index extended": (["INSERT INTO audit_documents VALUES ('doc_1', 99)"], {"documents"}),
    "tile slipped in": (["INSERT INTO audit_tiles VALUES (1, 0, zeroblob(32))"], {"tiles"}),
    "subject unlinked": (['DELETE FROM audit_subjects WHERE "index" = 2'], {"subjects"}),
    "subject exchanged": (["UPDATE audit_subjects SET subject_id = 'sub_9' WHERE \"index\" = 2"], {"subjects"}),
    "subject index extended": (["INSERT INTO audit_subjects VALUES ('sub_1', 99)"], {"subjects"}),
    "frontier changed": (["UPDATE audit_frontier SET nodes = zeroblob(64)"], {"tree"}),
    "checkpoint replaced": (["UPDATE checkpoints SET note = 'mine'"], {"note"}),
    "event slipped in before the first": (
        ['INSERT INTO audit_events SELECT -1, at, name, actor, resource, model, outcome, leaf, salt, body FROM audit_events WHERE "index" = 0'],
        {"missing", "tree", "truncated"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_log_is_found(home: StorageHome, attack: str) -> None:
    statements, expected = ATTACKS[attack]
    tamper(home, *statements)
    result = verify(home)
    assert not result.ok
    assert {finding.kind for finding in result.errors} == expected


def test_truncation_with_a_consistent_tree_is_found(home: StorageHome) -> None:
    """The whole database, tree and checkpoints included, is put back to an older state: only the files outside tell."""
    shutil.copy2(home.root / "older.db", home.database)
    result = verify(home)
    assert [(finding.kind, finding.index) for finding in result.errors] == [("truncated", 12)]


def test_a_rolled_back_log_is_not_signed_again_even_after_it_has_grown_past_the_old_size(home: StorageHome) -> None:
    shutil.copy2(home.root / "older.db", home.database)
    storage = home.open()
    with pytest.raises(Corrupt) as caught:
        storage.run_sync(lambda unit: unit.audit.checkpoint())
    assert caught.value.code == "audit_rolled_back"
    storage.run_sync(lambda unit: [unit.audit.record(SYSTEM, Noted(n=100 + n)) for n in range(7)])
    with pytest.raises(Corrupt):
        storage.run_sync(lambda unit: unit.audit.checkpoint())
    storage.run_sync(lambda unit: unit.audit.record(SYSTEM, Noted(n=1)))
    home.close()
    kinds = [(finding.kind, finding.index) for finding in verify(home).errors]
    assert kinds == [("checkpoint", 12)], "the signed root is not the one that the log has now"


def test_a_rewritten_past_is_not_signed_when_the_log_is_longer_than_what_was_signed(home: StorageHome) -> None:
    shutil.copy2(home.root / "older.db", home.database)
    notes_kept = [path for path in home.audit_keys.folder.iterdir() if "12" in path.name]
    put_back = notes_kept[0].read_text()
    notes_kept[0].unlink()
    home.open().run_sync(lambda unit: [unit.audit.record(SYSTEM, Noted(n=200 + n)) for n in range(20)])
    notes_kept[0].write_text(put_back)
    with pytest.raises(Corrupt) as caught:
        home.opened[-1].run_sync(lambda unit: unit.audit.head())
    assert caught.value.code == "audit_rolled_back"


def test_a_clock_that_is_set_back_stands_in_the_log(home: StorageHome) -> None:
    home.clock = datetime(2020, 1, 1, tzinfo=UTC)
    storage = home.open()
    storage.run_sync(lambda unit: [unit.audit.record(SYSTEM, Noted(n=n)) for n in range(2)])
    home.clock = None
    home.close()
    result = verify(home)
    assert result.ok
    assert [(one.kind, one.index) for one in result.notices] == [("clock", 12)]
    event = home.open().read_sync(lambda unit: unit.audit.events(EventFilter(name="audit:clock:set-back")))[0]
    assert event.index == 12
    assert int(str(event.body["seconds"])) > 1_000_000


def test_time_that_goes_back_without_an_event_is_found(home: StorageHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a changed program, which holds all keys."""
    monkeypatch.setattr(audit_rows, "CLOCK_STEP", timedelta(days=36500))
    home.clock = datetime(2020, 1, 1, tzinfo=UTC)
    home.open().run_sync(lambda unit: unit.audit.record(SYSTEM, Noted(n=1)))
    home.close()
    assert [(one.kind, one.index) for one in verify(home).errors] == [("clock", 12)]


def test_a_forged_checkpoint_file_is_reported_and_stops_nothing(home: StorageHome) -> None:
    good = (home.audit_keys.folder / "000000000012.note").read_text()
    (home.audit_keys.folder / "000000000999.note").write_text(good.replace("\n12\n", "\n999\n", 1))
    storage = home.open()
    storage.run_sync(lambda unit: unit.audit.checkpoint())
    home.close()
    assert [(finding.kind, finding.index) for finding in verify(home).errors] == [("signature", 999)]


def test_a_checkpoint_of_a_unit_that_fails_leaves_no_file(home: StorageHome) -> None:
    storage = home.open()

    def write(unit: Any) -> None:
        unit.audit.record(SYSTEM, Noted(n=1))
        unit.audit.checkpoint()
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        storage.run_sync(write)
    home.close()
    assert verify(home).ok


def test_the_database_is_not_readable_without_its_key(home: StorageHome) -> None:
    assert not home.database.read_bytes().startswith(b"SQLite format 3")
    plain = sqlite3.connect(home.database)
    with pytest.raises(sqlite3.DatabaseError):
        plain.execute("SELECT count(*) FROM sqlite_master").fetchone()
    plain.close()
