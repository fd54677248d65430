"""Alembic migrations of the main database, run by the program itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import sqlcipher3.dbapi2 as sqlcipher
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, exc
from sqlalchemy.pool import StaticPool

from pai.adapters.storage.cipher import connect, translated
from pai.foundation.errors import Unavailable
from pai.foundation.redaction import Secret


def script() -> ScriptDirectory:
    """Return the folder of migrations inside the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config)


def migrate(path: Path, key: Secret, target: str = "head") -> None:
    """Upgrade the database at ``path`` to the newest revision (tests stop earlier); a copy of an existing one is made beside it first.

    Raises Unavailable (code ``newer_data``) when a newer PAI wrote it.
    """
    existed = path.exists()
    engine = create_engine("sqlite://", module=sqlcipher, poolclass=StaticPool, creator=lambda: connect(path, key))
    directory = script()
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            present, head = context.get_current_revision(), directory.get_current_head()
            if present == head:
                return
            if present is not None and present not in {revision.revision for revision in directory.walk_revisions()}:
                raise Unavailable(
                    "the database was written by a newer PAI", code="newer_data", hint="install that version or newer"
                )
            if existed and present is not None:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                shutil.copy2(path, path.with_name(f"main-before-{head}.db"))
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

            def upgrade(revision: object, _context: MigrationContext) -> list[object]:
                return list(directory._upgrade_revs(target, revision))  # type: ignore[arg-type]  # noqa: SLF001

            configured = MigrationContext.configure(
                connection,
                opts={"fn": upgrade, "script": directory, "render_as_batch": True, "transactional_ddl": False},
            )
            from alembic.operations import Operations

            with Operations.context(configured):
                configured.run_migrations()
            if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                connection.exec_driver_sql("COMMIT")
    except exc.DBAPIError as error:
        raise translated(error.orig or error, path) from error
    finally:
        engine.dispose()
