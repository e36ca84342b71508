"""One bridge, or the workers of one, per Postgres database: a lock the server drops when its holder is gone."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import text

from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreError, StoreUnavailable
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.engine import create_writer
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.unbroken import unbroken
from mautrix_whatsapp_py.store.url import PostgresAddress

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

CHECK_EVERY_SECONDS = 10.0
TRIES = 10
"""A holder that was killed may be noticed by the server a moment later."""
_CLAIM_KEY = 0x6D77_7080
_TRY = "SELECT pg_try_advisory_lock(:key)"
_TRY_SHARED = "SELECT pg_try_advisory_lock_shared(:key)"


class Claim:
    """Holds a database for this process, on a connection of its own; shared, for all that share it."""

    def __init__(self, address: PostgresAddress, clock: Clock, *, is_shared: bool = False) -> None:
        self._statement = text(_TRY_SHARED if is_shared else _TRY)
        self._address = address
        self._clock = clock
        self._engine = create_writer(address, connections=1)
        self._connection: AsyncConnection | None = None

    async def acquire(self, *, tries: int = TRIES) -> None:
        """Take the database; StartupError when another bridge has it or it cannot be opened."""
        for attempt in range(1, tries + 1):
            try:
                if await self._is_taken():
                    return
            except StoreError as error:
                raise StartupError(
                    f"{self._address} cannot be opened",
                    mend="check that the server runs and that user, password, host and database in database.uri"
                    " are right",
                    code=ExitCode.DATABASE_UNAVAILABLE,
                ) from error
            if attempt < tries:
                await self._clock.sleep(1.0)
        raise StartupError(
            f"Another bridge is running on {self._address}",
            mend="stop it first, or give this one a database of its own",
            code=ExitCode.DATABASE_UNAVAILABLE,
        )

    async def watch(self) -> None:
        """Keep the claim; StoreError when another bridge took the database while our connection was cut."""
        while True:
            await self._clock.sleep(CHECK_EVERY_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Make sure of the claim now; a database that is away is asked again later."""
        try:
            if not await self._is_held() and not await self._is_taken():
                raise StoreError(f"Another bridge has taken {self._address}.")
        except StoreUnavailable:
            await self._drop()

    async def release(self) -> None:
        """Give the database back."""
        await self._drop()
        with translated():
            await unbroken(self._engine.dispose())

    async def _is_held(self) -> bool:
        if self._connection is None:
            return False
        with translated():
            await unbroken(self._connection.execute(text("SELECT 1")))
        return True

    async def _is_taken(self) -> bool:
        """Connect and try to take the lock."""
        connection = self._engine.connect()
        try:
            with translated():
                await unbroken(connection.start())
                await unbroken(connection.execution_options(isolation_level="AUTOCOMMIT"))
                answer = await unbroken(connection.execute(self._statement, {"key": _CLAIM_KEY}))
                is_ours = answer.scalar() is True
        except BaseException:
            await _discard(connection)
            raise
        if not is_ours:
            await _discard(connection)
            return False
        self._connection = connection
        return True

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _discard(connection)


async def _discard(connection: AsyncConnection) -> None:
    """End a connection and with it its locks: a pooled one would keep them."""
    if connection.sync_connection is None:
        return
    # One that is broken already is ended all the same.
    with suppress(StoreError), translated():
        await unbroken(connection.invalidate())
        await unbroken(connection.close())
