"""One round: the bare homeserver and the bridge in turn, so that what the machine does meanwhile meets both."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.talk.homeserver import Watcher, rate
from bench.talk.processes import Usage
from bench.talk.stage import Chat, Stage
from tests.simulator.trace import Direction

SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many messages each measurement takes."""

    one_chat: int = 100
    many_chats: int = 200
    latency: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Throughput in one shape of traffic."""

    bare_per_second: float
    to_matrix_per_second: float
    put_per_second: float
    to_whatsapp_per_second: float

    @property
    def to_matrix_ratio(self) -> float:
        """The bridge's share of what the homeserver takes."""
        return self.to_matrix_per_second / self.bare_per_second

    @property
    def to_whatsapp_ratio(self) -> float:
        """The bridge's share of what the client put."""
        return self.to_whatsapp_per_second / self.put_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Milliseconds from sending to seeing, one message at a time."""

    bare: tuple[float, ...]
    to_matrix: tuple[float, ...]
    put: tuple[float, ...]
    taken: tuple[float, ...]
    """Until WhatsApp's server has it."""
    to_whatsapp: tuple[float, ...]
    """Until the simulated phone has decrypted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Milliseconds of processor time per message."""

    bridge_ms: float
    host_ms: float

    @property
    def both_ms(self) -> float:
        """Bridge and host together."""
        return self.bridge_ms + self.host_ms


class Rounds:
    """Measures on a stage whose chats are open."""

    def __init__(self, it: Stage, sizes: Sizes) -> None:
        self._it = it
        self.sizes = sizes
        self._numbers = itertools.count()

    async def shape(self, chats: Sequence[Chat], count: int) -> tuple[Shape, Cost, Cost]:
        """Bare, to Matrix, to WhatsApp; with the cost of either way."""
        bare = await self.bare(chats, count)
        before = self._it.usage()
        to_matrix = await self.to_matrix(chats, count)
        between = self._it.usage()
        put, to_whatsapp = await self.to_whatsapp(chats, count)
        after = self._it.usage()
        shape = Shape(
            bare_per_second=bare,
            to_matrix_per_second=to_matrix,
            put_per_second=put,
            to_whatsapp_per_second=to_whatsapp,
        )
        return shape, _cost(before, between, count), _cost(between, after, count)

    async def bare(self, chats: Sequence[Chat], count: int) -> float:
        """A loop per chat that only sends; messages per second."""
        mark = self._mark()

        async def fill(chat: Chat) -> None:
            sender = self._it.bare(chat)
            for number in range(count // len(chats)):
                await sender.send(chat.room, f"{mark} {number}")

        await asyncio.gather(*map(fill, chats))
        return rate(await self._settled(mark, count))

    async def to_matrix(self, chats: Sequence[Chat], count: int) -> float:
        """People on WhatsApp write as fast as they can; messages per second that came into the rooms."""
        mark = self._mark()
        for number in range(count // len(chats)):
            for chat in chats:
                await chat.person.phone.text(self._it.own.pn, f"{mark} {number}")
        return rate(await self._settled(mark, count))

    async def to_whatsapp(self, chats: Sequence[Chat], count: int) -> tuple[float, float]:
        """Alice writes as fast as her client can; messages per second put, and received by people."""
        mark, share = self._mark(), count // len(chats)
        client = self._it.client()
        put: list[float] = []
        received: list[float] = []

        async def write(chat: Chat) -> None:
            for number in range(share):
                await client.send(chat.room, f"{mark} {number}")
                put.append(time.perf_counter())

        async def read(chat: Chat) -> None:
            seen: list[str] = []
            while len(seen) < share:
                message = await chat.person.phone.receive_next(timeout_seconds=60)
                if message.text.startswith(mark):
                    seen.append(message.text)
                    received.append(time.perf_counter())
            if seen != [f"{mark} {number}" for number in range(share)]:
                raise RuntimeError("messages came out of order")

        await asyncio.gather(*map(write, chats), *map(read, chats))
        await asyncio.sleep(SETTLE_SECONDS)
        return rate(sorted(put)), rate(sorted(received))

    async def latencies(self) -> Latencies:
        """One message at a time, the four ways in turn."""
        chat, ways = self._it.chats[0], ([], [], [], [], [])  # type: tuple[Chat, tuple[list[float], ...]]
        bare, client = self._it.bare(chat), self._it.client()
        phone, own = chat.person.phone, self._it.own.pn
        async with self._it.watched() as watcher:
            for _ in range(self.sizes.latency):
                text = self._mark()
                began = time.perf_counter()
                await bare.send(chat.room, text)
                ways[0].append(await watcher.saw(text) - began)
                ways[1].append(await self._timed(lambda text: phone.text(own, text), watcher))
                text = self._mark()
                began = time.perf_counter()
                receiving = asyncio.create_task(phone.receive_next(timeout_seconds=30))
                begun_at = time.monotonic()
                await client.send(chat.room, text)
                received = await receiving
                ways[3].append(time.perf_counter() - began)
                ways[4].append(self._taken_at(received.message_id) - begun_at)
                ways[2].append(await watcher.saw(text) - began)
                await asyncio.sleep(0.005)
        bare_ms, to_matrix, put, to_whatsapp, taken = (tuple(s * 1000 for s in way) for way in ways)
        return Latencies(bare=bare_ms, to_matrix=to_matrix, put=put, taken=taken, to_whatsapp=to_whatsapp)

    def _taken_at(self, message_id: str) -> float:
        """When the simulated server had read a message off its socket."""
        for entry in reversed(self._it.wa.trace.entries):
            if entry.direction is Direction.IN and entry.node.get("id") == message_id:
                return entry.at_seconds
        raise RuntimeError("a message was received that was never sent")

    async def _timed(self, send: Callable[[str], Awaitable[object]], watcher: Watcher) -> float:
        text = self._mark()
        await send(text)
        # The phone's own encryption is not the bridge's doing.
        began = time.perf_counter()
        return await watcher.saw(text) - began

    async def _settled(self, mark: str, count: int) -> list[float]:
        times = await self._it.ledger.wait_for(mark, count)
        await asyncio.sleep(SETTLE_SECONDS)
        return times

    def _mark(self) -> str:
        return f"b{next(self._numbers):06}"


def _cost(before: Usage, after: Usage, count: int) -> Cost:
    return Cost(
        bridge_ms=(after.bridge_cpu_seconds - before.bridge_cpu_seconds) * 1000 / count,
        host_ms=(after.host_cpu_seconds - before.host_cpu_seconds) * 1000 / count,
    )
