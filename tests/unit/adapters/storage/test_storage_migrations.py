"""Migrations of the main database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlcipher3.dbapi2 as sqlcipher
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from pai.adapters.storage import tables
from pai.adapters.storage.cipher import connect
from pai.adapters.storage.migrate import script
from pai.foundation.actor import SYSTEM
from pai.foundation.errors import Unavailable
from storage_home import Noted, StorageHome


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
    assert len(script().get_heads()) == 1


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


def test_an_older_database_is_brought_up_and_kept_beside(home: StorageHome) -> None:
    home.open().run_sync(lambda unit: unit.audit.record(SYSTEM, Noted()))
    home.close()
    connection = connect(home.database, home.vault.database_key())
    connection.execute("DROP TABLE model_measurements")
    connection.close()
    set_revision(home, "0001")
    assert home.open().read_sync(lambda unit: (unit.audit.size(), unit.models.measurements())) == (1, [])
    assert sorted(path.name for path in home.database.parent.glob("*.db")) == ["main-before-0002.db", "main.db"]


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
