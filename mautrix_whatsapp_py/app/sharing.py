"""Composition of a worker among others: each holds its share of the accounts, one leads, which is the bridge."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.app.passing import Answers, passing_on
from mautrix_whatsapp_py.app.running import Service, ensure_schema, run_until, unless
from mautrix_whatsapp_py.app.spreading import CONNECTIONS, Spread, spreading
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.config import Config, RunOptions
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.appservice import AppService, Hooks
from mautrix_whatsapp_py.matrix.forwarding import Forwarder, LeadingIntake
from mautrix_whatsapp_py.matrix.intake import Intake
from mautrix_whatsapp_py.matrix.registration import user_patterns
from mautrix_whatsapp_py.ops.leadership import Hold, Leadership, Term, new_identity
from mautrix_whatsapp_py.store.claim import Claim
from mautrix_whatsapp_py.store.forwarding import CHANNEL, Forwarding
from mautrix_whatsapp_py.store.holdings import WORKER_LEASE
from mautrix_whatsapp_py.store.leases import Leases, is_held
from mautrix_whatsapp_py.store.notify import Listener
from mautrix_whatsapp_py.store.store import OnTime, Store
from mautrix_whatsapp_py.store.url import PostgresAddress, decode_database_url
from mautrix_whatsapp_py.whatsapp.berths import Berths
from mautrix_whatsapp_py.whatsapp.keeping import Keeping
from mautrix_whatsapp_py.whatsapp.slot import SlotListener

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LEADING = "lead"
"""What a worker that stands by waits for."""


def former_sessions(config: Config) -> Path:
    """Where a bridge of the same configuration kept its sessions while it was alone."""
    chosen = config.whatsapp.session_folder
    return Path(chosen).parent if chosen else config.data_folder.parents[1] / "sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What the parts of a leading worker need to know of the others."""

    address: PostgresAddress
    term: Term
    clock: SystemClock
    claim: Claim
    spread: Spread

    @property
    def keeping(self) -> Keeping:
        """Where the hosts of pairings keep what they make, and for how long they may."""
        return self.spread.keeping

    @property
    def is_rescue(self) -> bool:
        """Whether somebody led before and did not end in order."""
        return self.term.is_rescue

    def make_berths(self, listener: SlotListener) -> Berths:
        """Places for sessions, on all workers."""
        return self.spread.make_berths(listener, self.term.lease)

    def telling(self, hold: Hold) -> AbstractContextManager[None]:
        """Tell somebody until when this worker's sessions are its own."""
        return self.spread.telling(hold)

    @asynccontextmanager
    async def opened_store(self, on_time: OnTime) -> AsyncIterator[Store]:
        """The database; whoever has lost the lease cannot write to it."""
        lease = self.term.lease
        store = Store(
            self.address, on_time=on_time, application=lease.holder, is_allowed=lambda tx: is_held(tx, lease)
        )
        try:
            yield store
        finally:
            await store.close()

    def make_intake(self, intake: Intake) -> LeadingIntake:
        """An intake behind what others took."""
        return LeadingIntake(intake, Forwarding(self.spread.line, self.clock, lead=self.term.lease))

    def make_answers(self, config: Config) -> Answers:
        """Answers to requests that others took."""
        return Answers(config, self.address, self.term.lease, self.clock)

    def services(self, intake: LeadingIntake) -> tuple[Service, ...]:
        """What has to run for as long as a worker leads."""
        listener = Listener(self.address, application=self.term.lease.holder, clock=self.clock, channel=CHANNEL)
        return self.claim.watch, listener.listen, partial(intake.watch, lambda: listener.wait(LOOK_SECONDS))


Start = Callable[[Config, RunOptions, AsyncExitStack, Share], Coroutine[Any, Any, tuple[Service, ...]]]


def worker_name(config: Config) -> str:
    """The name of this worker."""
    return config.cluster.worker or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:32]


