"""What only SQLite can get wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import text

from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable
from mautrix_whatsapp_py.store import engine
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
rows = KvRows()


async def pragma(tx: Tx, name: str) -> object:
    return (await tx.execute(text(f"PRAGMA {name}"))).scalar_one()


async def test_the_writer_waits_for_the_disk_and_keeps_references_whole(store: Store) -> None:
    async with store.transaction() as tx:
        assert await pragma(tx, "journal_mode") == "wal"
        assert await pragma(tx, "synchronous") == 2
        assert await pragma(tx, "foreign_keys") == 1


async def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError):
        async with store.reading() as tx:
            await rows.put(tx, "key", "value")


@contextmanager
def another_program_writing(address: DatabaseAddress) -> Iterator[None]:
    assert isinstance(address, SqliteAddress)
    with closing(sqlite3.connect(address.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


async def test_a_file_another_program_keeps_locked_is_unavailability(
    migrated: DatabaseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SQLITE_PRAGMAS", (*engine._SQLITE_PRAGMAS, "busy_timeout = 10"))
    store = Store(migrated)
    with another_program_writing(migrated), pytest.raises(StoreUnavailable):
        async with store.transaction() as tx:
            await rows.put(tx, "key", "value")
    async with store.transaction() as tx:
        await rows.put(tx, "key", "value")
    await store.close()


def test_the_files_are_readable_by_their_owner_only(migrated: DatabaseAddress, store: Store) -> None:
    assert isinstance(migrated, SqliteAddress)
    assert store.address is migrated
    files = list(migrated.path.parent.glob("bridge.db*"))
    assert files
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
