"""Connections: how each dialect is opened, and what every transaction of it begins with."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from mautrix_whatsapp_py.store.lean import create_async_engine
from mautrix_whatsapp_py.store.url import DatabaseAddress, PostgresAddress, SqliteAddress

if TYPE_CHECKING:
    import asyncpg
    from sqlalchemy.ext.asyncio import AsyncEngine

SQLITE_SYNCHRONOUS = "FULL"
"""NORMAL would lose acknowledged transactions when the power fails; bench/transactions.py measures the price."""
BUSY_TIMEOUT_SECONDS = 10.0
CONNECT_TIMEOUT_SECONDS = 10.0
STATEMENT_TIMEOUT_SECONDS = 30.0
IDLE_TRANSACTION_SECONDS = 5.0
APPLICATION = "mautrix-whatsapp-py"
"""How a Postgres server calls us, in its list of connections."""

_SQLITE_PRAGMAS = (
    "journal_mode = WAL",
    # Only macOS knows the difference: its fsync alone does not reach the disk.
    "fullfsync = ON",
    "foreign_keys = ON",
    # A handled message must not stay readable in the file's free pages.
    "secure_delete = ON",
    "journal_size_limit = 67108864",
)


def create_writer(
    address: DatabaseAddress,
    *,
    connections: int = 1,
    sqlite_synchronous: str = SQLITE_SYNCHRONOUS,
    application: str = APPLICATION,
    is_autocommit: bool = False,
) -> AsyncEngine:
    """Connections whose transactions may write; SQLite has one and locks at BEGIN."""
    if isinstance(address, PostgresAddress):
        return _create_postgres(
            address, connections=connections, application=application, is_autocommit=is_autocommit
        )
    engine = _create_sqlite(
        address, pragmas=(*_SQLITE_PRAGMAS, f"synchronous = {sqlite_synchronous}"), connections=1
    )
    # A deferred BEGIN that turns into a write later fails at once with "database is locked".
    _begin_with(engine.sync_engine, "BEGIN IMMEDIATE")
    return engine


def create_reader(address: SqliteAddress, *, connections: int) -> AsyncEngine:
    """Connections that only read, on the last commit, while the writer works."""
    engine = _create_sqlite(address, pragmas=("query_only = ON",), connections=connections)
    _begin_with(engine.sync_engine, "BEGIN")
    return engine


def create_line_writer(address: SqliteAddress, synchronous: str) -> Engine:
    """A connection like the writer's, for a thread instead of an event loop."""
    engine = _create_sqlite_line(address, pragmas=(*_SQLITE_PRAGMAS, f"synchronous = {synchronous}"))
    _begin_with(engine, "BEGIN IMMEDIATE")
    return engine


def create_line_reader(address: SqliteAddress) -> Engine:
    """A connection like a reader's, for a thread instead of an event loop."""
    engine = _create_sqlite_line(address, pragmas=("query_only = ON",))
    _begin_with(engine, "BEGIN")
    return engine


def create_migrator(address: DatabaseAddress, *, lock_timeout_seconds: float) -> AsyncEngine:
    """A connection for schema changes: no statement deadline, patient with other starters."""
    if isinstance(address, PostgresAddress):
        return _create_postgres(address, connections=1, statement_timeout_seconds=None)
    # Rebuilding a table drops it, which with foreign keys on would delete what points to it.
    pragmas = tuple(pragma for pragma in _SQLITE_PRAGMAS if not pragma.startswith("foreign_keys"))
    engine = _create_sqlite(address, pragmas=pragmas, connections=1, busy_timeout_seconds=lock_timeout_seconds)
    _begin_with(engine.sync_engine, "BEGIN IMMEDIATE")
    return engine


def _create_sqlite(
    address: SqliteAddress,
    *,
    pragmas: tuple[str, ...],
    connections: int,
    busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
) -> AsyncEngine:
    ensure_private_file(address.path)
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(address.path.absolute())),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=connections,
        max_overflow=0,
        # A row in an error's text would end in the log.
        hide_parameters=True,
        connect_args={"timeout": busy_timeout_seconds, "isolation_level": None},
    )

    _prepare_with(engine.sync_engine, pragmas)
    return engine


def _create_sqlite_line(address: SqliteAddress, *, pragmas: tuple[str, ...]) -> Engine:
    ensure_private_file(address.path)
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(address.path.absolute())),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None, "check_same_thread": False},
    )
    _prepare_with(engine, pragmas)
    return engine


def _prepare_with(engine: Engine, pragmas: tuple[str, ...]) -> None:
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", prepare)


def ensure_private_file(path: Path) -> None:
    """Create the file for its owner only; SQLite gives its journal files the same mode."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _begin_with(engine: Engine, statement: str) -> None:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    event.listen(engine, "begin", begin)


def _create_postgres(
    address: PostgresAddress,
    *,
    connections: int,
    statement_timeout_seconds: float | None = STATEMENT_TIMEOUT_SECONDS,
    application: str = APPLICATION,
    is_autocommit: bool = False,
) -> AsyncEngine:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=_postgres_connector(address.dsn, statement_timeout_seconds, application),
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        **({"isolation_level": "AUTOCOMMIT"} if is_autocommit else {}),
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _postgres_connector(
    dsn: str, statement_timeout_seconds: float | None, application: str
) -> Callable[..., Awaitable[asyncpg.Connection]]:
    async def connect(*_args: object, **_kwargs: object) -> asyncpg.Connection:
        return await _connect(dsn, statement_timeout_seconds, application)

    return connect


async def connect_postgres(address: PostgresAddress, *, application: str = APPLICATION) -> asyncpg.Connection:
    """A connection of the driver itself."""
    return await _connect(address.dsn, STATEMENT_TIMEOUT_SECONDS, application)


async def _connect(dsn: str, statement_timeout_seconds: float | None, application: str) -> asyncpg.Connection:
    # A bridge on SQLite need not hold it.
    import asyncpg

    settings = {"application_name": application}
    if application != APPLICATION:
        # One of several workers: one that froze must not keep the others from the rows it was about to write.
        settings["idle_in_transaction_session_timeout"] = f"{IDLE_TRANSACTION_SECONDS * 1000:.0f}"
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=statement_timeout_seconds,
        server_settings=settings,
    )


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool reconnect instead of handing out a connection the server has closed meanwhile."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError("closed by the server")
