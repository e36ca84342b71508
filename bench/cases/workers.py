"""One worker and three, with everything they need on this machine: what they carry into rooms and back, how fast.

In turns and in one run, so that what the machine does besides meets both. BENCH=small is for trying it out.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from bench.figures import IS_SMALL, Figure
from bench.talk.homeserver import Ledger, rate
from bench.talk.processes import look
from bench.talk.stage import cores
from mautrix_whatsapp_py.config.tree import ClusterSection
from tests.chaos.conversation import Conversation
from tests.chaos.storm import Plan
from tests.homeserver import BridgeProcess, PortPool, Registration, Synapse, SynapseDatabase
from tests.homeserver.hosts import host_pids
from tests.postgres import own_postgres
from tests.workers.crew import Crew
from tests.workers.play import WORKERS, Play, Size, playing

CHATS = 3 if IS_SMALL else 12
MESSAGES = 30 if IS_SMALL else 240
LATENCIES = 6 if IS_SMALL else 48
ROUNDS = 1 if IS_SMALL else 3
RECEIVE_SECONDS = 60
IDLE_SECONDS = 10.0
_WAYS = (("in", "WhatsApp to rooms"), ("out", "rooms to WhatsApp"))


class Order(Enum):
    """How many workers there are, and where the balancer sends transactions."""

    PREFERRED = f"{WORKERS} workers, the leader preferred"
    TURNS = f"{WORKERS} workers by turns"
    ALONE = "1 worker"


MANY = (Order.PREFERRED, Order.TURNS)


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was measured, by the order of things and the way."""

    rates: dict[tuple[Order, str], list[float]] = field(default_factory=dict)
    """Messages per second of each round."""
    latencies: dict[tuple[Order, str], list[float]] = field(default_factory=dict)
    """Milliseconds of messages that come one by one."""
    costs: dict[tuple[Order, str], list[float]] = field(default_factory=dict)
    """Milliseconds of processor that all workers and hosts take for a message together."""
    idle: dict[Order, list[float]] = field(default_factory=dict)
    """How much of a processor all take together without messages."""
    loads: list[float] = field(default_factory=list)


