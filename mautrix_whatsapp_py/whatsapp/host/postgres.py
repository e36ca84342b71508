"""Postgres for the threads of a host, which wait for its answers."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.host.journal import JournalAway
from mautrix_whatsapp_py.whatsapp.keeping import SCHEMA, Keeping, library_dsn
from mautrix_whatsapp_py.whatsapp.tables import Query, Rows

if TYPE_CHECKING:
    import asyncpg

Answer = TypeVar("Answer")
CALL_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
"""As long as most leases: whoever is still without the database then ends for that reason."""
_RETRY_SECONDS = 0.2
_CONNECTIONS = 3
_TABLES = {
    "whatsmeow_contacts": "*, row_number() OVER (ORDER BY their_jid) AS rowid",
    "whatsmeow_chat_settings": "*",
    "whatsmeow_message_secrets": "*",
    "whatsmeow_identity_keys": "*",
}
_HEX = re.compile(r"\bhex\(([a-z.]+)\)")


class PostgresAway(JournalAway):
    """The database does not answer, or refuses."""


class PostgresLine:
    """Connections on a thread of their own; to be called from any other."""

    def __init__(self, keeping: Keeping) -> None:
        self.keeping = keeping
        self._loop = asyncio.new_event_loop()
        self._pool: asyncpg.Pool | None = None
        self._opening: asyncio.Lock | None = None
        self._watching: Future[None] | None = None
        threading.Thread(target=self._loop.run_forever, name="postgres", daemon=True).start()

    def run(self, work: Callable[[asyncpg.Connection], Awaitable[Answer]]) -> Answer:
        """What the work returns; PostgresAway when the database is away."""
        future = asyncio.run_coroutine_threadsafe(self._run(work), self._loop)
        try:
            return future.result(CALL_SECONDS + 1)
        except Exception as error:
            future.cancel()
            raise PostgresAway(type(error).__name__) from error

    def insist(
        self, work: Callable[[asyncpg.Connection], Awaitable[Answer]], is_over: threading.Event | None = None
    ) -> Answer:
        """The same, again and again while the database is away: few who call could do anything else."""
        is_over = is_over or threading.Event()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.run(work)
            except PostgresAway:
                if time.monotonic() > deadline or is_over.wait(_RETRY_SECONDS):
                    raise

    def watch(self, on_lost: Callable[[], object]) -> None:
        """Tell at once, on a thread of its own, when the database has cut its connections."""
        # Kept: nobody else would hold on to it, and a task nobody holds on to may vanish.
        self._watching = asyncio.run_coroutine_threadsafe(self._watch(on_lost), self._loop)

    async def _watch(self, on_lost: Callable[[], object]) -> None:
        import asyncpg

        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(
                    self.keeping.dsn,
                    timeout=CALL_SECONDS,
                    server_settings={"application_name": self.keeping.holder},
                )
            except Exception:  # noqa: BLE001 adapter edge
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
            await lost.wait()
            on_lost()

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
            return self._line.insist(fetch)
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
        words = _HEX.sub(r"upper(encode(\1, 'hex'))", sql)
        return f"WITH {', '.join(parts)} {re.sub('[?]', lambda _: f'${next(numbers)}', words)}"


def _safe(address: Any) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:@_-]*", str(address)):
        raise ValueError("an address of a device holds no such characters")
    return str(address)
