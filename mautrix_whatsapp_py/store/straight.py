"""Single statements of which there are many a second: without a layer between them and the driver of Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mautrix_whatsapp_py.errors import StoreUnavailable
from mautrix_whatsapp_py.store.engine import connect_postgres
from mautrix_whatsapp_py.store.errors import translated
from mautrix_whatsapp_py.store.url import PostgresAddress

if TYPE_CHECKING:
    import asyncpg


class Straight:
    """One connection, used by one at a time; each statement is a transaction."""

    def __init__(self, address: PostgresAddress, *, application: str) -> None:
        self._address = address
        self._application = application
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None

    async def fetch(self, statement: str, *values: object) -> Sequence[Any]:
        """The rows a statement returns. StoreError when it failed; whether it took place is unknown then."""
        async with self._turn:
            try:
                with translated():
                    return await self._fetch(statement, values)
            except StoreUnavailable:
                # Whatever state it is in, the next one may be better.
                await self.close()
                raise

    async def _fetch(self, statement: str, values: Sequence[object]) -> Sequence[Any]:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = await connect_postgres(self._address, application=self._application)
            self._connection = connection
        rows: Sequence[Any] = await connection.fetch(statement, *values)
        return rows

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
