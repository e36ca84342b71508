"""Transactions on the database, the same on both dialects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from sqlalchemy import text

from mautrix_whatsapp_py.errors import StoreError, StoreUnavailable
from mautrix_whatsapp_py.store.engine import (
    APPLICATION,
    SQLITE_SYNCHRONOUS,
    create_line_reader,
    create_line_writer,
    create_reader,
    create_writer,
)
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.line import Line
from mautrix_whatsapp_py.store.tx import DriverTx, Tx, Work
from mautrix_whatsapp_py.store.unbroken import unbroken
from mautrix_whatsapp_py.store.url import DatabaseAddress, SqliteAddress

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

SQLITE_READERS = 4
POSTGRES_CONNECTIONS = 10
TURN_TIMEOUT_SECONDS = 30.0

__all__ = ["Store", "Tx"]
Result = TypeVar("Result")
OnTime: TypeAlias = Callable[[str, float], None]
"""Told what kind of work is done and how many seconds it took."""
Allowed: TypeAlias = Callable[[Tx], Awaitable[bool]]
"""Says, in a transaction, whether its writer may write."""


class _Gate:
    """Connections of one kind and the turns to use them."""

    def __init__(self, engine: AsyncEngine, *, connections: int) -> None:
        self.engine = engine
        self._turns = asyncio.Semaphore(connections)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The right to work; whoever waits for it for too long is told StoreUnavailable."""
        try:
            async with asyncio.timeout(TURN_TIMEOUT_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("The database is too busy.") from error
        try:
            yield
        finally:
            self._turns.release()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection with nothing open on it; what is open at the end is rolled back."""
        async with self.turn():
            connection = self.engine.connect()
            try:
                with translated():
                    await unbroken(connection.start())
                yield connection
            finally:
                await _close(connection)


async def _close(connection: AsyncConnection) -> None:
    # Without one there is nothing to give back: it could not be opened.
    if connection.sync_connection is not None:
        with translated():
            await unbroken(connection.close())


class Store:
    """The database. Repositories hold the statements; whoever composes several of them opens the transaction."""

    def __init__(
        self,
        address: DatabaseAddress,
        *,
        sqlite_synchronous: str = SQLITE_SYNCHRONOUS,
        on_time: OnTime = lambda _kind, _seconds: None,
        connections: int = POSTGRES_CONNECTIONS,
        application: str = APPLICATION,
        is_allowed: Allowed | None = None,
        is_autocommit: bool = False,
    ) -> None:
        """`is_allowed` is asked at the beginning of each transaction that may write; on Postgres only.

        With `is_autocommit` each statement is a transaction: whoever freezes between two of them holds no lock.
        """
        self._is_allowed = is_allowed
        self.address = address
        self._on_time = on_time
        if isinstance(address, SqliteAddress):
            self._writers = _Gate(create_writer(address, sqlite_synchronous=sqlite_synchronous), connections=1)
            self._readers = _Gate(create_reader(address, connections=SQLITE_READERS), connections=SQLITE_READERS)
            writer, reader = create_line_writer(address, sqlite_synchronous), create_line_reader(address)
            self._write_line: Line | None = Line(writer, self._writers.turn, name="store-writer")
            self._read_line: Line | None = Line(reader, nullcontext, name="store-reader")
        else:
            self._write_line = self._read_line = None
            engine = create_writer(
                address, connections=connections, application=application, is_autocommit=is_autocommit
            )
            self._writers = self._readers = _Gate(engine, connections=connections)

    def transaction(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that may write: committed at the end of the block, rolled back when the block raises.

        Keep it short, with no network inside; on SQLite nobody else writes meanwhile. Raises StoreUnavailable when
        the database is away; after a failed COMMIT it is unknown whether it took place.
        """
        return self._run(self._writers, self._is_allowed)

    def reading(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction that only reads and waits for no writer."""
        return self._run(self._readers)

    async def write(self, work: Work[Result], *, is_patient: bool = False) -> Result:
        """What work returns that is one transaction; cheaper than `transaction`, with one commit for many.

        Patient work is not in a hurry: it may wait a moment for a commit to share. Raises as `transaction` does.
        """
        if self._write_line is not None:
            with self._timed("write"):
                return cast(Result, await self._write_line.run(work, is_patient=is_patient))
        async with self.transaction() as tx:
            return await work(tx)

    def hurry(self) -> None:
        """Somebody waits for what is being written."""
        if self._write_line is not None:
            self._write_line.hurry()

    async def read(self, work: Work[Result]) -> Result:
        """What work returns that only reads; cheaper than `reading`."""
        if self._read_line is not None:
            with self._timed("read"):
                return cast(Result, await self._read_line.run(work))
        async with self.reading() as tx:
            return await work(tx)

    @asynccontextmanager
    async def _run(self, gate: _Gate, is_allowed: Allowed | None = None) -> AsyncIterator[Tx]:
        with self._timed("transaction" if gate is self._writers else "reading"):
            async with self._run_untimed(gate, is_allowed) as tx:
                yield tx

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._on_time(kind, time.perf_counter() - started)

    @asynccontextmanager
    async def _run_untimed(self, gate: _Gate, is_allowed: Allowed | None) -> AsyncIterator[Tx]:
        async with gate.connection() as connection:
            tx = DriverTx(connection)
            if is_allowed is not None and not await is_allowed(tx):
                raise StoreUnavailable("Another worker has taken over.")
            yield tx
            if tx.has_failed:
                # Postgres answers COMMIT after a failed statement with a silent rollback.
                raise StoreError("The database refused a part of the work, so nothing of it was stored.")
            with translated():
                await unbroken(connection.commit())

    async def check(self) -> None:
        """Raise StoreUnavailable unless the database answers."""
        async with self.reading() as tx:
            await tx.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections; whoever still uses one closes it when done."""
        for line in (self._write_line, self._read_line):
            if line is not None:
                await line.close()
        for gate in dict.fromkeys((self._writers, self._readers)):
            with translated():
                await unbroken(gate.engine.dispose())
