"""Keys of encrypted rooms from one database to another, which may be of the other kind."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from mautrix.util.async_db import Database, Scheme, UpgradeTable

from mautrix_whatsapp_py.matrix.key_tables import FACTS_TABLE, KEY_TABLES, ensure_facts

BATCH_ROWS = 500
_VERSION = "SELECT version FROM crypto_version"
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_BOOLEANS = frozenset({"shared", "deleted", "is_scheduled"})
"""SQLite has none."""
_PADDED = frozenset({"signature"})
"""Columns that Postgres fills up with blanks."""
Row = Mapping[str, Any]


class KeysUnknown(Exception):
    """The keys are those of another version of the library."""


class KeysThere(Exception):
    """The target holds keys already."""


async def copy_keys(source: str, target: str) -> int:
    """Copy every key, as they are at one moment; how many rows. KeysUnknown, KeysThere, ImportError.

    One of both at least is Postgres: files are copied as files.
    """
    async with _opened(source, UpgradeTable()) as old:
        if not await old.table_exists("crypto_version"):
            return 0
        async with _in_transaction(old) as reading:
            if old.scheme != Scheme.SQLITE:
                await reading.execute(_SNAPSHOT)
            return await _fill(reading, target)


@asynccontextmanager
async def _in_transaction(database: Database) -> AsyncIterator[Any]:
    # Not `acquire`, which hands out the connection of another database where one is held.
    async with database.acquire_direct() as acquired:
        connection: Any = acquired
        async with connection.transaction():
            yield connection


async def _fill(reading: Any, target: str) -> int:
    # Loads the ciphers, which need not be installed where nothing is encrypted.
    from mautrix.crypto import PgCryptoStore

    async with _opened(target, PgCryptoStore.upgrade_table) as new:
        await ensure_facts(new)
        async with _in_transaction(new) as writing:
            if await reading.fetchval(_VERSION) != await writing.fetchval(_VERSION):
                raise KeysUnknown
            if await writing.fetchval("SELECT count(*) FROM crypto_account"):
                raise KeysThere
            to_value = _to_sqlite if new.scheme == Scheme.SQLITE else _to_postgres
            counts = [await _copy_table(reading, writing, table, to_value) for table in KEY_TABLES]
    return sum(counts)


async def _copy_table(reading: Any, writing: Any, table: str, to_value: Callable[[str, Any], Any]) -> int:
    if table == FACTS_TABLE and not await reading.table_exists(table):
        return 0
    rows: Sequence[Row] = await reading.fetch(f"SELECT * FROM {table}")  # noqa: S608  names of ours
    if not rows:
        return 0
    names = list(rows[0].keys())
    columns, places = ", ".join(f'"{name}"' for name in names), ", ".join(f"${n + 1}" for n in range(len(names)))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608
    for start in range(0, len(rows), BATCH_ROWS):
        batch = [tuple(to_value(name, row[name]) for name in names) for row in rows[start : start + BATCH_ROWS]]
        await writing.executemany(statement, batch)
    return len(rows)


def _to_postgres(name: str, value: Any) -> Any:
    return bool(value) if name in _BOOLEANS else value


def _to_sqlite(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return value.rstrip(" ") if name in _PADDED else value


@asynccontextmanager
async def _opened(url: str, upgrades: UpgradeTable) -> AsyncIterator[Database]:
    database = Database.create(url, upgrade_table=upgrades, log=logging.getLogger("mau.crypto.db"))
    await database.start()
    try:
        yield database
    finally:
        await database.stop()
