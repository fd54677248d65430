"""Someone changes the database or the checkpoints: verification must tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.cipher import connect
from pai.adapters.storage.storage import Storage
from pai.core.identity.events import KeyRevoked
from pai.foundation.actor import OPERATOR
from pai.foundation.errors import Corrupt
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef, SubjectRef


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> KeyVault:
    vault = KeyVault(tmp_path_factory.mktemp("vault") / "keys")
    vault.create(Secret(b"a passphrase for tests"), "rfc9106-second")
    return vault


@pytest.fixture
def storage(tmp_path: Path, vault: KeyVault) -> Iterator[Storage]:
    opened = _open(tmp_path, vault)
    for n in range(8):
        event = KeyRevoked(resource=ResourceRef("key", f"key_{n}"), subjects=(SubjectRef(f"sub_{n % 3}"),))
        opened.run_sync(lambda unit, event=event: unit.audit.record(OPERATOR, event))
    opened.run_sync(lambda unit: unit.audit.checkpoint())
    yield opened
    opened.close()


def _open(home: Path, vault: KeyVault) -> Storage:
    keys = AuditKeys(vault, verify_signature, "pai.local/test/audit", home / "audit")
    storage = Storage(home, vault.database_key(), keys)
    storage.migrate()
    return storage


def _kinds(storage: Storage) -> set[str]:
    found: Any = storage.run_sync(lambda unit: unit.audit.verify())
    return {error.kind for error in found.errors}


def test_an_untouched_log_is_intact(storage: Storage) -> None:
    assert _kinds(storage) == set()


@pytest.mark.parametrize(
    ("attack", "kind"),
    [
        ('DELETE FROM audit_events WHERE "index" = 7', "tree"),
        ('DELETE FROM audit_events WHERE "index" = 3', "missing"),
        ('UPDATE audit_events SET body = (SELECT body FROM audit_events WHERE "index" = 2) WHERE "index" = 5', "body"),
        ("UPDATE audit_events SET actor = 'someone else' WHERE \"index\" = 5", "columns"),
        ('UPDATE audit_events SET salt = zeroblob(16) WHERE "index" = 5', "leaf"),
        ('DELETE FROM audit_subjects WHERE "index" = 4', "subjects"),
        ('UPDATE audit_events SET leaf = zeroblob(32) WHERE "index" = 5', "checkpoint"),
    ],
)
def test_changes_of_the_database_are_found(
    storage: Storage, tmp_path: Path, vault: KeyVault, attack: str, kind: str
) -> None:
    raw = connect(tmp_path / "db" / "main.db", vault.database_key())
    raw.execute(attack)
    raw.close()
    assert kind in _kinds(storage)


def test_cutting_the_log_back_with_its_tree_is_found_by_the_checkpoint_outside(
    storage: Storage, tmp_path: Path, vault: KeyVault
) -> None:
    other = tmp_path / "older"
    older = _open(other, vault)
    older.run_sync(lambda unit: unit.audit.record(OPERATOR, KeyRevoked()))
    older.close()
    for note in (tmp_path / "audit").glob("*.note"):
        (other / "audit").mkdir(exist_ok=True)
        (other / "audit" / note.name).write_bytes(note.read_bytes())
    rolled_back = _open(other, vault)
    assert "truncated" in _kinds(rolled_back)
    rolled_back.close()


def test_a_forged_checkpoint_is_found(storage: Storage, tmp_path: Path) -> None:
    note = next((tmp_path / "audit").glob("*.note"))
    note.write_text(note.read_text().replace("\n8\n", "\n9\n"))
    assert "signature" in _kinds(storage)


@pytest.mark.parametrize(
    "change", [lambda d: d[:5000] + bytes([d[5000] ^ 1]) + d[5001:], lambda d: b"\x00" * 100 + d[100:]]
)
def test_a_changed_page_does_not_open(
    storage: Storage, tmp_path: Path, vault: KeyVault, change: Callable[[bytes], bytes]
) -> None:
    storage.close()
    path = tmp_path / "db" / "main.db"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Corrupt):
        again = _open(tmp_path, vault)
        try:
            again.run_sync(lambda unit: unit.audit.verify())
        finally:
            again.close()


def test_a_failing_unit_leaves_neither_effect_nor_event(storage: Storage) -> None:
    before: Any = storage.run_sync(lambda unit: unit.audit.size())

    def fails(unit: Any) -> None:
        unit.audit.record(OPERATOR, KeyRevoked())
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        storage.run_sync(fails)
    assert storage.run_sync(lambda unit: unit.audit.size()) == before


def test_a_wrong_key_opens_nothing(tmp_path: Path, storage: Storage) -> None:
    with pytest.raises(Corrupt):
        connect(tmp_path / "db" / "main.db", Secret(b"x" * 32))
