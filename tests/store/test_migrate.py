"""The schema comes up, goes down and comes up again; databases that are not ours are left alone."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from asyncio import create_subprocess_exec, gather
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from mautrix_whatsapp_py.errors import ExitCode, StartupError
from mautrix_whatsapp_py.store import migrate as migrate_module
from mautrix_whatsapp_py.store.current import HEAD
from mautrix_whatsapp_py.store.engine import create_migrator
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.migrate import downgrade, migrate, migrations_folder
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.tables import metadata
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, SqliteAddress, decode_database_url

ROOT = Path(__file__).resolve().parents[2]
NEXT_REVISION = """
from alembic import op
import sqlalchemy as sa

revision = "9999"
down_revision = "{head}"


def upgrade():
    with op.batch_alter_table("kv") as table:
        table.add_column(sa.Column("extra", sa.Text))
{more}

def downgrade():
    with op.batch_alter_table("kv") as table:
        table.drop_column("extra")
"""


async def look(address: DatabaseAddress) -> tuple[list[object], set[str]]:
    """How the database differs from tables.py, and its tables."""

    def compare(connection: Connection) -> tuple[list[object], set[str]]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        return compare_metadata(context, metadata), set(inspect(connection).get_table_names())

    engine = create_migrator(address, lock_timeout_seconds=5)
    async with engine.begin() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def run_sql(address: DatabaseAddress, *statements: str) -> None:
    engine = create_migrator(address, lock_timeout_seconds=5)
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


async def put(address: DatabaseAddress, key: str, value: str) -> None:
    store = Store(address)
    async with store.transaction() as tx:
        await KvRows().put(tx, key, value)
    await store.close()


async def get(address: DatabaseAddress, key: str) -> str | None:
    store = Store(address)
    async with store.reading() as tx:
        value = await KvRows().get(tx, key)
    await store.close()
    return value


@pytest.fixture
def next_version(migrated: DatabaseAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a later version of the program, in use once a database of the present one is there."""
    folder = tmp_path / "later" / "alembic"
    shutil.copytree(migrations_folder(), folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_next.py").write_text(NEXT_REVISION.format(more="", head=HEAD))
    monkeypatch.setattr(migrate_module, "migrations_folder", lambda: folder)
    return folder


async def test_up_down_up_gives_the_tables_the_program_uses(empty: DatabaseAddress) -> None:
    await migrate(empty)
    differences, tables = await look(empty)
    assert differences == []
    assert tables >= set(metadata.tables)
    await downgrade(empty, to="base")
    assert (await look(empty))[1] - {"sqlite_sequence"} == {"alembic_version"}
    await migrate(empty)
    assert (await look(empty))[0] == []


async def test_constraints_carry_the_names_later_migrations_will_use(migrated: DatabaseAddress) -> None:
    def names(connection: Connection) -> set[str | None]:
        found = inspect(connection)
        return {
            constraint["name"]
            for table in metadata.tables
            for constraint in (
                found.get_pk_constraint(table),
                *found.get_unique_constraints(table),
                *found.get_foreign_keys(table),
                *found.get_check_constraints(table),
                *found.get_indexes(table),
            )
        }

    engine = create_migrator(migrated, lock_timeout_seconds=5)
    async with engine.begin() as connection:
        found = await connection.run_sync(names)
    await engine.dispose()
    expected = {str(constraint.name) for table in metadata.tables.values() for constraint in table.constraints}
    expected |= {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    if isinstance(migrated, SqliteAddress):
        # AUTOINCREMENT only comes with an unnamed key.
        expected -= {
            f"pk_{table.name}" for table in metadata.tables.values() if table.kwargs.get("sqlite_autoincrement")
        }
    assert {name for name in found if name is not None} >= expected


async def test_migrating_again_changes_nothing(migrated: DatabaseAddress, tmp_path: Path) -> None:
    await put(migrated, "key", "value")
    await migrate(migrated)
    assert await get(migrated, "key") == "value"
    assert not list(tmp_path.glob("*.bak-*"))


async def test_five_starts_at_once_are_fine(empty: DatabaseAddress) -> None:
    program = (
        "import asyncio, sys; from mautrix_whatsapp_py.store.migrate import migrate;"
        "from mautrix_whatsapp_py.store.url import decode_database_url;"
        "asyncio.run(migrate(decode_database_url(sys.argv[1])))"
    )
    url = empty.dsn if isinstance(empty, PostgresAddress) else f"sqlite:///{empty.path}"
    starts = await gather(
        *(create_subprocess_exec(sys.executable, "-c", program, url, cwd=ROOT, stderr=PIPE) for _ in range(5))
    )
    errors = await gather(*(start.communicate() for start in starts))
    assert [start.returncode for start in starts] == [0] * 5, errors
    assert (await look(empty))[0] == []


@pytest.mark.usefixtures("next_version")
async def test_an_older_sqlite_file_is_backed_up_before_it_is_upgraded(
    migrated: DatabaseAddress, tmp_path: Path
) -> None:
    await put(migrated, "key", "value")
    await migrate(migrated)
    assert await get(migrated, "key") == "value"
    backups = list(tmp_path.glob("*.bak-*"))
    if isinstance(migrated, PostgresAddress):
        assert backups == []
        return
    assert backups == [tmp_path / f"bridge.db.bak-{HEAD}"]
    assert backups[0].stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(backups[0])) as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        assert backup.execute("SELECT value FROM kv").fetchall() == [("value",)]


async def test_a_failing_upgrade_changes_nothing(migrated: DatabaseAddress, next_version: Path) -> None:
    broken = NEXT_REVISION.format(more='    op.execute("INSERT INTO no_such_table VALUES (1)")\n', head=HEAD)
    (next_version / "versions" / "9999_next.py").write_text(broken)
    await put(migrated, "key", "value")
    with pytest.raises(StartupError) as caught:
        await migrate(migrated)
    assert caught.value.code is ExitCode.DATABASE_UNSUPPORTED
    assert (await look(migrated))[0] == []
    assert await get(migrated, "key") == "value"


async def test_a_newer_schema_is_refused_unless_told_otherwise(
    migrated: DatabaseAddress, next_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(migrated)
    monkeypatch.undo()
    assert migrate_module.migrations_folder() != next_version
    with pytest.raises(StartupError, match="9999") as caught:
        await migrate(migrated)
    assert caught.value.code is ExitCode.DATABASE_UNSUPPORTED
    assert "--ignore-unsupported-database" in caught.value.mend
    await migrate(migrated, is_unsupported_allowed=True)
    await put(migrated, "key", "value")


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (("CREATE TABLE state_groups_state (id BIGINT)",), "Synapse"),
        (("CREATE TABLE roomserver_rooms (id BIGINT)",), "Dendrite"),
        (
            (
                "CREATE TABLE database_owner (key INTEGER PRIMARY KEY, owner TEXT NOT NULL)",
                "INSERT INTO database_owner VALUES (0, 'megabridge/mautrix-whatsapp')",
            ),
            "megabridge/mautrix-whatsapp",
        ),
        (("CREATE TABLE users (name TEXT)",), "another program"),
        (
            (
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
                "INSERT INTO alembic_version VALUES ('cafe')",
            ),
            "another program",
        ),
    ],
)
async def test_a_database_of_another_program_is_refused(
    empty: DatabaseAddress, statements: tuple[str, ...], named: str
) -> None:
    await run_sql(empty, *statements)
    before = (await look(empty))[1]
    with pytest.raises(StartupError, match=named) as caught:
        await migrate(empty)
    assert caught.value.code is ExitCode.DATABASE_UNSUPPORTED
    assert "--ignore-foreign-tables" in caught.value.mend
    assert (await look(empty))[1] == before