def worker_config(config: Config) -> Config:
    """The same configuration with folders of this worker's own: several may run on one machine."""
    if not config.cluster.enabled:
        return config
    folder = config.data_folder / "workers" / worker_name(config)
    whatsapp = config.whatsapp
    if whatsapp.session_folder:
        whatsapp = replace(whatsapp, session_folder=f"{whatsapp.session_folder}/{worker_name(config)}")
    return replace(config, data_folder=folder, whatsapp=whatsapp)


async def run_worker(config: Config, options: RunOptions, stop: asyncio.Event, start: Start) -> None:
    """Hold a share of the accounts; stand by and lead by turns until told to stop."""
    address = decode_database_url(config.database.uri)
    assert isinstance(address, PostgresAddress)
    clock = SystemClock()
    # A bridge that is alone has it for itself.
    claim = Claim(address, clock, is_shared=True)
    await claim.acquire()
    await ensure_schema(address, options)
    identity = new_identity(worker_name(config), __version__, weight=config.cluster.weight)
    store = Store(address, connections=CONNECTIONS, application=identity.holder, is_autocommit=True)
    ttl_seconds = config.cluster.lease_ttl
    leadership = Leadership(Leases(store), identity, ttl_seconds=ttl_seconds, clock=clock)
    membership = Leadership(
        Leases(store), identity, ttl_seconds=ttl_seconds, clock=clock, lease=WORKER_LEASE + identity.name
    )
    try:
        await leadership.join()
        async with (
            _working(membership) as own,
            spreading(config, address, store, membership, own, clock) as spread,
        ):
            while not stop.is_set():
                async with _standing_by(config, address, spread, clock):
                    log.info("worker %s stands by", identity.name)
                    term = await unless(stop, leadership.stand_by())
                if term is not None:
                    share = Share(address=address, term=term, clock=clock, claim=claim, spread=spread)
                    await _lead(config, options, leadership, share, stop, start)
        await leadership.leave()
    finally:
        await store.close()
        await claim.release()


@asynccontextmanager
async def _working(membership: Leadership) -> AsyncIterator[Term]:
    """The lease of this worker itself, under which it holds accounts."""
    term = await membership.stand_by()
    keeping = asyncio.create_task(membership.keep(term), name="own lease")
    try:
        yield term
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await membership.step_down(term)


async def _lead(
    config: Config,
    options: RunOptions,
    leadership: Leadership,
    share: Share,
    stop: asyncio.Event,
    start: Start,
) -> None:
    term = share.term
    keeping = asyncio.create_task(leadership.keep(term), name="lease")
    over = asyncio.create_task(_either(stop, term.is_over), name="end of the term")
    ended = asyncio.Event()
    over.add_done_callback(lambda _: ended.set())
    try:
        async with AsyncExitStack() as stack:
            services = await unless(ended, start(config, options, stack, share))
            if services is not None:
                log.info("ready: worker %s leads", leadership.identity.name)
                await run_until(ended, services)
            log.info("worker %s lets go", leadership.identity.name)
    finally:
        over.cancel()
        keeping.cancel()
        await asyncio.wait({keeping, over})
        await leadership.step_down(term)


async def _either(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


@asynccontextmanager
async def _standing_by(
    config: Config, address: PostgresAddress, spread: Spread, clock: SystemClock
) -> AsyncIterator[None]:
    """Take for whoever leads what the homeserver, programs and browsers send."""
    ours = re.compile("|".join(user_patterns(config)))

    def is_wanted(user: MxUserId) -> bool:
        # Encryption has to see what our own users do, too.
        return config.encryption.allow or (user != config.bot_id and ours.search(user) is None)

    async def is_ghost(_user: MxUserId) -> bool:
        return False

    async with passing_on(config, address, spread.keeping.holder, clock) as passing:
        server = AppService(
            Forwarder(Forwarding(spread.line, clock), is_wanted=is_wanted),
            Hooks(is_ghost=is_ghost, unready_parts=lambda: (LEADING,)),
            bot=config.bot_id,
            hs_token=config.appservice.hs_token,
            max_body_bytes=config.appservice.max_body_size_mb * 1024 * 1024,
            mounts=passing.mounts,
        )
        await server.start(config.appservice.hostname, config.appservice.port)
        try:
            yield
        finally:
            passing.close()
            await server.stop()
