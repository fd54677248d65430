"""What is kept of reads is never older than the last write of anything but the audit log."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Iterator

import pytest

from pai.adapters.storage.recollection import changes
from pai.adapters.storage.storage import Storage, UnitOfWork
from pai.core.identity.values import User
from pai.foundation.actor import OPERATOR
from storage_home import Noted, StorageHome, a_user


@pytest.fixture
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    home = StorageHome.copied(tmp_path_factory.mktemp("recollection"))
    yield home.open()
    home.close()


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("SELECT 1", False),
        ("  begin immediate", False),
        ("INSERT INTO audit_events (x) VALUES (?)", False),
        ("INSERT OR REPLACE INTO audit_tiles VALUES (1)", False),
        ("DELETE FROM audit_frontier", False),
        ("INSERT INTO users (x) VALUES (?)", True),
        ("UPDATE api_keys SET revoked_at = ?", True),
        ('DELETE FROM "sessions"', True),
        ("UPDATE audit_events_of_users SET x = 1", True),
        ("WITH x AS (SELECT 1) INSERT INTO audit_events SELECT * FROM x", True),
        ("ALTER TABLE audit_events ADD x", True),
    ],
)
def test_only_writes_of_the_audit_log_change_nothing(statement: str, changed: bool) -> None:
    assert changes(statement) is changed


async def test_what_was_read_is_read_again_only_after_a_change(storage: Storage) -> None:
    user, reads = a_user("ada"), 0
    await storage.run(lambda unit: unit.users.add(user))

    def look(unit: UnitOfWork) -> User | None:
        nonlocal reads
        reads += 1
        return unit.users.get(user.id)

    async def recalled() -> User | None:
        return await storage.recall(user.id, look)

    assert await recalled() == await recalled() == user
    await storage.run(lambda unit: unit.audit.record(OPERATOR, Noted(n=1)))
    assert (await recalled(), reads) == (user, 1)
    with pytest.raises(RuntimeError):
        await storage.run(lambda unit: [unit.users.update(_renamed(user)), _fail()])
    assert (await recalled(), reads) == (user, 1), "what was rolled back changed nothing"
    await storage.run(lambda unit: unit.users.update(_renamed(user)))
    assert (await recalled(), reads) == (_renamed(user), 2)


async def test_nothing_is_kept_of_what_is_not_there(storage: Storage) -> None:
    user = a_user("eve")
    assert await storage.recall("eve", lambda unit: unit.users.get(user.id)) is None
    await storage.run(lambda unit: unit.users.add(user))
    assert await storage.recall("eve", lambda unit: unit.users.get(user.id)) == user


async def test_a_read_that_a_write_overtakes_is_not_kept(storage: Storage) -> None:
    user = a_user("ada")
    await storage.run(lambda unit: unit.users.add(user))
    begun, go_on = threading.Event(), threading.Event()

    def slow(unit: UnitOfWork) -> User | None:
        found = unit.users.get(user.id)
        begun.set()
        go_on.wait(10)
        return found

    reading = asyncio.create_task(storage.recall(user.id, slow))
    await asyncio.to_thread(begun.wait, 10)
    await storage.run(lambda unit: unit.users.update(_renamed(user)))
    go_on.set()
    assert await reading == user
    assert await storage.recall(user.id, lambda unit: unit.users.get(user.id)) == _renamed(user)


def _renamed(user: User) -> User:
    return dataclasses.replace(user, email="other@pai.test")


def _fail() -> None:
    raise RuntimeError
