"""Several workers: what a message costs that comes over another worker, and how fast accounts change hands.

Sessions are simulated at the port: no hosts run, everything else is as it is, on a Postgres of its own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.figures import RESULTS, Figure
from mautrix_whatsapp_py.app.spreading import CONNECTIONS, Spread, spreading
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.config import Config
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource
from mautrix_whatsapp_py.ops.leadership import LEAD, Leadership, Term, WorkerIdentity
from mautrix_whatsapp_py.store.holdings import WORKER_LEASE
from mautrix_whatsapp_py.store.leases import Lease, Leases
from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import PostgresAddress, decode_database_url
from mautrix_whatsapp_py.whatsapp import wire
from mautrix_whatsapp_py.whatsapp.slot import SlotListener
from mautrix_whatsapp_py.whatsapp.spread.berths import SpreadBerths
from mautrix_whatsapp_py.whatsapp.way import Way
from tests.postgres import OwnPostgres, own_postgres

TTL_SECONDS = 3
SIZES = (60, 5000)
MESSAGES, LATENCIES = 4000, 300
LOOK_SECONDS = 0.01
DEADLINE_SECONDS = 120
PER_MESSAGE = ("messages_per_second", "statements_per_message", "bytes_per_message", "processor_ms_per_message")


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was measured."""

    takeover_s: dict[int, float] = field(default_factory=dict)
    """From the end of a dead worker's lease until others had all it had, by the number of logins."""
    share_s: dict[int, float] = field(default_factory=dict)
    """From a worker's start until it had its share."""
    messages_per_second: dict[int, float] = field(default_factory=dict)
    """By the number of logins."""
    round_trip_ms: list[float] = field(default_factory=list)
    statements_per_message: dict[int, float] = field(default_factory=dict)
    bytes_per_message: dict[int, float] = field(default_factory=dict)
    idle_statements_per_second: float = 0.0
    processor_ms_per_message: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class Hand:
    """One worker; when it dies nobody renews its lease."""

    spread: Spread
    term: Term
    dies: asyncio.Event


class Site:
    """Workers of one process on one database."""

    def __init__(self, database: OwnPostgres, folder: Path) -> None:
        self.database = database
        self.name = f"bench{time.monotonic_ns()}"
        address = decode_database_url(database.create_database(self.name))
        assert isinstance(address, PostgresAddress)
        self.address = address
        self._folder = folder
        self._leases: Leases | None = None

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[Hand]:
        """A worker that holds accounts without hosts."""
        clock = SystemClock()
        config = Config(data_folder=self._folder / name)
        config = replace(config, cluster=replace(config.cluster, lease_ttl=TTL_SECONDS))
        me = WorkerIdentity(name=name, version="bench", holder=f"bench {name} {time.monotonic_ns()}")
        store = Store(self.address, connections=CONNECTIONS, application=me.holder, is_autocommit=True)
        membership = Leadership(
            Leases(store),
            me,
            ttl_seconds=TTL_SECONDS,
            clock=clock,
            lease=WORKER_LEASE + name,
            end=lambda _code: None,
        )
        term = await membership.stand_by()
        keeping = asyncio.create_task(membership.keep(term))
        try:
            async with spreading(config, self.address, store, membership, term, clock) as spread:
                _simulate(spread)
                hand = Hand(spread=spread, term=term, dies=asyncio.Event())
                dying = asyncio.create_task(_die(hand, keeping))
                yield hand
                dying.cancel()
        finally:
            keeping.cancel()
            await membership.step_down(term)
            await store.close()

    def count(self) -> tuple[int, int]:
        """Transactions so far, and bytes of the log of writes."""
        transactions = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        written = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"
        return (
            int(self.database.execute(transactions, database=self.name)[0][0]),
            int(self.database.execute(written, database=self.name)[0][0]),
        )


def _simulate(spread: Spread) -> None:
    """Sessions are up and down at once."""
    berths = spread.keeper.berths

    async def add(_login: LoginId, _epoch: int = 0) -> None:
        return None

    async def displace(_login: LoginId) -> None:
        return None

    # Sessions are simulated at the port.
    berths.add, berths.displace = add, displace  # type: ignore[method-assign]


