"""What the homeserver gave to workers that do not lead, on its way to the one that does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import delete, func, select, text

from mautrix_whatsapp_py.ids import InboxSeq, MxTxnId
from mautrix_whatsapp_py.model.mx import MxStored
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.cluster_tables import forwarded
from mautrix_whatsapp_py.store.inbox import InboxRows
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tx import Row
from mautrix_whatsapp_py.store.url import PostgresAddress

log = logging.getLogger(__name__)

CHANNEL = "mautrix_whatsapp_forwarded"
_LAST = "last transaction"
_TELL = text(f"NOTIFY {CHANNEL}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """Stored events and the bodies of what is not stored, in the order they came."""

    events: tuple[MxStored, ...]
    bodies: tuple[str, ...]


class Forwarding:
    """Each call is one transaction; on Postgres only."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._inbox = InboxRows()
        self._kv = KvRows()

    async def put(self, txn_id: MxTxnId, events: Sequence[MxStored], bodies: Sequence[str]) -> None:
        """Store a transaction and tell the leader of it."""
        now = self._clock.now()

        async def write(tx: Tx) -> None:
            new = await self._inbox.add(tx, events, received_at=now)
            rows: list[Row] = [{"inbox_seq": event.seq, "body": None} for event in new]
            rows += [{"inbox_seq": None, "body": body} for body in bodies]
            if rows:
                await tx.execute(forwarded.insert(), rows)
                await tx.execute(_TELL)
            await self._kv.put(tx, _LAST, txn_id)

        await self._store.write(write)

    async def take(self) -> Forwarded:
        """What was forwarded since the last time; the events of it stay in the inbox until they are handled."""

        async def write(tx: Tx) -> Forwarded:
            gone = await tx.execute(delete(forwarded).returning(*forwarded.c))
            rows = sorted(gone, key=lambda row: row.seq)
            seqs = [InboxSeq(row.inbox_seq) for row in rows if row.inbox_seq is not None]
            events = await self._inbox.get_pending_of(tx, seqs) if seqs else []
            return Forwarded(events=tuple(events), bodies=tuple(row.body for row in rows if row.body is not None))

        if not await self._store.read(_has_any):
            return Forwarded(events=(), bodies=())
        return await self._store.write(write)

    async def get_last(self) -> MxTxnId | None:
        """The newest transaction any worker has taken."""
        found = await self._store.read(lambda tx: self._kv.get(tx, _LAST))
        return None if found is None else MxTxnId(found)

    async def set_last(self, txn_id: MxTxnId) -> None:
        """The leader has taken a transaction itself."""
        await self._store.write(lambda tx: self._kv.put(tx, _LAST, txn_id))


async def _has_any(tx: Tx) -> bool:
    return bool((await tx.execute(select(func.count()).select_from(forwarded))).scalar())


class Listener:
    """Hears at once that there is something new; looking from time to time is the safety net."""

    def __init__(
        self,
        address: PostgresAddress,
        *,
        application: str,
        clock: Clock,
        channel: str = CHANNEL,
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
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._clock.sleep(1.0)
                continue
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _connection, ended=ended: ended.set())
            try:
                await connection.add_listener(self._channel, self._hear)
                self.news.set()
                await ended.wait()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
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
