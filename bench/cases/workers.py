"""One worker and three, with everything they need on this machine: what they carry into rooms and back.

In turns and in one run, so that what the machine does besides meets both.
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
from pathlib import Path

from bench.figures import Figure
from bench.talk.homeserver import Ledger, rate
from bench.talk.stage import cores
from tests.chaos.conversation import Conversation
from tests.chaos.storm import Plan
from tests.homeserver import BridgeProcess, PortPool, Registration, Synapse
from tests.postgres import own_postgres
from tests.workers.crew import Crew
from tests.workers.play import WORKERS, Play, Size, playing

CHATS = 12
MESSAGES = 240
ROUNDS = 3
SETTLE_SECONDS = 1.0
RECEIVE_SECONDS = 60
_marks = itertools.count()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Play]:
    """Three workers, twelve accounts in a chat each."""
    ports, made = PortPool(), []

    async def make_synapse(registration: Registration) -> Synapse:
        synapse = Synapse(folder / "synapse", port=ports.reserve(), registrations=[registration])
        made.append(synapse)
        await synapse.start()
        return synapse

    bridges = itertools.count()

    def make_bridge(
        homeserver_url: str,
        registration: Registration,
        *,
        port: int,
        database_uri: str,
        sections: Mapping[str, Mapping[str, object]],
    ) -> BridgeProcess:
        return BridgeProcess(
            folder / f"bridge{next(bridges)}",
            homeserver_url=homeserver_url,
            registration=registration,
            port=port,
            database_uri=database_uri,
            sections=sections,
        )

    try:
        with own_postgres() as database:
            async with playing(
                Plan(messages=0, chats=CHATS),
                Size(links=CHATS, direct=CHATS, groups=0, drips=0),
                seed=1,
                folder=folder,
                make_synapse=make_synapse,  # type: ignore[arg-type]
                make_bridge=make_bridge,  # type: ignore[arg-type]
                ports=ports,
                database=database,
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


async def to_matrix(play: Play) -> float:
    """People write as fast as they can; messages per second that came into rooms."""
    mark = f"bench{next(_marks)}x"
    for number in range(MESSAGES // CHATS):
        for conversation in play.scene.conversations:
            await conversation.boxes[0].account.phone.text(conversation.own.pn, f"{mark} {number}")
    ledger = Ledger(play.scene.stage.synapse.folder / "homeserver.db")
    return rate(await ledger.wait_for(mark, MESSAGES))


async def to_whatsapp(play: Play) -> float:
    """Alice writes as fast as she can; messages per second that people received."""
    mark, alice = f"bench{next(_marks)}x", play.scene.stage.alice.client
    received: list[float] = []

    async def write(conversation: Conversation) -> None:
        for number in range(MESSAGES // CHATS):
            content = {"msgtype": "m.text", "body": f"{mark} {number}"}
            await alice.send(conversation.room, "m.room.message", content, txn_id=f"{mark}{number}")

    async def read(conversation: Conversation) -> None:
        count = 0
        while count < MESSAGES // CHATS:
            phone = conversation.boxes[0].account.phone
            if (await phone.receive_next(timeout_seconds=RECEIVE_SECONDS)).text.startswith(mark):
                count += 1
                received.append(time.perf_counter())

    both = (*map(write, play.scene.conversations), *map(read, play.scene.conversations))
    await asyncio.gather(*both)
    return rate(sorted(received))


async def measure() -> Sequence[Figure]:
    """Rounds of three workers and of one."""
    found: dict[tuple[int, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with opened(Path(name)) as play:
            await to_matrix(play)
            await to_whatsapp(play)
            for _ in range(ROUNDS):
                for workers, arrange in ((WORKERS, together), (1, alone)):
                    await arrange(play.crew)
                    await asyncio.sleep(SETTLE_SECONDS)
                    found.setdefault((workers, "in"), []).append(await to_matrix(play))
                    found.setdefault((workers, "out"), []).append(await to_whatsapp(play))
            await together(play.crew)
    load = os.getloadavg()[0]
    return [_figure(found, "in", "WhatsApp to rooms", load), _figure(found, "out", "rooms to WhatsApp", load)]


def _figure(found: dict[tuple[int, str], list[float]], way: str, words: str, load: float) -> Figure:
    many, one = (statistics.median(found[workers, way]) for workers in (WORKERS, 1))
    return Figure(
        what=f"{WORKERS} workers and 1 on {cores()} cores with Synapse, Postgres and phones, {words}",
        value=f"{many:.0f} and {one:.0f} messages per second ({many / one:.2f}), load {load:.1f}",
        target="no worse than 1",
    )