async def _die(hand: Hand, keeping: asyncio.Task[None]) -> None:
    await hand.dies.wait()
    keeping.cancel()


def numbers(count: int) -> list[LoginId]:
    """As many logins."""
    return [LoginId(f"1555{number:07}") for number in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  what others do is seen in a database
            await asyncio.sleep(LOOK_SECONDS)


async def measure_moves(database: OwnPostgres, folder: Path, found: Found, size: int) -> None:
    """Two workers; a third comes, and dies."""
    site = Site(database, folder / f"moves{size}")
    await migrate(site.address)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(site.worker("a"))
        second = await stack.enter_async_context(site.worker("b"))
        await first.spread.book.want(numbers(size))
        await until(lambda: len(first.spread.keeper.logins) + len(second.spread.keeper.logins) == size)
        began = time.perf_counter()
        third = await stack.enter_async_context(site.worker("c"))
        hands = (first, second, third)

        def is_shared() -> bool:
            counts = [len(hand.spread.keeper.logins) for hand in hands]
            return sum(counts) == size and min(counts) > size / 3 * 0.6

        await until(is_shared)
        found.share_s[size] = time.perf_counter() - began
        third.dies.set()
        await until(lambda: _is_over(site, third.term.lease))
        began = time.perf_counter()
        await until(lambda: len(first.spread.keeper.logins) + len(second.spread.keeper.logins) == size)
        found.takeover_s[size] = time.perf_counter() - began


def _is_over(site: Site, lease: Lease) -> bool:
    question = (
        "SELECT expires_at_ms < extract(epoch FROM clock_timestamp()) * 1000 FROM leases"
        f" WHERE name = '{lease.name}'"
    )
    return bool(site.database.execute(question, database=site.name)[0][0])


class Echo:
    """A host that answers everything at once."""

    def __init__(self) -> None:
        self.acks = 0

    def put(self, frame: WaStruct) -> None:
        """See Way."""
        if isinstance(frame, wire.Ack):
            self.acks += len(frame.seqs)

    def has_heard(self, many: int) -> bool:
        """Whether more than so many were acknowledged."""
        return self.acks > many

    async def request(self, _call: wire.Call, *, deadline_seconds: float) -> wire.Result:
        """See Way."""
        return wire.Done()


async def measure_messages(database: OwnPostgres, folder: Path, found: Found, size: int) -> None:
    """Messages that another worker has for the leader, which acknowledges each; and requests the other way."""
    site = Site(database, folder / f"messages{size}")
    await migrate(site.address)
    async with AsyncExitStack() as stack:
        leader = await stack.enter_async_context(site.worker("a"))
        other = await stack.enter_async_context(site.worker("b"))
        echo = Echo()
        # Sessions are simulated at the port.
        other.spread.keeper.way_to = lambda _login: echo  # type: ignore[method-assign]
        heard: list[JournalSeq] = []
        made: list[SpreadBerths] = []

        def on_frame(frame: wire.FromHost) -> None:
            assert isinstance(frame, wire.Event)
            heard.append(frame.seq)
            way = made[0].way_to(frame.login)
            if way is not None:
                way.put(wire.Ack(login=frame.login, seqs=(frame.seq,)))

        store = Store(site.address, connections=1, is_autocommit=True)
        claimed = await Leases(store).claim(LEAD, leader.term.lease.holder, ttl_seconds=3600)
        assert claimed is not None
        listener = SlotListener(on_frame=on_frame, on_lost=lambda _logins: None, on_worn=lambda _slot: None)
        made.append(leader.spread.make_berths(listener, claimed.lease))
        await made[0].start()
        await made[0].place(numbers(size))
        await until(lambda: len(leader.spread.keeper.logins) + len(other.spread.keeper.logins) == size)
        login = next(iter(other.spread.keeper.logins))
        await until(lambda: made[0].way_to(login) is not None)
        if size == min(SIZES):
            await _measure_idle(site, found)
            await _measure_requests(made[0].way_to(login), login, found)
        await _measure_flow(site, found, size, other, login, heard, echo)
        await made[0].stop()
        await store.close()


async def _measure_idle(site: Site, found: Found) -> None:
    before, began = site.count()[0], time.perf_counter()
    await asyncio.sleep(10)  # What happens in a time without messages is what is asked for.
    found.idle_statements_per_second = (site.count()[0] - before) / (time.perf_counter() - began) / 2


async def _measure_requests(way: Way | None, login: LoginId, found: Found) -> None:
    assert way is not None
    for _ in range(LATENCIES):
        began = time.perf_counter()
        await way.request(wire.SendPresence(login=login, is_available=True), deadline_seconds=30)
        found.round_trip_ms.append((time.perf_counter() - began) * 1000)


async def _measure_flow(
    site: Site, found: Found, size: int, other: Hand, login: LoginId, heard: list[JournalSeq], echo: Echo
) -> None:
    before, began, worked = site.count(), time.perf_counter(), time.process_time()
    for number in range(MESSAGES):
        other.spread.worker_end.on_frame(event(login, number))
        if number % 20 == 19:
            # As a host does, which is never far ahead of what is acknowledged.
            await until(partial(echo.has_heard, number - 200))
    await until(lambda: echo.acks == MESSAGES)
    seconds = time.perf_counter() - began
    assert heard == sorted(heard)
    worked_s = time.process_time() - worked
    await asyncio.sleep(2)  # The server writes its counters down once a second.
    after = site.count()
    found.messages_per_second[size] = MESSAGES / seconds
    found.processor_ms_per_message[size] = worked_s / MESSAGES * 1000
    found.statements_per_message[size] = (after[0] - before[0]) / MESSAGES
    found.bytes_per_message[size] = (after[1] - before[1]) / MESSAGES


def event(login: LoginId, number: int) -> wire.Event:
    """An ordinary message."""
    chat = WaJid(user="15559990000", server="s.whatsapp.net")
    message = WaMessage(
        source=WaSource(chat=chat, sender=chat),
        message_id=WaMessageId(f"3EB0{number:016X}"),
        timestamp=datetime.now(UTC),
        content=WaText(body="An ordinary message, as people write them to each other. " * 2),
        push_name="Somebody",
    )
    return wire.Event(login=login, seq=JournalSeq(number + 1), event=message)


async def measure() -> Sequence[Figure]:
    """All of it."""
    found = Found()
    with own_postgres() as database, tempfile.TemporaryDirectory(prefix="bench-") as name:
        for size in SIZES:
            await measure_moves(database, Path(name), found, size)
            await measure_messages(database, Path(name), found, size)
    document = {name: getattr(found, name) for name in Found.__slots__}
    # What is computed from it takes the greater number of accounts.
    for name in PER_MESSAGE:
        document |= {name: getattr(found, name)[SIZES[-1]], f"{name}_by_accounts": getattr(found, name)}
    (RESULTS / "cluster.json").write_text(json.dumps(document) + "\n")
    few, many = SIZES
    trips = sorted(found.round_trip_ms)
    return [
        Figure(
            what=f"a dead worker's share of {few} and of {many} accounts is held by others, after its lease",
            value=f"{found.takeover_s[few]:.2f} s, {found.takeover_s[many]:.2f} s",
            target="< 5 s",
        ),
        Figure(
            what=f"a new worker has its share of {few} and of {many} accounts, sessions simulated",
            value=f"{found.share_s[few]:.1f} s, {found.share_s[many]:.1f} s",
            target="< 30 s",
        ),
        Figure(
            what="messages from another worker to the leader, acknowledged back, one processor for both,"
            f" with {few} and with {many} accounts",
            value="; ".join(
                f"{found.messages_per_second[size]:.0f} per second,"
                f" {found.processor_ms_per_message[size]:.3f} ms of processor,"
                f" {found.statements_per_message[size]:.2f} transactions each"
                for size in SIZES
            ),
        ),
        Figure(
            what="a request of the leader to another worker and back, median and 95 %",
            value=f"{statistics.median(trips):.1f} and {trips[int(0.95 * len(trips))]:.1f} ms",
        ),
        Figure(
            what="transactions of a worker without messages",
            value=f"{found.idle_statements_per_second:.1f} per second",
        ),
    ]
