"""Composition of figures."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from mautrix_whatsapp_py.app.cluster import look_at_workers
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ops.metrics import FetchWorkers, Meters, Metrics, Sources
from mautrix_whatsapp_py.store.store import Store

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  what an address without a host means everywhere


async def serve_metrics(
    config: Config, *, talk: Talk, health: Health, meters: Meters, stack: AsyncExitStack
) -> None:
    """Serve figures while the stack is open, if that is wanted."""
    if not config.metrics.enabled:
        return
    metrics = Metrics(
        Sources(
            logins=talk.logins,
            network=talk.network,
            store=talk.store,
            health=health,
            clock=talk.clock,
            meters=meters,
            started_at=talk.clock.monotonic(),
            fetch_workers=_workers(config, talk.store),
        )
    )
    host, _, port = config.metrics.listen.rpartition(":")
    stack.push_async_callback(metrics.stop)
    await metrics.start(host.strip("[]") or ANY_ADDRESS, int(port))


def _workers(config: Config, store: Store) -> FetchWorkers | None:
    if not config.cluster.enabled:
        return None
    return partial(look_at_workers, store, ttl_seconds=config.cluster.lease_ttl)
