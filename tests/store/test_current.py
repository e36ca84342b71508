"""A database that is up to date needs no migrations, every other does."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from mautrix_whatsapp_py.store.current import HEAD, fetch_revision, is_current
from mautrix_whatsapp_py.store.migrate import migrations_folder
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, SqliteAddress


def test_the_head_is_that_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_a_migrated_database_is_current(migrated: DatabaseAddress, store: Store) -> None:
    assert await is_current(migrated)
    assert await fetch_revision(store) == HEAD


async def test_an_empty_database_is_not(empty: DatabaseAddress) -> None:
    assert not await is_current(empty)
    assert not isinstance(empty, SqliteAddress) or not empty.path.exists()


CHANGES = [
    "UPDATE alembic_version SET version_num = '9999'",
    "DELETE FROM alembic_version",
    "UPDATE database_owner SET owner = 'another'",
    "CREATE TABLE state_groups_state (x INTEGER)",
    "CREATE TABLE roomserver_rooms (x INTEGER)",
]


@pytest.mark.parametrize("change", CHANGES)
async def test_one_that_needs_a_closer_look_is_not(migrated: DatabaseAddress, store: Store, change: str) -> None:
    async with store.transaction() as tx:
        await tx.execute(text(change))
    assert not await is_current(migrated)


async def test_one_that_is_away_is_not(tmp_path: Path) -> None:
    assert not await is_current(SqliteAddress(path=tmp_path / "no" / "folder.db"))
    (tmp_path / "text.db").write_text("this is no database")
    assert not await is_current(SqliteAddress(path=tmp_path / "text.db"))
    assert not await is_current(PostgresAddress(dsn="postgresql://nobody@127.0.0.1:1/x", name="x"))
