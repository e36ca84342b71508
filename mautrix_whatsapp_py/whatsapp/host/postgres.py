"""Postgres for the threads of a host, which wait for its answers."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.host.journal import JournalAway
from mautrix_whatsapp_py.whatsapp.keeping import SCHEMA, Keeping, library_dsn
from mautrix_whatsapp_py.whatsapp.tables import Query, Rows

if TYPE_CHECKING:
    import asyncpg

Answer = TypeVar("Answer")
CALL_SECONDS = 10.0
_CONNECTIONS = 3
_TABLES = {
    "whatsmeow_contacts": "*, row_number() OVER (ORDER BY their_jid) AS rowid",
    "whatsmeow_chat_settings": "*",
    "whatsmeow_message_secrets": "*",
    "whatsmeow_identity_keys": "*",
}


class PostgresAway(JournalAway):
    """The database does not answer, or refuses."""


class PostgresLine:
    """Connections on a thread of their own; to be called from any other."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self._loop = asyncio.new_event_loop()
        self._pool: asyncpg.Pool | None = None
        self._opening: asyncio.Lock | None = None
        threading.Thread(target=self._loop.run_forever, name="postgres", daemon=True).start()

    def run(self, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
        """What the work returns; PostgresAway when the database is away."""
        import asyncpg

        future = asyncio.run_coroutine_threadsafe(self._run(work), self._loop)
        try:
            return future.result(CALL_SECONDS + 1)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            future.cancel()
            raise PostgresAway(type(error).__name__) from error

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
        async with asyncio.timeout(CALL_SECONDS):
            pool = await self._open()
            async with pool.acquire() as connection:
                return await work(connection)

    async def _open(self) -> asyncpg.Pool:
        # Few hosts need it, and it takes megabytes.
        import asyncpg

        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self.keeping.dsn,
                    min_size=0,
                    max_size=_CONNECTIONS,
                    command_timeout=CALL_SECONDS,
                    timeout=CALL_SECONDS,
                    server_settings={
                        "application_name": self.keeping.holder,
                        "search_path": f"public,{SCHEMA}",
                    },
                )
            return self._pool


class PostgresTables:
    """Implements SharedTables: the library's rows of one device, or of one login."""

    def __init__(self, line: PostgresLine, *, login: LoginId | None = None, jid: str = "") -> None:
        self._line = line
        self._chosen = (
            f"jid = '{_safe(jid)}'" if jid else f"substring(jid from '^[0-9]+') = '{_safe(login or '')}'"
        )

    @property
    def library_name(self) -> str:
        """See SharedTables."""
        return library_dsn(self._line.keeping)

    def exists(self) -> bool:
        """See SharedTables."""
        return True

    def read(self, queries: Sequence[Query]) -> list[Rows]:
        """See SharedTables."""

        async def fetch(connection: asyncpg.Connection) -> list[Rows]:
            if await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.whatsmeow_device") is None:
                return [[] for _ in queries]
            found: list[Rows] = []
            for sql, values in queries:
                rows = await connection.fetch(self._narrow(sql), *values)
                found.append([tuple(row) for row in rows])
            return found

        try:
            return self._line.run(fetch)
        except PostgresAway as error:
            raise sqlite3.OperationalError(str(error)) from error

    def _narrow(self, sql: str) -> str:
        """The same query on the rows of this session alone, in the words of Postgres."""
        device = f"SELECT * FROM {SCHEMA}.whatsmeow_device WHERE {self._chosen}"  # noqa: S608  words of ours
        parts = [f"whatsmeow_device AS ({device})"]
        for table, columns in _TABLES.items():
            if table in sql:
                whose = "our_jid IN (SELECT jid FROM whatsmeow_device)"
                parts.append(f"{table} AS (SELECT {columns} FROM {SCHEMA}.{table} WHERE {whose})")  # noqa: S608
        numbers = iter(range(1, 100))
        return f"WITH {', '.join(parts)} {re.sub('[?]', lambda _: f'${next(numbers)}', sql)}"


def _safe(address: Any) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:@_-]*", str(address)):
        raise ValueError("an address of a device holds no such characters")
    return str(address)
