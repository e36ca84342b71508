"""Where Prometheus finds the figures, on a listener of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from mautrix_whatsapp_py.listening import listen
from mautrix_whatsapp_py.ops.exposition import CONTENT_TYPE
from mautrix_whatsapp_py.ops.metrics import Meters, of_bridge
from mautrix_whatsapp_py.ports import Clock

STOP_SECONDS = 5.0


class MetricsPage:
    """Serves `/metrics`; until there is more to show, that the bridge starts and how its homeserver answers."""

    def __init__(self, meters: Meters, clock: Clock) -> None:
        self._meters = meters
        self._clock = clock
        self.started_at = clock.monotonic()
        self._get_text: Callable[[], Awaitable[str]] = self._text_of_start
        self._runner: web.AppRunner | None = None

    def show(self, get_text: Callable[[], Awaitable[str]]) -> None:
        """Show this from now on."""
        self._get_text = get_text

    async def start(self, host: str, port: int) -> None:
        """Listen; StartupError when the address cannot be had."""
        app = web.Application()
        app.router.add_get("/metrics", self._serve)
        self._runner = await listen(
            app, host, port, purpose="metrics", mend="metrics.listen", stop_seconds=STOP_SECONDS
        )

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, _request: web.Request) -> web.Response:
        return web.Response(body=(await self._get_text()).encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _text_of_start(self) -> str:
        uptime = self._clock.monotonic() - self.started_at
        lines = [line for family in of_bridge(uptime, is_ready=False) for line in family.lines()]
        return "\n".join((*lines, *self._meters.lines())) + "\n"
