"""Workers share a database: one is killed, frozen, cut off or drained, and nothing is lost, doubled or late."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.spread.rendezvous import choose
from tests.chaos.conversation import Mailbox
from tests.chaos.stage import Outcome, Scene
from tests.chaos.storm import Force, Plan, Storm, is_long, new_seed
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.postgres import OwnPostgres, own_postgres
from tests.simulator.api import Account, groups, host_command, simulator
from tests.workers.crew import Balancer, Crew, DatabaseLink, Worker, running

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

WORKERS = 3
LEASE_SECONDS = 10 if is_long() else 5
"""Shorter ones run out by themselves where many tests share a processor, and everything is done twice."""
NOT_YET = "could not be decrypted yet"
LOST_PER_CRASH = 9
"""What the architecture page allows for a killed host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blows:
    """What happens to the workers, how often."""

    kills: int
    freezes: int
    cuts: int
    restarts: int
    drains: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many accounts alice has, with how many of them she talks in private, and in how many groups."""

    links: int
    direct: int
    groups: int


SHORT = (
    Plan(messages=16, chats=4),
    Blows(kills=1, freezes=1, cuts=0, restarts=0, drains=1),
    Size(links=5, direct=3, groups=1),
)
LONG = (
    Plan(messages=900, chats=16),
    Blows(kills=10, freezes=10, cuts=4, restarts=3, drains=4),
    Size(links=59, direct=12, groups=4),
)


@pytest.fixture
def database() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@dataclass(slots=True, kw_only=True)
class Play:
    """Everything there is."""

    crew: Crew
    scene: Scene
    database: OwnPostgres
    url: str


@asynccontextmanager
async def playing(
    plan: Plan,
    size: Size,
    *,
    seed: int,
    folder: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres,
) -> AsyncIterator[Play]:
    """Alice with accounts on all workers behind a balancer, in all her chats."""
    async with simulator(folder / "wa") as wa:
        balancer = Balancer(port := ports.reserve(), folder)
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        url = database.create_database("bridge")
        workers = []
        for number in range(WORKERS):
            # Not below the test's folder, whose path is longer than the address of a socket may be.
            link = DatabaseLink(Path(database.socket_folder) / f"link{number}", Path(database.socket_folder))
            bridge = make_bridge(
                synapse.url,
                registration,
                port=ports.reserve(),
                database_uri=f"postgresql://postgres@/bridge?host={link.folder}",
                sections={
                    "whatsapp": {"host_command": list(host_command(wa))},
                    "cluster": {"enabled": True, "worker": f"w{number}", "lease_ttl": LEASE_SECONDS},
                },
            )
            workers.append(Worker(name=f"w{number}", bridge=bridge, link=link))
        rng = random.Random(seed)
        async with running(Crew(workers=workers, balancer=balancer, database=database, rng=rng)) as crew:
            alice = await Seat.take(await synapse.create_client("alice"), workers[0].bridge)
            bella = await Seat.take(await synapse.create_client("bella"), workers[0].bridge)
            owns = [wa.add_account(number, f"Own {number[-4:]}") for number in numbers(size.links + 1)]
            for own in owns[1:]:
                await alice.scan(own)
            await bella.scan(owns[0])
            crew.are_links_up = lambda: all(map(is_linked, owns))
            await crew.until_spread()
            stage = Stage(wa=wa, synapse=synapse, bridge=workers[0].bridge, alice=alice, phone=owns[1])
            scene = Scene(stage=stage, plan=plan, rng=rng, database=None)
            await meet(scene, size, owns)
            yield Play(crew=crew, scene=scene, database=database, url=url)


def numbers(count: int) -> list[str]:
    """Numbers of which each of the workers is to hold the same, by turns."""
    names = [Named(name=f"w{number}") for number in range(WORKERS)]
    chosen: list[str] = []
    for number in itertools.count(15550000000):
        if choose(LoginId(str(number)), names) == names[len(chosen) % WORKERS].holder:
            chosen.append(str(number))
        if len(chosen) == count:
            return chosen
    raise AssertionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Implements Candidate."""

    name: str
    weight: float = 1.0
    is_draining: bool = False
    age_seconds: float = 0.0

    @property
    def holder(self) -> str:
        return self.name


