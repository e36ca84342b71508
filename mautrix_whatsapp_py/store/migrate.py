"""Brings the schema up to date at start; alembic is the only one who changes our tables."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, select, text

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.store.backup import back_up
from mautrix_whatsapp_py.store.engine import create_migrator
from mautrix_whatsapp_py.store.errors import driver_errors, is_passing
from mautrix_whatsapp_py.store.ownership import Found, require_known, require_own
from mautrix_whatsapp_py.store.tables import database_owner
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, SqliteAddress

log = logging.getLogger(__name__)

LOCK_TIMEOUT_SECONDS = 60
_LOCK_KEY = 0x6D77_7079
"""Names our lock on the Postgres server; any number nobody else uses."""

Work: TypeAlias = Callable[[Connection], None]


async def migrate(
    address: DatabaseAddress,
    *,
    is_foreign_allowed: bool = False,
    is_unsupported_allowed: bool = False,
) -> None:
    """Upgrade the schema; raises StartupError when the database is away, not ours or newer than the program.

    Everything happens in one transaction under a lock, so several may start at once and a failure changes nothing.
    """

    def upgrade(connection: Connection) -> None:
        found = _look(connection)
        scripts = ScriptDirectory.from_config(_config())
        known = {script.revision for script in scripts.walk_revisions()}
        if not is_foreign_allowed:
            require_own(found, where=str(address))
        if found.revision is not None and found.revision not in known and is_unsupported_allowed:
            log.warning("running on schema %s, which this version does not know", found.revision)
            return
        require_known(found, known=known, where=str(address))
        if found.revision == scripts.get_current_head():
            return
        if isinstance(address, SqliteAddress) and found.revision is not None:
            back_up(address.path, label=found.revision)
        command.upgrade(_config(connection), "head")

    await asyncio.to_thread(_run, address, upgrade)


async def downgrade(address: DatabaseAddress, *, to: str) -> None:
    """Take the schema back to a revision, or to `base`; a SQLite file is backed up before."""

    def step_back(connection: Connection) -> None:
        found = _look(connection)
        require_own(found, where=str(address))
        if isinstance(address, SqliteAddress) and found.revision is not None:
            back_up(address.path, label=found.revision)
        command.downgrade(_config(connection), to)

    await asyncio.to_thread(_run, address, step_back)


def migrations_folder() -> Path:
    """Where the migrations are: inside an installed package, at the root of a checkout."""
    installed = Path(__file__).parent / "alembic"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "alembic"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _look(connection: Connection) -> Found:
    tables = frozenset(inspect(connection).get_table_names())
    owner = None
    if database_owner.name in tables:
        owner = connection.execute(select(database_owner.c.owner).where(database_owner.c.key == 0)).scalar()
    revision = MigrationContext.configure(connection).get_current_revision()
    return Found(tables=tables, owner=owner, revision=revision)


def _run(address: DatabaseAddress, work: Work) -> None:
    """Do the work on a locked connection, in a thread and event loop of its own: alembic blocks."""
    try:
        asyncio.run(_run_locked(address, work))
    except CommandError as error:
        raise StartupError(
            f"{address} could not be upgraded",
            mend="its schema version is none of this program's; restore a backup",
            code=ExitCode.DATABASE_UNSUPPORTED,
        ) from error
    except driver_errors() as error:
        raise _translate(address, error) from error


async def _run_locked(address: DatabaseAddress, work: Work) -> None:
    engine = create_migrator(address, lock_timeout_seconds=LOCK_TIMEOUT_SECONDS)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_lock)
            await connection.run_sync(work)
            await connection.run_sync(_require_whole)
    finally:
        await engine.dispose()


def _lock(connection: Connection) -> None:
    # SQLite's BEGIN IMMEDIATE is the lock already.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def _require_whole(connection: Connection) -> None:
    """Raise when rows point to nothing: foreign keys are off while tables are rebuilt."""
    if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
        raise StartupError(
            "the upgrade of the database left rows that point to nothing",
            mend="nothing was changed; report this with the version you come from",
            code=ExitCode.DATABASE_UNSUPPORTED,
        )


def _translate(address: DatabaseAddress, error: Exception) -> StartupError:
    if not is_passing(error):
        return StartupError(
            f"{address} could not be upgraded",
            mend="another program's tables may be in the way; the log has the database's own words",
            code=ExitCode.DATABASE_UNSUPPORTED,
        )
    if isinstance(address, PostgresAddress):
        mend = "check that the server runs and that user, password, host and database in database.uri are right"
    else:
        mend = "check that its folder exists, that the bridge may write there, and that no other program locks it"
    return StartupError(f"{address} cannot be opened", mend=mend, code=ExitCode.DATABASE_UNAVAILABLE)
