"""Questions about workers and orders to them, from outside of any."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select

from mautrix_whatsapp_py.commands.admin import StatusPart
from mautrix_whatsapp_py.commands.results import Group, Item
from mautrix_whatsapp_py.commands.spec import Call
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.workers import Waiting, WorkersReport, report_on
from mautrix_whatsapp_py.store.cluster_tables import wa_journal
from mautrix_whatsapp_py.store.holdings import HoldingBook
from mautrix_whatsapp_py.store.leases import Leases
from mautrix_whatsapp_py.store.store import Store, Tx
from mautrix_whatsapp_py.store.tables import inbox
from mautrix_whatsapp_py.store.url import decode_database_url


async def drain_worker(config: Config, worker: str) -> bool:
    """Have a worker let go of everything; False when there is none of that name."""
    async with _opened(config) as store:
        return await Leases(store).drain(worker)


async def fetch_workers(config: Config) -> WorkersReport:
    """How the workers stand."""
    async with _opened(config) as store:
        return await look_at_workers(store, ttl_seconds=config.cluster.lease_ttl)


async def look_at_workers(store: Store, *, ttl_seconds: float) -> WorkersReport:
    """How the workers stand, as a database says that is open."""
    leases = Leases(store)
    return report_on(
        await leases.get_workers(),
        await leases.get_leases(),
        await HoldingBook(store).get_counts(),
        ttl_seconds=ttl_seconds,
        waiting=await store.read(_count),
    )


async def _count(tx: Tx) -> Waiting:
    many, oldest_ms = func.count().label("many"), func.min(inbox.c.received_at_ms).label("oldest")
    pending = select(many, oldest_ms).where(inbox.c.body.is_not(None))
    events = select(many, func.min(wa_journal.c.received_at_ms).label("oldest"))
    matrix, whatsapp = (await tx.execute(pending)).one(), (await tx.execute(events)).one()
    oldest = [float(at) / 1000 for at in (matrix.oldest, whatsapp.oldest) if at is not None]
    return Waiting(
        matrix=matrix.many,
        whatsapp=whatsapp.many,
        oldest_seconds=max(0.0, time.time() - min(oldest)) if oldest else 0.0,
    )


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Store]:
    store = Store(decode_database_url(config.database.uri), connections=1)
    try:
        yield store
    finally:
        await store.close()


def workers_parts(config: Config, store: Store) -> tuple[StatusPart, ...]:
    """What `status` says of the workers; nothing where there is one alone."""
    if not config.cluster.enabled:
        return ()

    async def part(_call: Call) -> Group:
        try:
            report = await look_at_workers(store, ttl_seconds=config.cluster.lease_ttl)
        except StoreError as error:
            return Group(title="Workers", items=(Item(term="Database", text=error.text, is_well=False),))
        items = (
            Item(
                term=worker.name,
                text=f"{worker.state} with {worker.logins} accounts, version {worker.version}",
                is_well=worker.state != "silent",
            )
            for worker in report.workers
        )
        return Group(title="Workers", items=tuple(items))

    return (part,)