async def test_foreign_tables_may_be_ignored(empty: DatabaseAddress) -> None:
    await run_sql(empty, "CREATE TABLE state_groups_state (id BIGINT)")
    await migrate(empty, is_foreign_allowed=True)
    assert (await look(empty))[1] >= set(metadata.tables) | {"state_groups_state"}
    await migrate(empty, is_foreign_allowed=True)


async def test_tables_in_the_way_are_one_line_also_when_ignored(empty: DatabaseAddress) -> None:
    await run_sql(empty, "CREATE TABLE users (name TEXT)")
    with pytest.raises(StartupError) as caught:
        await migrate(empty, is_foreign_allowed=True)
    assert caught.value.code is ExitCode.DATABASE_UNSUPPORTED
    assert "\n" not in str(caught.value)


async def unavailable(address: DatabaseAddress) -> str:
    with pytest.raises(StartupError) as caught:
        await migrate(address)
    assert caught.value.code is ExitCode.DATABASE_UNAVAILABLE
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_an_unreachable_server_is_named_without_its_password() -> None:
    line = await unavailable(decode_database_url("postgresql://bridge:secret@127.0.0.1:1/bridge"))
    assert "bridge on 127.0.0.1:1" in line
    assert "secret" not in line


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "bridge.db"
    assert str(path) in await unavailable(SqliteAddress(path=path))
    assert not path.parent.exists()


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    path.write_text("a letter to a friend, much longer than the header of a database" * 100)
    before = path.read_bytes()
    assert str(path) in await unavailable(SqliteAddress(path=path))
    assert path.read_bytes() == before


async def test_an_installed_package_carries_its_migrations(tmp_path: Path) -> None:
    site = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mautrix_whatsapp_py", site / "mautrix_whatsapp_py", ignore=ignored)
    shutil.copytree(ROOT / "alembic", site / "mautrix_whatsapp_py" / "store" / "alembic", ignore=ignored)
    program = (
        "import asyncio; from pathlib import Path; from mautrix_whatsapp_py.store import migrate, url;"
        "asyncio.run(migrate.migrate(url.SqliteAddress(path=Path('bridge.db'))));"
        "print(migrate.migrations_folder())"
    )
    run = await create_subprocess_exec(sys.executable, "-c", program, cwd=site, stdout=PIPE)
    output, _ = await run.communicate()
    assert run.returncode == 0
    assert output.decode().strip() == str(site / "mautrix_whatsapp_py" / "store" / "alembic")
    assert (await look(SqliteAddress(path=site / "bridge.db")))[0] == []


async def test_whoever_writes_a_migration_may_use_the_shell(empty: DatabaseAddress) -> None:
    url = empty.dsn if isinstance(empty, PostgresAddress) else f"sqlite:///{empty.path}"
    program = "import sys; from alembic.config import main; main(sys.argv[1:])"
    for words in (("upgrade", "head"), ("downgrade", "base"), ("upgrade", "head")):
        command = (sys.executable, "-c", program, "-x", f"database={url}", *words)
        run = await create_subprocess_exec(*command, cwd=ROOT)
        assert await run.wait() == 0
    assert (await look(empty))[0] == []
