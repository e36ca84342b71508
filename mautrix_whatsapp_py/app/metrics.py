"""Composition of figures."""

from __future__ import annotations

from contextlib import AsyncExitStack

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ops.metrics import Meters, Metrics, Sources

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
        )
    )
    host, _, port = config.metrics.listen.rpartition(":")
    stack.push_async_callback(metrics.stop)
    await metrics.start(host.strip("[]") or ANY_ADDRESS, int(port))
