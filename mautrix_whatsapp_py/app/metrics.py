"""Composition of figures."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from mautrix_whatsapp_py.app.cluster import look_at_workers
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ops.metrics import FetchWorkers, Meters, Metrics, Sources
from mautrix_whatsapp_py.ops.metrics_page import MetricsPage
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.store.store import Store

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  what an address without a host means everywhere


async def open_metrics(
    config: Config, *, meters: Meters, clock: Clock, stack: AsyncExitStack
) -> MetricsPage | None:
    """Serve figures while the stack is open, at first those of the start; None when nobody wants them."""
    if not config.metrics.enabled:
        return None
    page = MetricsPage(meters, clock)
    host, _, port = config.metrics.listen.rpartition(":")
    stack.push_async_callback(page.stop)
    await page.start(host.strip("[]") or ANY_ADDRESS, int(port))
    return page


def show_metrics(page: MetricsPage | None, config: Config, *, talk: Talk, health: Health, meters: Meters) -> None:
    """Show all there is."""
    if page is None:
        return
    sources = Sources(
        logins=talk.logins,
        network=talk.network,
        store=talk.store,
        health=health,
        clock=talk.clock,
        meters=meters,
        started_at=page.started_at,
        fetch_workers=_workers(config, talk.store),
    )
    page.show(Metrics(sources).text)


def _workers(config: Config, store: Store) -> FetchWorkers | None:
    if not config.cluster.enabled:
        return None
    return partial(look_at_workers, store, ttl_seconds=config.cluster.lease_ttl)
