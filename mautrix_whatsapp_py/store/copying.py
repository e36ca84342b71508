"""Copies of the whole database, from one kind to the other, taken at one moment while it is in use."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Table, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mautrix_whatsapp_py.store.cluster_tables import leases, wa_facts, wa_journal, wa_sends, workers
from mautrix_whatsapp_py.store.engine import create_reader, create_writer, ensure_private_file
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.inbox import HANDLED
from mautrix_whatsapp_py.store.tables import database_owner, inbox, kv, metadata, outbox
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, SqliteAddress

BATCH_ROWS = 500
LEFT_OUT = (database_owner, leases, workers, wa_journal, wa_sends, wa_facts)
"""Who has a database is its own affair; what is kept beside sessions goes with those."""
MARK = "homeserver mark"
OnRows = Callable[[str, int], None]
"""Told a table's name and how many of its rows are copied."""


class NotEmpty(Exception):
    """The target holds rows already."""


async def copy_database(source: DatabaseAddress, target: DatabaseAddress, on_rows: OnRows) -> dict[str, int]:
    """Copy every row into a database that has our tables and nothing in them; how many there are of each table.

    Both have to have the newest schema. NotEmpty, StoreError.
    """
    reading = create_reader(source, connections=1) if isinstance(source, SqliteAddress) else create_writer(source)
    writing = create_writer(target)
    try:
        with translated():
            async with reading.connect() as old, writing.begin() as new:
                if isinstance(source, PostgresAddress):
                    snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
                    await old.execute(text(snapshot))
                return await _copy_tables(old, new, on_rows)
    finally:
        await _dispose(reading, writing)


async def _copy_tables(old: AsyncConnection, new: AsyncConnection, on_rows: OnRows) -> dict[str, int]:
    tables = [table for table in metadata.sorted_tables if table not in LEFT_OUT]
    for table in tables:
        if (await new.execute(select(func.count()).select_from(table))).scalar_one():
            raise NotEmpty
    counts = {}
    for table in tables:
        counts[table.name] = await _copy_rows(table, old, new)
        on_rows(table.name, counts[table.name])
        column = _growing_column(table)
        if column is not None:
            await _put_last(new, table, column, await _get_last(old, table, column))
    return counts


async def _copy_rows(table: Table, old: AsyncConnection, new: AsyncConnection) -> int:
    count = 0
    rows = await old.stream(select(table))
    async for batch in rows.mappings().partitions(BATCH_ROWS):
        await new.execute(insert(table), _plain(batch))
        count += len(batch)
    return count


def _plain(batch: Sequence[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    return [dict(row) for row in batch]


def _growing_column(table: Table) -> str | None:
    """The column whose numbers are never used twice."""
    return next((column.name for column in table.primary_key if column.autoincrement is True), None)


async def _get_last(connection: AsyncConnection, table: Table, column: str) -> int:
    """The last number that was given, whether or not its row is still there."""
    if connection.dialect.name == "sqlite":
        found = await connection.execute(
            text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
        )
        return int(found.scalar() or 0)
    name = await _sequence(connection, table, column)
    found = await connection.execute(text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}"))  # noqa: S608
    return int(found.scalar() or 0)


async def _put_last(connection: AsyncConnection, table: Table, column: str, last: int) -> None:
    if last == 0:
        return
    if connection.dialect.name == "sqlite":
        await connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        statement = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)")
        await connection.execute(statement, {"name": table.name, "last": last})
        return
    name = await _sequence(connection, table, column)
    await connection.execute(text("SELECT setval(CAST(:name AS regclass), :last)"), {"name": name, "last": last})


async def _sequence(connection: AsyncConnection, table: Table, column: str) -> str:
    statement = text("SELECT pg_get_serial_sequence(:table, :column)")
    return str((await connection.execute(statement, {"table": table.name, "column": column})).scalar_one())


def snapshot_file(source: Path, target: Path) -> None:
    """Write a SQLite database as it is at one moment into a new file; whoever writes meanwhile goes on."""
    ensure_private_file(target)
    with closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("VACUUM INTO ?", (str(target),))


async def settle_in_flight(address: DatabaseAddress) -> int:
    """Let nothing be sent that was on its way when the copy was made: the original has gone on and sent it.

    How many messages to WhatsApp that were.
    """
    engine = create_writer(address)
    try:
        with translated():
            async with engine.begin() as connection:
                waiting = inbox.c.body.is_not(None)
                count = (await connection.execute(select(func.count()).where(waiting))).scalar_one()
                await connection.execute(update(inbox).where(waiting).values(HANDLED))
                await connection.execute(delete(outbox))
                await connection.execute(delete(kv).where(kv.c.key == MARK))
                return int(count)
    finally:
        await engine.dispose()


async def _dispose(*engines: AsyncEngine) -> None:
    for engine in engines:
        await engine.dispose()