async def meet(scene: Scene, size: Size, owns: list[Account]) -> None:
    """Private chats of alice's accounts on all workers, and groups that bella, on another one, is in as well."""
    wa = scene.stage.wa
    people = [wa.add_account(f"1555100{number:04}", f"Person {number}") for number in range(size.direct)]
    scene.boxes = [Mailbox(account) for account in people]
    for number, box in enumerate(scene.boxes):
        own = owns[1 + number]
        await scene.open(f"direct{number}", own.lid, [box], own)
    for number in range(size.groups):
        own = owns[1 + number]
        boxes = [scene.boxes[number], scene.boxes[(number + 1) % size.direct]]
        members = [own, owns[0], boxes[1].account]
        group = groups.create_group(wa.world, boxes[0].account, f"Club {number}", members)
        await scene.open(f"group{number}", group.jid, boxes, own)


async def test_nothing_is_lost_when_workers_go(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres,
) -> None:
    plan, blows, size = LONG if is_long() else SHORT
    seed = new_seed()
    async with playing(
        plan,
        size,
        seed=seed,
        folder=tmp_path,
        make_synapse=make_synapse,
        make_bridge=make_bridge,
        ports=ports,
        database=database,
    ) as play:
        crew, scene = play.crew, play.scene
        await weather(play, blows)
        await scene.settle()
        await scene.finish()
        outcome = await scene.settle()
        tell(outcome, crew, seed)
        doubled = [token for token in outcome.incoming.doubled if NOT_YET not in token[1]]
        assert not outcome.outgoing.doubled + doubled, outcome.outgoing.details
        assert not outcome.outgoing.misplaced + outcome.incoming.misplaced
        lost = len(outcome.outgoing.lost) + len(outcome.incoming.lost)
        assert lost <= LOST_PER_CRASH * (blows.kills + blows.freezes + blows.cuts), outcome.outgoing.details
        assert scene.stage.wa.world.replaced == []
        columns = "SELECT 1 FROM information_schema.columns WHERE column_name = 'of_the_newer'"
        assert play.database.execute(columns, database="bridge"), "nobody upgraded the database"


def is_linked(account: Account) -> bool:
    """Whether a device of an account is there."""
    return any(device.connection is not None for device in account.devices.values() if device.number)


async def weather(play: Play, blows: Blows) -> None:
    """Everybody writes while workers go and come."""
    scene, crew = play.scene, play.crew

    async def restart() -> None:
        await asyncio.to_thread(play.database.restart)

    forces = [
        Force(name="leader killed", times=blows.kills - blows.kills // 2, strike=partial(crew.kill, leads=True)),
        Force(name="worker killed", times=blows.kills // 2, strike=crew.kill),
        Force(name="worker frozen", times=blows.freezes, strike=partial(crew.freeze, leads=is_long() and None)),
        Force(name="worker cut off", times=blows.cuts, strike=crew.part),
        Force(name="worker drained", times=blows.drains, strike=partial(crew.drain, leads=is_long() and None)),
        Force(name="database restarted", times=blows.restarts, strike=restart),
    ]
    storm = Storm(rng=scene.rng, steps=2 * scene.plan.messages, forces=forces)
    async with asyncio.TaskGroup() as group:
        group.create_task(storm.rage())
        for number, conversation in enumerate(scene.conversations):
            count = len(range(number, scene.plan.messages, scene.plan.chats))
            group.create_task(scene.write(conversation.write_out, count, storm))
            group.create_task(scene.write(conversation.write_in, count, storm))


def tell(outcome: Outcome, crew: Crew, seed: int) -> None:
    """The figures of a run."""
    takeovers = sorted(crew.takeovers)
    p95 = takeovers[int(0.95 * (len(takeovers) - 1))] if takeovers else 0.0
    sys.stdout.write(
        f"seed {seed}: out: {outcome.outgoing}; in: {outcome.incoming}; wrong reactions:"
        f" {len(outcome.wrong_reactions)}; takeovers {[round(one, 1) for one in takeovers]}, p95 {p95:.1f} s;"
        f" moves {[round(one, 1) for one in crew.moves]}, {crew.restarts} restarts;"
        f" load {os.getloadavg()[0]:.1f}\n"
    )
