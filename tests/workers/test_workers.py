"""Workers share a database: one is killed, frozen, cut off or drained, and nothing is lost, doubled or late."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.stage import Outcome, Scene
from tests.chaos.storm import Force, Plan, Storm, is_long, new_seed
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.postgres import OwnPostgres, own_postgres
from tests.simulator.api import Account, host_command, simulator
from tests.workers.crew import Balancer, Crew, DatabaseLink, Worker, running

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

WORKERS = 3
LEASE_SECONDS = 10 if is_long() else 3
NOT_YET = "could not be decrypted yet"
LOST_PER_CRASH = 9
"""What the architecture page allows for a killed host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blows:
    """What happens to the workers, how often."""

    kills: int = 1
    freezes: int = 1
    cuts: int = 1
    restarts: int = 1
    drains: int = 1


SHORT = (Plan(messages=20, chats=2), Blows(freezes=0, cuts=0, restarts=0))
LONG = (Plan(messages=600, chats=12), Blows(kills=10, freezes=10, cuts=3, restarts=3, drains=3))
LINKS = 20 if is_long() else 1


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
    *,
    seed: int,
    folder: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres,
) -> AsyncIterator[Play]:
    """Alice, linked through workers behind a balancer, in all her chats."""
    async with simulator(folder / "wa") as wa:
        balancer = Balancer(port := ports.reserve())
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
            workers.append(Worker(bridge=bridge, link=link))
        async with running(workers, balancer) as crew:
            alice = await Seat.take(await synapse.create_client("alice"), workers[0].bridge)
            phone = wa.add_account("15550001111", "Alice")
            stage = Stage(wa=wa, synapse=synapse, bridge=workers[0].bridge, alice=alice, phone=phone)
            await alice.scan(phone)
            await alice.until_connected()
            others = [wa.add_account(f"1555200{number:04}", f"Own {number}") for number in range(LINKS - 1)]
            for other in others:
                await alice.scan(other)
            crew.are_links_up = lambda: all(map(is_linked, (phone, *others)))
            scene = Scene(stage=stage, plan=plan, rng=random.Random(seed), database=None)
            await scene.meet()
            yield Play(crew=crew, scene=scene, database=database, url=url)


async def test_nothing_is_lost_when_workers_go(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres,
) -> None:
    plan, blows = LONG if is_long() else SHORT
    seed = new_seed()
    async with playing(
        plan,
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


def is_linked(account: Account) -> bool:
    """Whether a device of an account is there."""
    return any(device.connection is not None for device in account.devices.values() if device.number)


async def weather(play: Play, blows: Blows) -> None:
    """Everybody writes while workers go and come."""
    scene, crew = play.scene, play.crew

    async def restart() -> None:
        await asyncio.to_thread(play.database.restart)

    forces = [
        Force(name="worker killed", times=blows.kills, strike=crew.kill),
        Force(name="worker frozen", times=blows.freezes, strike=crew.freeze),
        Force(name="worker cut off", times=blows.cuts, strike=crew.part),
        Force(name="worker drained", times=blows.drains, strike=crew.drain),
        Force(name="database restarted", times=blows.restarts, strike=restart),
    ]
    storm = Storm(rng=scene.rng, steps=2 * scene.plan.messages, forces=forces)
    async with asyncio.TaskGroup() as group:
        group.create_task(storm.rage())
        for number, conversation in enumerate(scene.conversations):
            count = len(range(number, scene.plan.messages, scene.plan.chats))
            group.create_task(scene._write(conversation.write_out, count, storm))
            group.create_task(scene._write(conversation.write_in, count, storm))


def tell(outcome: Outcome, crew: Crew, seed: int) -> None:
    """The figures of a run."""
    takeovers = sorted(crew.takeovers)
    p95 = takeovers[int(0.95 * (len(takeovers) - 1))] if takeovers else 0.0
    sys.stdout.write(
        f"seed {seed}: out: {outcome.outgoing}; in: {outcome.incoming}; wrong reactions:"
        f" {len(outcome.wrong_reactions)}; takeovers {[round(one, 1) for one in takeovers]}, p95 {p95:.1f} s;"
        f" handovers {[round(one, 1) for one in crew.handovers]}; load {os.getloadavg()[0]:.1f}\n"
    )
