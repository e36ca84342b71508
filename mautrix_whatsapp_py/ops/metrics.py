"""Figures of the bridge for Prometheus, on a listener of their own."""

from __future__ import annotations

import logging
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.meter import Direction
from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreError
from mautrix_whatsapp_py.ops.exposition import CONTENT_TYPE, NO_LABELS, Durations, Family, Row
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ports import Clock, WhatsAppNetwork
from mautrix_whatsapp_py.store.depths import Depths, get_depths
from mautrix_whatsapp_py.store.store import Store

log = logging.getLogger(__name__)


class Meters:
    """What is noted while things happen."""

    def __init__(self) -> None:
        self._events = Durations(
            "event_seconds", "From the moment we had an event until it was handled.", ("direction", "kind")
        )
        self._homeserver = Durations(
            "homeserver_seconds", "Requests to the homeserver, each try by itself.", ("method", "outcome")
        )
        self._database = Durations("database_seconds", "Work on the database, waiting included.", ("kind",))

    def note_event(self, direction: Direction, kind: str, seconds: float) -> None:
        """See Meter."""
        self._events.note((direction.value, kind), seconds)

    def note_request(self, method: str, outcome: str, seconds: float) -> None:
        """The homeserver answered, or did not."""
        self._homeserver.note((method, outcome), seconds)

    def note_database(self, kind: str, seconds: float) -> None:
        """A piece of work on the database is done."""
        self._database.note((kind,), seconds)

    def lines(self) -> Iterable[str]:
        """All of it."""
        for durations in (self._events, self._homeserver, self._database):
            yield from durations.lines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is asked when somebody looks."""

    logins: Logins
    network: WhatsAppNetwork
    store: Store
    health: Health
    clock: Clock
    meters: Meters
    started_at: float
    """By the clock that only moves forwards."""


class Metrics:
    """Serves `/metrics`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._processes: dict[str, int] = {}
        self._host_restarts = 0
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; StartupError when the address cannot be had."""
        app = web.Application()
        app.router.add_get("/metrics", self._serve)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise StartupError(
                f"cannot listen on {host} port {port} for metrics ({error.strerror or type(error).__name__})",
                mend="stop the program that uses the port, or change metrics.listen",
                code=ExitCode.LISTENER,
            ) from error
        self._runner = runner

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def text(self) -> str:
        """Everything as it is now."""
        lines: list[str] = []
        for family in (*self._of_bridge(), *self._of_links(), *self._of_hosts(), *await self._of_database()):
            lines += family.lines()
        lines += self._sources.meters.lines()
        return "\n".join(lines) + "\n"

    async def _serve(self, _request: web.Request) -> web.Response:
        return web.Response(body=(await self.text()).encode(), headers={"Content-Type": CONTENT_TYPE})

    def _of_bridge(self) -> Sequence[Family]:
        uptime = self._sources.clock.monotonic() - self._sources.started_at
        about = {"version": __version__, "python": platform.python_version()}
        unready = self._sources.health.unready_parts()
        return (
            Family(name="info", help="Versions.", rows=[(about, 1)]),
            Family(name="uptime_seconds", help="Since the start.", rows=[(NO_LABELS, uptime)]),
            Family(name="ready", help="Whether all parts work.", rows=[(NO_LABELS, 0 if unready else 1)]),
        )

    def _of_links(self) -> Sequence[Family]:
        logins = self._sources.logins
        counts = Counter(logins.state_of(login).kind.value for login in logins.get_all())
        rows: list[Row] = [({"state": state}, count) for state, count in sorted(counts.items())]
        return (Family(name="links", help="WhatsApp accounts by state.", rows=rows),)

    def _of_hosts(self) -> Sequence[Family]:
        hosts = self._sources.network.get_hosts()
        for host in hosts:
            known = self._processes.get(host.host)
            self._host_restarts += known is not None and known != host.pid
            self._processes[host.host] = host.pid
        sessions = [session for host in hosts for session in host.sessions]
        return (
            Family(name="hosts", help="Session hosts.", rows=[(NO_LABELS, len(hosts))]),
            Family(
                name="host_resident_bytes",
                help="Memory of each session host.",
                rows=[({"host": host.host}, host.resident_bytes) for host in hosts],
            ),
            Family(
                name="host_restarts_total",
                help="Session hosts that were replaced by new processes.",
                kind="counter",
                rows=[(NO_LABELS, self._host_restarts)],
            ),
            _sum(
                "session_restarts",
                "Restarts of sessions in the hosts that run.",
                [one.restarts for one in sessions],
            ),
            _sum("pump_deaths", "Pumps that ended in the hosts that run.", [one.pump_deaths for one in sessions]),
            _sum("undecoded_events", "Events nobody could read.", [one.undecoded for one in sessions]),
            _sum("journal_depth", "WhatsApp events that wait.", [one.journal_depth for one in sessions]),
        )

    async def _of_database(self) -> Sequence[Family]:
        try:
            depths = await self._sources.store.read(get_depths)
        except StoreError as error:
            log.info("figures of the database are missing: %s", error.text)
            return (_database_up(is_up=False),)
        return (
            _database_up(is_up=True),
            Family(
                name="waiting_events",
                help="Matrix events that wait: in the inbox for us, in the outbox for WhatsApp.",
                rows=[({"line": "inbox"}, depths.inbox.count), ({"line": "outbox"}, depths.outbox.count)],
            ),
            Family(
                name="oldest_waiting_seconds",
                help="How long the oldest of them has waited.",
                rows=[({"line": line}, age) for line, age in self._ages(depths)],
            ),
            Family(name="rooms", help="Chats that have a room.", rows=[(NO_LABELS, depths.rooms)]),
            Family(
                name="backfill_items",
                help="Of the past of accounts: what there is to bring over, and what is in its rooms.",
                rows=[
                    ({"what": share.what, "part": part}, count)
                    for share in depths.past
                    for part, count in (("done", share.done), ("total", share.total))
                ],
            ),
        )

    def _ages(self, depths: Depths) -> Iterable[tuple[str, float]]:
        now = self._sources.clock.now()
        for line, depth in (("inbox", depths.inbox), ("outbox", depths.outbox)):
            yield line, 0.0 if depth.oldest_at is None else max(0.0, (now - depth.oldest_at).total_seconds())


def _sum(name: str, help_text: str, values: Sequence[int]) -> Family:
    return Family(name=name, help=help_text, rows=[(NO_LABELS, sum(values))])


def _database_up(*, is_up: bool) -> Family:
    return Family(name="database_up", help="Whether the database answers.", rows=[(NO_LABELS, int(is_up))])