class Traffic:
    """Everybody writes in all chats."""

    def __init__(self, play: Play) -> None:
        self._conversations = play.scene.conversations
        self._alice = play.scene.stage.alice.client
        self._ledger = Ledger(play.scene.stage.synapse.folder / "homeserver.db")
        self._numbers = itertools.count()

    async def to_matrix(self) -> float:
        """People write as fast as they can; messages per second that came into rooms."""
        mark = self._mark()
        for number in range(MESSAGES // CHATS):
            for conversation in self._conversations:
                await conversation.boxes[0].account.phone.text(conversation.own.pn, f"{mark} {number}")
        return rate(await self._ledger.wait_for(mark, MESSAGES))

    async def to_whatsapp(self) -> float:
        """Alice writes as fast as she can; messages per second that people received."""
        mark, received = self._mark(), list[float]()

        async def write(conversation: Conversation) -> None:
            for number in range(MESSAGES // CHATS):
                await self._write(conversation, f"{mark} {number}")

        async def read(conversation: Conversation) -> None:
            for _ in range(MESSAGES // CHATS):
                await self._read(conversation, mark)
                received.append(time.perf_counter())

        both = (*map(write, self._conversations), *map(read, self._conversations))
        await asyncio.gather(*both)
        return rate(sorted(received))

    async def late_to_matrix(self) -> list[float]:
        """Milliseconds from a person's writing until alice's client sees it, one message at a time."""
        found = []
        for conversation in itertools.islice(itertools.cycle(self._conversations), LATENCIES):
            text, began = self._mark(), time.perf_counter()
            await conversation.boxes[0].account.phone.text(conversation.own.pn, text)
            await self._alice.wait_for_message(conversation.room, contains=text)
            found.append((time.perf_counter() - began) * 1000)
        return found

    async def late_to_whatsapp(self) -> list[float]:
        """Milliseconds from alice's writing until a person's phone shows it, one message at a time."""
        found = []
        for conversation in itertools.islice(itertools.cycle(self._conversations), LATENCIES):
            text, began = self._mark(), time.perf_counter()
            await self._write(conversation, text)
            await self._read(conversation, text)
            found.append((time.perf_counter() - began) * 1000)
        return found

    async def _write(self, conversation: Conversation, text: str) -> None:
        content = {"msgtype": "m.text", "body": text}
        await self._alice.send(conversation.room, "m.room.message", content, txn_id=text.replace(" ", "-"))

    async def _read(self, conversation: Conversation, mark: str) -> None:
        phone = conversation.boxes[0].account.phone
        while not (await phone.receive_next(timeout_seconds=RECEIVE_SECONDS)).text.startswith(mark):
            pass

    def _mark(self) -> str:
        return f"bench{next(self._numbers)}x"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Play]:
    """Three workers, and accounts in a chat each."""
    ports, made, bridges = PortPool(), list[Synapse](), itertools.count()

    async def make_synapse(
        *registrations: Registration,
        port: int | None = None,
        database: SynapseDatabase | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Synapse:
        synapse = Synapse(
            folder / "synapse",
            port=port or ports.reserve(),
            registrations=registrations,
            database=database,
            overrides=overrides,
        )
        made.append(synapse)
        await synapse.start()
        return synapse

    def make_bridge(
        homeserver_url: str,
        registration: Registration,
        *,
        port: int,
        database_uri: str | None = None,
        sections: Mapping[str, Mapping[str, object]] | None = None,
    ) -> BridgeProcess:
        return BridgeProcess(
            folder / f"bridge{next(bridges)}",
            homeserver_url=homeserver_url,
            registration=registration,
            port=port,
            database_uri=database_uri,
            # Not all of it is searched here, and to write it costs.
            sections={**(sections or {}), "logging": {"min_level": "info"}},
        )

    try:
        with own_postgres() as database:
            async with playing(
                Plan(messages=0, chats=CHATS),
                Size(links=CHATS, direct=CHATS, groups=0, drips=0),
                seed=1,
                folder=folder,
                make_synapse=make_synapse,
                make_bridge=make_bridge,
                ports=ports,
                database=database,
                can_be_cut=False,
                lease_seconds=ClusterSection().lease_ttl,
            ) as play:
                yield play
    finally:
        for synapse in made:
            await synapse.aclose()
        ports.release()


async def alone(crew: Crew) -> None:
    """Let only one worker stay, which leads."""
    leader = await crew.leader()
    for worker in crew.workers:
        if worker is not leader:
            crew.down.add(worker.name)
            await worker.bridge.stop()
    await crew.until_spread(workers=1)


async def together(crew: Crew) -> None:
    """Start the others."""
    for worker in crew.workers:
        if worker.name in crew.down:
            crew.down.discard(worker.name)
            worker.launch()
    await crew.until_spread()


async def measure() -> Sequence[Figure]:
    """Rounds of three workers and of one."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with opened(Path(name)) as play:
            traffic = Traffic(play)
            for _ in range(ROUNDS):
                for order in Order:
                    await (alone if order is Order.ALONE else together)(play.crew)
                    leader = (await play.crew.leader()).bridge.url
                    play.crew.balancer.preferred = None if order is Order.TURNS else leader
                    await _measure_round(play.crew, traffic, order, found)
                    play.crew.balancer.preferred = None
            await together(play.crew)
    return [
        *(_throughput(found, order, way, words) for order in MANY for way, words in _WAYS),
        *(_latency(found, way, words) for way, words in _WAYS),
        _idle(found),
    ]


async def _measure_round(crew: Crew, traffic: Traffic, order: Order, found: Found) -> None:
    # Whatever is slow only the first time is nobody's figure, and some have just been started.
    await traffic.to_matrix()
    await traffic.to_whatsapp()
    found.loads.append(os.getloadavg()[0])
    before = cpu_seconds(crew)
    await asyncio.sleep(IDLE_SECONDS)  # What happens in a time without messages is what is asked for.
    found.idle.setdefault(order, []).append((cpu_seconds(crew) - before) / IDLE_SECONDS)
    found.latencies.setdefault((order, "in"), []).extend(await traffic.late_to_matrix())
    found.latencies.setdefault((order, "out"), []).extend(await traffic.late_to_whatsapp())
    for way, flow in (("in", traffic.to_matrix), ("out", traffic.to_whatsapp)):
        before = cpu_seconds(crew)
        found.rates.setdefault((order, way), []).append(await flow())
        found.costs.setdefault((order, way), []).append((cpu_seconds(crew) - before) / MESSAGES * 1000)


def cpu_seconds(crew: Crew) -> float:
    """What all workers that run have used, with their hosts."""
    running = [worker.bridge for worker in crew.workers if worker.bridge.process.is_running]
    return sum(look(bridge.process.pid, host_pids(bridge.folder)).cpu_seconds for bridge in running)


def _throughput(found: Found, order: Order, way: str, words: str) -> Figure:
    many, one = (statistics.median(found.rates[each, way]) for each in (order, Order.ALONE))
    many_ms, one_ms = (statistics.median(found.costs[each, way]) for each in (order, Order.ALONE))
    return Figure(
        what=f"{order.value}, and 1 on {cores()} cores with Synapse, Postgres and phones, {words}",
        value=f"{many:.1f} and {one:.1f} messages per second, {many / one:.2f} times"
        f" ({many_ms:.1f} and {one_ms:.1f} ms of processor each, hosts included; median of {ROUNDS} rounds;"
        f" load {min(found.loads):.1f} to {max(found.loads):.1f})",
        target="no worse than 1",
    )


def _latency(found: Found, way: str, words: str) -> Figure:
    values = []
    for order in Order:
        each = sorted(found.latencies[order, way])
        worst = each[int(0.95 * (len(each) - 1))]
        values.append(f"{order.value}: {statistics.median(each):.0f} ms, 95 %: {worst:.0f} ms")
    return Figure(what=f"one message at a time, {words}", value="; ".join(values))


def _idle(found: Found) -> Figure:
    many = statistics.median(found.idle[Order.PREFERRED] + found.idle[Order.TURNS]) * 100
    one = statistics.median(found.idle[Order.ALONE]) * 100
    return Figure(
        what=f"{WORKERS} workers and 1 with their hosts and {CHATS + 1} links, without messages",
        value=f"{many:.1f} and {one:.1f} % of a processor",
    )
