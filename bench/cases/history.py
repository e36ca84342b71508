"""The past of an account: how fast it comes into rooms, what it does to those who write, what memory it takes."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.cases.talk import quantile
from bench.figures import RESULTS, Figure
from bench.talk.homeserver import Sender, Watcher, rate, steady_rate
from bench.talk.rooms import RoomMaker
from bench.talk.stage import Chat, Stage, open_chats, stage
from tests.simulator.api import HistoryChunk, HistoryConversation, HistoryMessage, Jid
from tests.simulator.protobufs import e2e

ROUNDS = 2
ROOMS, MESSAGES = 8, 120
BUSY_ROOMS, BUSY_MESSAGES = 20, 60
LATENCIES = 40
CHUNKS, CHUNK_CHATS, CHUNK_MESSAGES = 5, 100, 100
WATCH_SECONDS = 45.0
SETTLE_SECONDS = 3.0
LOOK_SECONDS = 2.0
"""A look at thousands of events takes the processor that is measured."""
_SECTIONS = {
    "backfill": {"enabled": True, "max_initial_messages": -1},
    "network": {"history_sync": {"dispatch_wait": "1s"}},
    "bridge": {"personal_filtering_spaces": False, "permissions": {"localhost": "user"}},
}


@dataclass(slots=True, kw_only=True)
class Found:
    """Everything that was measured."""

    past_per_second: list[float] = field(default_factory=list)
    bare_per_second: list[float] = field(default_factory=list)
    whole_per_second: list[float] = field(default_factory=list)
    """The past, from the first room's making on."""
    bare_whole_per_second: list[float] = field(default_factory=list)
    """The same for a loop that makes such rooms, sends with times and invites."""
    idle_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)
    idle_mb: float = 0.0
    peak_mb: float = 0.0


@dataclass(slots=True)
class Teller:
    """Makes up the past of people nobody has met."""

    it: Stage
    people: int = 0
    start_s: int = field(default_factory=lambda: int(time.time()) - 86_400)

    def make(self, mark: str, chats: int, messages: int) -> HistoryChunk:
        """Chats whose messages begin with a mark."""
        conversations = []
        for _ in range(chats):
            self.people += 1
            person = Jid(f"7{self.people:06}", "lid")
            old = [
                HistoryMessage(
                    message_id=f"{mark}-{self.people}-{number}",
                    message=e2e.Message(conversation=f"{mark} {self.people} {number} " + "and so on " * 6),
                    at_seconds=self.start_s + number,
                )
                for number in range(messages)
            ]
            conversations.append(HistoryConversation(chat=person, messages=old[::-1]))
        return HistoryChunk(sync_type="RECENT", conversations=conversations)

    async def send(self, chunk: HistoryChunk) -> None:
        """Have alice's phone hand it over."""
        (device,) = self.it.own.devices.values()
        await self.it.own.phone.send_history(device, chunk)


async def measure() -> Sequence[Figure]:
    """Measure, and keep everything as JSON."""
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        async with stage(Path(folder), more=_SECTIONS) as it:
            await open_chats(it, 1)
            teller = Teller(it)
            for number in range(ROUNDS):
                await _measure_rate(it, teller, f"r{number}", found)
            await _measure_latency(it, teller, found)
            await _measure_memory(it, teller, found)
    (RESULTS / "history.json").write_text(json.dumps(asdict(found)) + "\n")
    return _figures(found)


async def _measure_rate(it: Stage, teller: Teller, mark: str, found: Found) -> None:
    """The past and a loop that only sends with a time, in the same rooms one after the other."""
    first = teller.people + 1
    await teller.send(teller.make(mark, ROOMS, MESSAGES))
    await it.ledger.wait_for(mark, ROOMS * MESSAGES, every_seconds=LOOK_SECONDS)
    made = it.ledger.get_rooms(mark)
    found.past_per_second.append(steady_rate([times[1:] for times in made.values()]))
    found.whole_per_second.append(rate(sorted(itertools.chain(*made.values()))))
    await asyncio.sleep(SETTLE_SECONDS)
    ghosts = [f"@whatsapp_lid-7{number:06}:localhost" for number in range(first, first + ROOMS)]
    rooms = [await _room_of(it, ghost) for ghost in ghosts]

    async def fill(room: str, ghost: str) -> None:
        sender = Sender(http=it.http, url=it.synapse.url, token=it.registration.as_token, user=ghost)
        for number in range(MESSAGES):
            await sender.send(room, f"bare {mark} {number} " + "and so on " * 6, at_s=teller.start_s + number)

    await asyncio.gather(*(fill(room, ghost) for room, ghost in zip(rooms, ghosts, strict=True)))
    await it.ledger.wait_for(f"bare {mark}", ROOMS * MESSAGES, every_seconds=LOOK_SECONDS)
    bare = it.ledger.get_rooms(f"bare {mark}")
    found.bare_per_second.append(steady_rate([times[1:] for times in bare.values()]))
    await asyncio.sleep(SETTLE_SECONDS)
    await _measure_bare_rooms(it, f"new {mark}", teller.start_s, found)


