"""Figures of the bridge for Prometheus."""

from __future__ import annotations

import logging
import platform
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mautrix_whatsapp_py import __version__
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.meter import Direction
from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.exposition import NO_LABELS, Durations, Family, Row
from mautrix_whatsapp_py.ops.health import Health
from mautrix_whatsapp_py.ops.workers import WorkersReport
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


FetchWorkers: TypeAlias = Callable[[], Awaitable[WorkersReport]]


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
    fetch_workers: FetchWorkers | None = None
    """How the workers stand, where there are several."""


class Metrics:
    """All figures."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._processes: dict[str, int] = {}
        self._host_restarts = 0

    async def text(self) -> str:
        """Everything as it is now."""
        lines: list[str] = []
        for family in (*self._of_bridge(), *self._of_links(), *self._of_hosts(), *await self._of_database()):
            lines += family.lines()
        lines += self._sources.meters.lines()
        return "\n".join(lines) + "\n"

    def _of_bridge(self) -> Sequence[Family]:
        uptime = self._sources.clock.monotonic() - self._sources.started_at
        return of_bridge(uptime, is_ready=not self._sources.health.unready_parts())

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
        fetch_workers = self._sources.fetch_workers
        try:
            depths = await self._sources.store.read(get_depths)
            workers = () if fetch_workers is None else _of_workers(await fetch_workers())
        except StoreError as error:
            log.info("figures of the database are missing: %s", error.text)
            return (_database_up(is_up=False),)
        return (
            *workers,
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


def of_bridge(uptime_seconds: float, *, is_ready: bool) -> Sequence[Family]:
    """What is known from the first moment on."""
    about = {"version": __version__, "python": platform.python_version()}
    return (
        Family(name="info", help="Versions.", rows=[(about, 1)]),
        Family(name="uptime_seconds", help="Since the start.", rows=[(NO_LABELS, uptime_seconds)]),
        Family(name="ready", help="Whether all parts work.", rows=[(NO_LABELS, int(is_ready))]),
    )


def _sum(name: str, help_text: str, values: Sequence[int]) -> Family:
    return Family(name=name, help=help_text, rows=[(NO_LABELS, sum(values))])


def _of_workers(report: WorkersReport) -> Sequence[Family]:
    lines = report.workers
    return (
        Family(
            name="worker_links",
            help="WhatsApp accounts each worker holds.",
            rows=[({"worker": line.name}, line.logins) for line in lines],
        ),
        Family(
            name="worker_state",
            help="1 for what a worker does now.",
            rows=[({"worker": line.name, "state": line.state}, 1) for line in lines],
        ),
        Family(
            name="worker_silent_seconds",
            help="Since a worker was heard of last.",
            rows=[({"worker": line.name}, line.silent_seconds) for line in lines],
        ),
        Family(name="homeless_links", help="Accounts no worker holds.", rows=[(NO_LABELS, report.homeless)]),
        Family(
            name="link_moves_total",
            help="How often accounts went from one worker to another.",
            kind="counter",
            rows=[(NO_LABELS, report.moves)],
        ),
    )


def _database_up(*, is_up: bool) -> Family:
    return Family(name="database_up", help="Whether the database answers.", rows=[(NO_LABELS, int(is_up))])
