"""Composition of a worker's share of the logins: what it holds whether it leads or not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from mautrix_whatsapp_py.app.hosting import network_options
from mautrix_whatsapp_py.app.running import Service
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.leadership import Hold, Leadership, Term
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store import holdings
from mautrix_whatsapp_py.store.holdings import HoldingBook
from mautrix_whatsapp_py.store.leases import Lease
from mautrix_whatsapp_py.store.notify import Listener
from mautrix_whatsapp_py.store.post import Post, channel_of
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.straight import Straight
from mautrix_whatsapp_py.store.url import PostgresAddress
from mautrix_whatsapp_py.whatsapp.keeping import Keeping
from mautrix_whatsapp_py.whatsapp.slot import SlotListener
from mautrix_whatsapp_py.whatsapp.spread.berths import SpreadBerths
from mautrix_whatsapp_py.whatsapp.spread.keeper import Keeper
from mautrix_whatsapp_py.whatsapp.spread.letters import Send, decode
from mautrix_whatsapp_py.whatsapp.spread.shares import Self, Shares
from mautrix_whatsapp_py.whatsapp.spread.worker_end import WorkerEnd

log = logging.getLogger(__name__)

CONNECTIONS = 4
LOOK_SECONDS = 1.0
GRACE_SHARE = 0.3
"""How much of a lease hosts have to end in order when it is not renewed."""
SETTLED_SHARE = 0.5
"""How much of a lease a worker has to have been there before accounts move to it."""


class Spread:
    """The sessions of this worker, and its letters to and from the others."""

    def __init__(
        self,
        config: Config,
        address: PostgresAddress,
        store: Store,
        membership: Leadership,
        term: Term,
        clock: Clock,
    ) -> None:
        """`term` is that of this worker's own lease, `store` one whose statements are transactions."""
        self._term = term
        lease, ttl_seconds = term.lease, float(config.cluster.lease_ttl)
        self.keeping = Keeping(
            dsn=address.dsn,
            holder=lease.holder,
            lease=lease.name,
            epoch=lease.epoch,
            until=term.fence.until,
            grace_seconds=ttl_seconds * GRACE_SHARE,
        )
        self.keeper = Keeper(replace(network_options(config), keeping=self.keeping))
        self.book = HoldingBook(store)
        self._post = Post(address, application=lease.holder)
        self.line = Straight(address, application=lease.holder)
        """For whatever else this worker says often."""
        me = Self(holder=lease.holder, lease=lease.name, settled_seconds=ttl_seconds * SETTLED_SHARE)
        self.shares = Shares(self.book, self.keeper, me, silence=membership.silence)
        self.worker_end = WorkerEnd(
            self.keeper, self._sender(lease), files=config.session_folder / "handed", now=time.monotonic
        )
        self._leading: SpreadBerths | None = None
        channel = channel_of(lease.holder)
        self._news = Listener(address, application=lease.holder, clock=clock, channel=channel)
        self._moves = Listener(address, application=lease.holder, clock=clock, channel=holdings.CHANNEL)

    @property
    def services(self) -> tuple[Service, ...]:
        """What has to run for as long as this worker does."""
        return self._news.listen, self._moves.listen, self._read, self.worker_end.run, self._balance

    def make_berths(self, listener: SlotListener, lead: Lease) -> SpreadBerths:
        """Places on all workers, for a leader."""
        self._leading = SpreadBerths(
            listener,
            self.book,
            self.keeper,
            self._sender(lead),
            holder=lead.holder,
            epoch=lead.epoch,
            now=time.monotonic,
        )
        return self._leading

    async def tidy(self) -> None:
        """Put away what runs of workers left that are no more."""
        await self.book.disown()
        await self._post.tidy()

    @contextmanager
    def telling(self, hold: Hold) -> Iterator[None]:
        """Tell somebody until when this worker's lease holds, for a while."""
        self._term.add_listener(hold)
        try:
            yield
        finally:
            self._term.remove_listener(hold)

    async def close(self) -> None:
        """Send and read no more letters."""
        await self._post.close()
        await self.line.close()

    def _sender(self, lease: Lease) -> Send:
        async def send(recipient: str, bodies: Sequence[bytes]) -> bool:
            return await self._post.put(recipient, bodies, lease=lease)

        return send

    async def _balance(self) -> None:
        await self.shares.run(lambda: self._moves.wait(LOOK_SECONDS))

    async def _read(self) -> None:
        while True:
            await self._news.wait(LOOK_SECONDS)
            try:
                await self._read_all()
            except StoreError as error:
                log.info("letters of other workers wait: %s", type(error).__name__)

    async def _read_all(self) -> None:
        for letter in await self._post.take(self._term.lease.holder):
            cover = decode(letter.body)
            if cover is None:
                continue
            if cover.is_down:
                self.worker_end.on_letter(letter.sender, cover)
            elif self._leading is not None:
                self._leading.on_letter(letter.sender, cover)


@asynccontextmanager
async def spreading(
    config: Config, address: PostgresAddress, store: Store, membership: Leadership, term: Term, clock: Clock
) -> AsyncIterator[Spread]:
    """Hold what is this worker's share, and let go of all of it in order."""
    spread = Spread(config, address, store, membership, term, clock)
    await spread.tidy()
    await spread.keeper.start()
    if config.cluster.weight > 0:
        spread.keeper.berths.warm()
    with spread.telling(spread.keeper.hold):
        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(service()) for service in spread.services]
                try:
                    yield spread
                finally:
                    for task in running:
                        task.cancel()
        finally:
            await spread.shares.stop()
            await spread.keeper.stop()
            await spread.close()
