"""Reads another program's database without changing anything in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import URL, inspect, text

from mautrix_whatsapp_py.store.engine import create_writer
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.lean import create_async_engine
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, SqliteAddress

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

BATCH_ROWS = 1000
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """A row of a table that is not ours: a column that is missing is like one that is empty."""

    _values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A column as text."""
        value = self._values.get(name)
        if isinstance(value, bytes):
            return value.decode(errors="replace")
        return "" if value is None else str(value)

    def number(self, name: str) -> int:
        """A column as a whole number."""
        value = self._values.get(name)
        return 0 if value is None else int(value)

    def flag(self, name: str) -> bool:
        """A column as a truth value."""
        return bool(self._values.get(name))

    def raw(self, name: str) -> Any:
        """A column as it is."""
        return self._values.get(name)


class ForeignDatabase:
    """One snapshot of it, for as long as it is open."""

    def __init__(self, connection: AsyncConnection, columns: Mapping[str, tuple[str, ...]]) -> None:
        self._connection = connection
        self._columns = columns

    @property
    def tables(self) -> frozenset[str]:
        """The names of all tables."""
        return frozenset(self._columns)

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table; none when there is no such table."""
        return self._columns.get(table, ())

    async def count(self, table: str) -> int:
        """How many rows a table has; none when there is no such table."""
        if table not in self._columns:
            return 0
        statement = text(f"SELECT count(*) FROM {_quoted(table)}")  # noqa: S608  a quoted name
        with translated():
            return int((await self._connection.execute(statement)).scalar_one())

    async def batches(
        self, table: str, *, order: Sequence[str] = (), **where: str
    ) -> AsyncIterator[list[ForeignRow]]:
        """The rows of a table, some at a time; none when there is no such table."""
        if table not in self._columns:
            return
        parts = [f"SELECT * FROM {_quoted(table)}"]  # noqa: S608  a quoted name
        if where:
            parts.append("WHERE " + " AND ".join(f"{_quoted(name)} = :{name}" for name in where))
        if order:
            parts.append("ORDER BY " + ", ".join(_quoted(name) for name in order))
        with translated():
            result = await self._connection.stream(text(" ".join(parts)), where)
            names = tuple(result.keys())
            async for rows in result.partitions(BATCH_ROWS):
                yield [ForeignRow(dict(zip(names, row, strict=True))) for row in rows]

    async def rows(self, table: str, *, order: Sequence[str] = (), **where: str) -> list[ForeignRow]:
        """All rows of a table."""
        return [row async for batch in self.batches(table, order=order, **where) for row in batch]


@asynccontextmanager
async def opened_foreign(address: DatabaseAddress) -> AsyncIterator[ForeignDatabase]:
    """Open a database for reading. StoreUnavailable when it cannot be."""
    engine = _create_engine(address)
    try:
        with translated():
            connection = await engine.connect()
        try:
            with translated():
                await connection.execute(text(_first_statement(address)))
                columns = await connection.run_sync(_list_columns)
            yield ForeignDatabase(connection, columns)
        finally:
            await connection.close()
    finally:
        await engine.dispose()


def _create_engine(address: DatabaseAddress) -> AsyncEngine:
    if isinstance(address, PostgresAddress):
        return create_writer(address)
    return create_async_engine(_read_only_url(address), hide_parameters=True)


def _read_only_url(address: SqliteAddress) -> URL:
    path = address.path.absolute()
    log = path.with_name(f"{path.name}-wal")
    # Without a log to read nothing is pending, and SQLite needs not even make its own files beside the database.
    is_settled = not log.exists() or log.stat().st_size == 0
    query = {"mode": "ro", "uri": "true", **({"immutable": "1"} if is_settled else {})}
    return URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path))}", query=query)


def _first_statement(address: DatabaseAddress) -> str:
    if isinstance(address, PostgresAddress):
        return "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
    return "SELECT 1 FROM sqlite_master"


def _list_columns(connection: Any) -> dict[str, tuple[str, ...]]:
    inspector = inspect(connection)
    return {
        table: tuple(str(column["name"]) for column in inspector.get_columns(table))
        for table in inspector.get_table_names()
    }


def _quoted(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("not the name of a table or column")
    return f'"{name}"'