async def _measure_bare_rooms(it: Stage, mark: str, start_s: int, found: Found) -> None:
    """The loop, in rooms that it has to make itself."""
    (chat,) = it.chats
    maker = RoomMaker(
        http=it.http, url=it.synapse.url, registration=it.registration, login=it.own.pn.user, own_ghost=chat.ghost
    )

    async def fill(number: int) -> None:
        room, sender = await maker.make(f"bare-{mark.replace(' ', '-')}-{number}")
        for index in range(MESSAGES):
            await sender.send(room, f"{mark} {index} " + "and so on " * 6, at_s=start_s + index)
        await maker.call_user(room, it.alice.user_id)

    await asyncio.gather(*map(fill, range(ROOMS)))
    made = it.ledger.get_rooms(mark)
    found.bare_whole_per_second.append(rate(sorted(itertools.chain(*made.values()))))


async def _room_of(it: Stage, ghost: str) -> str:
    headers, query = {"Authorization": f"Bearer {it.registration.as_token}"}, {"user_id": ghost}
    url = f"{it.synapse.url}/_matrix/client/v3/joined_rooms"
    async with it.http.get(url, headers=headers, params=query) as answer:
        (room,) = (await answer.json())["joined_rooms"]
    return str(room)


async def _measure_latency(it: Stage, teller: Teller, found: Found) -> None:
    """Somebody writes now and then, while nothing else happens and while the past comes in."""
    (chat,) = it.chats
    async with it.watched() as watcher:
        found.idle_ms += await _latencies(it, chat, watcher, "idle")
        await teller.send(teller.make("busy", BUSY_ROOMS, BUSY_MESSAGES))
        await it.ledger.wait_for("busy 25 0", 1)
        found.busy_ms += await _latencies(it, chat, watcher, "beside")
        await it.ledger.wait_for("busy", BUSY_ROOMS * BUSY_MESSAGES)


async def _latencies(it: Stage, chat: Chat, watcher: Watcher, mark: str) -> list[float]:
    taken = []
    for number in range(LATENCIES):
        await chat.person.phone.text(it.own.pn, f"{mark} {number}")
        began = time.perf_counter()
        taken.append((await watcher.saw(f"{mark} {number}") - began) * 1000)
        await asyncio.sleep(0.1)
    return taken


async def _measure_memory(it: Stage, teller: Teller, found: Found) -> None:
    """A long history is unpacked and begun with."""
    await it.restart_bridge()
    await asyncio.sleep(SETTLE_SECONDS)
    found.idle_mb = found.peak_mb = it.usage().resident_mb
    for number in range(CHUNKS):
        await teller.send(teller.make(f"m{number}", CHUNK_CHATS, CHUNK_MESSAGES))
    until = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < until:
        found.peak_mb = max(found.peak_mb, it.usage().resident_mb)
        await asyncio.sleep(0.1)


def _figures(found: Found) -> Sequence[Figure]:
    past, bare = statistics.median(found.past_per_second), statistics.median(found.bare_per_second)
    steady = _ratio(found.past_per_second, found.bare_per_second)
    whole = _ratio(found.whole_per_second, found.bare_whole_per_second)
    of_sending = _ratio(found.whole_per_second, found.bare_per_second)
    idle, busy = quantile(found.idle_ms, 0.5), quantile(found.busy_ms, 0.5)
    return (
        Figure(
            what=f"history, {ROOMS} rooms at once",
            value=f"{steady:.2f} of a loop that only sends with times ({past:.0f} against {bare:.0f} messages/s;"
            f" median of {ROUNDS} rounds)",
            target="at least 0.90",
        ),
        Figure(
            what=f"the same from the making of the first room on, {MESSAGES} messages in each",
            value=f"{whole:.2f} of a loop that makes such rooms, too; {of_sending:.2f} of the one that only sends",
        ),
        Figure(
            what="latency of a live message while history comes in",
            value=f"{busy / idle:.1f} times idle (p50 {busy:.0f} against {idle:.0f} ms, "
            f"p95 {quantile(found.busy_ms, 0.95):.0f} against {quantile(found.idle_ms, 0.95):.0f} ms)",
            target="under 3 times",
        ),
        Figure(
            what="memory of bridge and host above idle, history of "
            f"{CHUNKS * CHUNK_CHATS * CHUNK_MESSAGES:,} messages",
            value=f"{found.peak_mb - found.idle_mb:.0f} MB (idle {found.idle_mb:.0f} MB)",
            target="under 60 MB",
        ),
    )


def _ratio(ours: Sequence[float], bare: Sequence[float]) -> float:
    """The median over rounds: what is measured one after the other is compared."""
    return statistics.median(one / other for one, other in zip(ours, bare, strict=True))
