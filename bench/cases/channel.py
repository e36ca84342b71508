"""What the channel adds: real HTTP and a SQLite file, with a WhatsApp in memory that takes no time."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import ClientSession

from bench.figures import Figure
from mautrix_whatsapp_py.app.channel import ChannelParts, Ground, make_parts
from mautrix_whatsapp_py.bridge.clock import SystemClock
from mautrix_whatsapp_py.bridge.names import GhostNames
from mautrix_whatsapp_py.bridge.persons import Persons
from mautrix_whatsapp_py.channel.alone import AloneDoor
from mautrix_whatsapp_py.config.channel import ChannelSection, GroupPolicy
from mautrix_whatsapp_py.ids import JournalSeq, LoginId, WaJid, WaMessageId
from mautrix_whatsapp_py.model.channel import ItemSeq
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaMessage, WaSource
from mautrix_whatsapp_py.store.migrate import migrate
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.url import SqliteAddress
from tests.fakes.directory import FakeDirectory
from tests.fakes.whatsapp import FakeNetwork, device_of
from tests.flow.channel_desk import Shelf, refuse_posts
from tests.homeserver import PortPool

TOKEN = "a-long-word-for-the-bench"
LOGIN = LoginId("15550001111")
ROUNDS, ITEMS, CHATS = 300, 5_000, 20


class Stand:
    """A channel and somebody who writes to it."""

    def __init__(self, parts: ChannelParts, door: AloneDoor, network: FakeNetwork, url: str) -> None:
        self.parts, self.door, self.network, self.url = parts, door, network, url
        self._count = 0

    def write(self, chat: int) -> None:
        """The host tells of a message."""
        self._count += 1
        sender = WaJid(user=f"1777{chat:07}", server="s.whatsapp.net")
        event = WaMessage(
            source=WaSource(chat=sender, sender=sender),
            message_id=WaMessageId(f"B{self._count}"),
            timestamp=datetime.now(UTC),
            content=WaText(body=f"An ordinary message, number {self._count}."),
        )
        self.door.on_wa_event(LOGIN, JournalSeq(self._count), event)

    async def count_waiting(self) -> int:
        """How many items are stored."""
        return await self.parts.channel.deps.feed.count_waiting("default")


@asynccontextmanager
async def stand() -> AsyncIterator[Stand]:
    """A channel that lets everybody in."""
    ports = PortPool()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        address = SqliteAddress(path=folder / "bench.db")
        await migrate(address)
        store, clock, network = Store(address), SystemClock(), FakeNetwork()
        persons = Persons(store, GhostNames(template="whatsapp_{{.}}", domain="channel.invalid"))
        door = AloneDoor(persons=persons, clock=clock)
        network.sink = door
        network.link(device_of(LOGIN))
        url = f"http://127.0.0.1:{ports.reserve()}"
        section = ChannelSection(
            enabled=True, bridge_url=f"{url}/bridge", allow_from=("*",), group_policy=GroupPolicy.OPEN
        )
        ground = Ground(
            store=store,
            network=network,
            persons=persons,
            door=door,
            clock=clock,
            open_directory=lambda _: FakeDirectory(LOGIN),
            source=Shelf(),
            folder=folder,
        )
        parts = make_parts(section, ground, token=TOKEN, post=refuse_posts)
        door.bind(network, parts.intake.take)
        await parts.start()
        try:
            yield Stand(parts, door, network, url)
        finally:
            await parts.stop()
            await door.stop()
            await store.close()
            ports.release()


async def _wake_ups(made: Stand, http: ClientSession) -> list[float]:
    """Milliseconds from the host's event to the answer of a long poll that waited for it."""
    seconds: list[float] = []
    feed = made.parts.channel.deps.feed
    for _ in range(ROUNDS):
        body = {"operation": "receive_batch", "payload": {"wait_ms": 30_000}}
        waiting = asyncio.create_task(_post(http, f"{made.url}/bridge", body))
        while not feed.is_waited_for:  # noqa: ASYNC110  there is nothing to be told by
            await asyncio.sleep(0)
        began = time.perf_counter()
        made.write(0)
        answer = await waiting
        seconds.append(time.perf_counter() - began)
        for item in answer["payload"]["messages"]:
            await feed.ack(item["delivery"]["ack_cursor"])
    return [value * 1000 for value in seconds]


async def _sends(made: Stand, http: ClientSession) -> list[float]:
    """Milliseconds of a send_message whose library takes none."""
    seconds: list[float] = []
    for count in range(ROUNDS):
        payload = {"target": {"id": "contact:+17770000000"}, "message": {"text": f"answer {count}"}}
        began = time.perf_counter()
        await _post(http, f"{made.url}/bridge", {"operation": "send_message", "payload": payload})
        seconds.append(time.perf_counter() - began)
    return [value * 1000 for value in seconds]


async def _throughput(made: Stand) -> float:
    """Items per second from the host's events to the database."""
    before = await made.count_waiting()
    began = time.perf_counter()
    for count in range(ITEMS):
        made.write(count % CHATS)
        if count % 100 == 0:
            await asyncio.sleep(0)
    await made.door.idle()
    elapsed = time.perf_counter() - began
    stored = await made.count_waiting() - before
    if stored != ITEMS:
        raise RuntimeError(f"{stored} of {ITEMS} items were stored")
    items = await made.parts.channel.deps.feed.follow("default", after=ItemSeq(0), most=1, wait_seconds=0)
    assert items
    return ITEMS / elapsed


async def _post(
    http: ClientSession, url: str, body: object
) -> dict[str, dict[str, list[dict[str, dict[str, str]]]]]:
    async with http.post(url, json=body) as response:
        answer = await response.json()
        if response.status != 200:
            raise RuntimeError(answer)
        return dict(answer)


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"p50 {statistics.median(ordered):.1f} ms, p95 {ordered[int(len(ordered) * 0.95)]:.1f} ms"


async def measure() -> Sequence[Figure]:
    """The three figures."""
    async with stand() as made, ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        wake_ups, sends = await _wake_ups(made, http), await _sends(made, http)
        throughput = await _throughput(made)
    return (
        Figure(
            what="channel: from the host's event to the answer of a waiting receive_batch",
            value=_spread(wake_ups),
            target="p50 under 5 ms",
        ),
        Figure(
            what="channel: what send_message adds to the library's own send",
            value=_spread(sends),
            target="under 10 ms",
        ),
        Figure(
            what=f"channel: items through the policy into SQLite, {CHATS} chats",
            value=f"{throughput:.0f} per second",
            target="1000 per second",
        ),
    )
