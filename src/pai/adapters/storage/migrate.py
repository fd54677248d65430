"""Alembic migrations of the main database, run by the program itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Engine, create_engine, exc
from sqlalchemy.pool import StaticPool

from pai.adapters.storage.cipher import connect, translated
from pai.foundation.errors import Unavailable
from pai.foundation.redaction import Secret

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory


_FOLDER = Path(__file__).parent / "migrations"


def script() -> ScriptDirectory:
    """Return the folder of migrations inside the package."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return ScriptDirectory.from_config(config)


def migrate(path: Path, key: Secret, target: str = "head") -> None:
    """Upgrade the database at ``path`` to the newest revision (tests stop earlier); a copy of an existing one is made beside it first.

    Raises Unavailable (code ``newer_data``) when a newer PAI wrote it.
    """
    engine = create_engine("sqlite://", module=sqlcipher, poolclass=StaticPool, creator=lambda: connect(path, key))
    existed = path.exists()
    try:
        # Nearly every start finds the newest revision: only the others pay for importing what migrates (0.2 s).
        if not existed or _revision(engine) != newest():
            _upgrade(engine, path, target, existed=existed)
    except exc.DBAPIError as error:
        raise translated(error.orig or error, path) from error
    finally:
        engine.dispose()


def newest() -> str:
    """Return the newest revision, which its file is named after."""
    return max(file.stem[1:5] for file in (_FOLDER / "versions").glob("v[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        table = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
        if connection.exec_driver_sql(table).scalar() is None:
            return None
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return None if found is None else str(found)


def _upgrade(engine: Engine, path: Path, target: str, *, existed: bool) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    directory = script()
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present is not None and present not in {revision.revision for revision in directory.walk_revisions()}:
            raise Unavailable(
                "the database was written by a newer PAI", code="newer_data", hint="install that version or newer"
            )
        if existed and present is not None:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy2(path, path.with_name(f"main-before-{directory.get_current_head()}.db"))
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

        def upgrade(revision: object, _context: MigrationContext) -> list[object]:
            return list(directory._upgrade_revs(target, revision))  # type: ignore[arg-type]  # noqa: SLF001

        configured = MigrationContext.configure(
            connection,
            opts={"fn": upgrade, "script": directory, "render_as_batch": True, "transactional_ddl": False},
        )
        with Operations.context(configured):
            configured.run_migrations()
        if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            connection.exec_driver_sql("COMMIT")
