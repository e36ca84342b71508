"""Hears what other processes tell over the database, by its LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.errors import driver_errors
from mautrix_whatsapp_py.store.url import PostgresAddress

log = logging.getLogger(__name__)


class Listener:
    """Hears at once that there is something new; looking from time to time is the safety net."""

    def __init__(
        self,
        address: PostgresAddress,
        *,
        application: str,
        clock: Clock,
        channel: str,
        recipient: str = "",
    ) -> None:
        """With a recipient, what is told to others on the same channel is not heard."""
        self._channel = channel
        self._recipient = recipient
        self._address = address
        self._application = application
        self._clock = clock
        self.news = asyncio.Event()

    async def listen(self) -> None:
        """Listen for ever, over lost connections."""
        # A bridge that is alone need not hold it.
        import asyncpg

        while True:
            try:
                connection = await asyncpg.connect(
                    self._address.dsn, timeout=10, server_settings={"application_name": self._application}
                )
            except driver_errors():
                await self._clock.sleep(1.0)
                continue
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _connection, ended=ended: ended.set())
            try:
                await connection.add_listener(self._channel, self._hear)
                self.news.set()
                await ended.wait()
            except driver_errors():
                log.info("the connection that listens was lost")
            finally:
                connection.terminate()
            await self._clock.sleep(1.0)

    def _hear(self, _connection: object, _pid: int, _channel: str, recipient: str) -> None:
        if recipient == self._recipient:
            self.news.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news, at most so long; whether there are any."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.news.wait()
        # They may come in the very moment in which the time is up.
        has_news = self.news.is_set()
        self.news.clear()
        return has_news
