"""Migrations of the main database."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3.dbapi2 as sqlcipher
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from pai.adapters.storage import tables
from pai.adapters.storage.cipher import connect
from pai.adapters.storage.migrate import migrate, newest, script
from pai.adapters.storage.sealed_files import CONVERSATIONS_SCHEMA, SealedFile
from pai.core.audit import encoding, tree
from pai.core.audit.values import EventFilter, Outcome
from pai.core.files.values import File, Use
from pai.foundation.actor import SYSTEM
from pai.foundation.errors import Unavailable
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.refs import ResourceRef
from storage_home import NOW, Noted, StorageHome, a_key


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StorageHome]:
    home = StorageHome.create(tmp_path / "home")
    yield home
    home.close()


def test_migrations_and_tables_agree(home: StorageHome) -> None:
    home.open()
    key = home.vault.database_key()
    engine = create_engine(
        "sqlite://", module=sqlcipher, poolclass=StaticPool, creator=lambda: connect(home.database, key)
    )
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), tables.metadata)
    engine.dispose()
    assert differences == []


def test_there_is_one_line_of_migrations() -> None:
    assert script().get_heads() == [newest()]


def test_a_second_start_changes_nothing_and_copies_nothing(home: StorageHome) -> None:
    home.open().run_sync(lambda unit: unit.audit.record(SYSTEM, Noted()))
    home.close()
    assert home.open().read_sync(lambda unit: unit.audit.size()) == 1
    home.close()
    assert [path.name for path in home.database.parent.iterdir()] == ["main.db"]


def set_revision(home: StorageHome, revision: str) -> None:
    connection = connect(home.database, home.vault.database_key())
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


BEFORE_0004 = (
    "DROP TABLE audit_documents", "DROP TABLE audit_tiles", "DROP INDEX ix_audit_events_at", "DROP INDEX ix_audit_events_model",
    "DROP INDEX ix_audit_events_outcome", "ALTER TABLE audit_events DROP COLUMN outcome",
)  # fmt: skip


BEFORE_0005 = ("DROP TABLE backups", "DROP TABLE backup_secret")
BEFORE_0006 = (
    "DROP TABLE approval_requests", "DROP TABLE approval_votes", "DROP TABLE approval_rules",
    "ALTER TABLE setup_tokens DROP COLUMN made_by", "ALTER TABLE passkeys DROP COLUMN server_holds",
    "ALTER TABLE api_keys DROP COLUMN made_by", "ALTER TABLE users DROP COLUMN clearance", "ALTER TABLE collection_shares DROP COLUMN access",
    "ALTER TABLE collection_shares DROP COLUMN expires_at",
)  # fmt: skip


def make_older(home: StorageHome, revision: str, *statements: str) -> None:
    connection = connect(home.database, home.vault.database_key())
    for statement in statements:
        connection.execute(statement)
    connection.close()
    set_revision(home, revision)


def test_an_older_audit_log_gets_its_tiles_and_indexes(home: StorageHome) -> None:
    """It proves what it held before, and what is in sealed bodies only is found by the new filters."""
    document = ResourceRef("document", new_id("doc"))

    def fill(unit: Any) -> None:
        for n in range(700):
            unit.audit.record(
                SYSTEM,
                Noted(
                    n=n, resource=document if n == 650 else None, outcome=Outcome.REFUSED if n == 600 else Outcome.DONE
                ),
            )
        unit.audit.checkpoint()

    home.open().run_sync(fill)
    home.close()
    make_older(home, "0003", *BEFORE_0006, *BEFORE_0005, *BEFORE_0004)
    storage = home.open()

    def look(unit: Any) -> None:
        assert unit.audit.verify().errors == ()
        assert [one.index for one in unit.audit.events(EventFilter(document=document.id))] == [650]
        assert [one.index for one in unit.audit.events(EventFilter(outcome=Outcome.REFUSED))] == [600]
        root = base64.b64decode(unit.audit.latest_checkpoint().root)
        for index in (0, 255, 256, 511, 650, 699):
            (leaf,) = unit.audit.leaves(index, 1)
            path = unit.audit.inclusion(index, 700)
            assert tree.verify_inclusion(encoding.leaf_of(leaf.salt, leaf.body), index, 700, path, root)

    storage.read_sync(look)
    storage.run_sync(lambda unit: [unit.audit.record(SYSTEM, Noted(n=n)) for n in range(100)])
    storage.read_sync(lambda unit: assert_empty(unit.audit.verify().errors))


def assert_empty(found: tuple[object, ...]) -> None:
    assert found == ()


def older(home: StorageHome, revision: str, *statements: str) -> None:
    """Make the database as that revision made it, with these rows."""
    home.database.parent.mkdir(parents=True, exist_ok=True)
    migrate(home.database, home.vault.database_key(), revision)
    connection = connect(home.database, home.vault.database_key())
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


USER = """INSERT INTO users (id, email, role, kind, public_key, password_salt, password_verifier, first_administrator, created_at)
 VALUES ('usr_1', 'ada@pai.test', 'member', 'person', x'00', x'01', x'02', 0, '2026-01-31T09:00:00Z')"""
SESSION = """INSERT INTO sessions (id, user_id, token_hash, csrf_hash, created_at, seen_at, expires_at, agent, address)
 VALUES ('ses_1', 'usr_1', x'03', x'04', '2026-01-31T09:00:00Z', '2026-01-31T09:00:00Z', '2026-01-31T21:00:00Z', 'Firefox', '::1')"""
KEY = """INSERT INTO api_keys (id, owner_id, name, scopes, ceiling, secret_hash, content, created_at)
 VALUES ('key_1', 'usr_1', 'script', '["inference"]', 'restricted', x'05', 0, '2026-01-31T09:00:00Z')"""
LINKS = """INSERT INTO setup_tokens (token_hash, email, expires_at) VALUES
 (x'06', 'ada@pai.test', '2026-01-31T09:30:00Z'), (x'07', 'first@pai.test', '2026-01-31T09:30:00Z')"""


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_an_older_database_is_brought_up_losing_nothing_and_kept_beside(home: StorageHome, revision: str) -> None:
    older(home, revision, USER, SESSION, KEY, LINKS)

    def look(unit: Any) -> Any:
        return (
            unit.users.get("usr_1").email, unit.users.sessions("usr_1")[0].methods, unit.users.key("key_1").networks,
            {one.email: (one.user_id, one.role, one.first) for one in unit.users.setup_tokens(NOW)},
            unit.factors.holders(), unit.models.measurements(),
        )  # fmt: skip

    links = {"ada@pai.test": ("usr_1", "", False), "first@pai.test": ("", "administrator", True)}
    assert home.open().read_sync(look) == ("ada@pai.test", ("password",), (), links, {}, [])
    assert sorted(path.name for path in home.database.parent.glob("*.db")) == [f"main-before-{newest()}.db", "main.db"]


def passkey(number: int, user: str, *, opens: int = 0) -> str:
    return (
        "INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, name, transports, synced, opens_content, created_at) "
        f"VALUES ('psk_{number}', '{user}', x'{number:02x}', x'00', 0, 'phone', '[]', 0, {opens}, '2026-01-31T09:00:00Z')"
    )


def person(user: str, *, first: int = 0, held: bool = True) -> list[str]:
    row = USER.replace("usr_1", user).replace("ada@", f"{user}@").replace(", 0, '2026", f", {first}, '2026")
    wrap = (
        "INSERT INTO member_wraps (id, user_id, factor, factor_id, blob, created_at) "
        f"VALUES ('wrp_{user}', '{user}', 'console', '', x'00', '2026-01-31T09:00:00Z')"
    )
    return [row, wrap] if held else [row]


def test_of_older_passkeys_only_the_one_that_this_server_surely_holds_the_key_for_keeps_that(home: StorageHome) -> None:
    older(
        home, "0005", *person("usr_sure"), passkey(1, "usr_sure"), passkey(2, "usr_sure", opens=1),
        *person("usr_several"), passkey(3, "usr_several"), passkey(4, "usr_several"),
        *person("usr_first", first=1), passkey(5, "usr_first"), *person("usr_none", held=False), passkey(6, "usr_none"),
        LINKS,
    )  # fmt: skip

    def look(unit: Any) -> Any:
        held = [one.id for user in unit.users.list() for one in unit.factors.passkeys(user.id) if one.server_holds]
        return held, {one.made_by for one in unit.users.setup_tokens(NOW)}, {one.clearance for one in unit.users.list()}

    assert home.open().read_sync(look) == (["psk_1"], {""}, {Label.RESTRICTED})


def test_older_code_refuses_a_newer_database(home: StorageHome) -> None:
    home.open()
    home.close()
    set_revision(home, "9999")
    before = home.database.read_bytes()
    with pytest.raises(Unavailable, match="newer PAI") as caught:
        home.open()
    assert caught.value.code == "newer_data"
    assert home.database.read_bytes() == before


@pytest.mark.parametrize("table", ["collections", "documents"])
def test_governing_columns_are_there_from_the_first_migration(table: str) -> None:
    columns = set(tables.metadata.tables[table].columns.keys())
    assert {"label", "purpose", "training", "retention", "restricted"} <= columns


def test_a_members_file_of_an_older_home_takes_responses_and_files(home: StorageHome) -> None:
    """It was made when it held conversations only; whoever opens it first, a reader too, brings it up."""
    storage, key, user = home.open(), a_key(), new_id("usr")
    path = home.root / "conversations" / f"{user}.db"
    old = SealedFile(path, key, CONVERSATIONS_SCHEMA[:2], read_only=False)
    old.db.execute("INSERT INTO conversations (id, owner_id, title, label, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
                   ("cnv_1", user, "old", "confidential", NOW.isoformat(), NOW.isoformat()))  # fmt: skip
    old.close()
    assert storage.read_sync(lambda unit: unit.open_files(user, key).list()) == []
    file = File(new_id("file"), user, "a.txt", Use.USER_DATA, new_id("blb"), 1, "d", NOW)
    storage.run_sync(lambda unit: unit.open_files(user, key).put(file))
    assert storage.read_sync(lambda unit: unit.open_files(user, key).list()) == [file]
    assert storage.read_sync(lambda unit: unit.open_responses(user, key).get("resp_x")) is None
    assert [one.title for one in storage.read_sync(lambda unit: unit.open_conversations(user, key).list())] == ["old"]
