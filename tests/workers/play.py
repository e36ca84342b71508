"""Alice with accounts on all workers behind a balancer, in all her chats."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mautrix_whatsapp_py.ids import LoginId
from mautrix_whatsapp_py.whatsapp.spread.rendezvous import choose
from tests.chaos.conversation import Mailbox
from tests.chaos.stage import Scene
from tests.chaos.storm import Plan, is_long
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.postgres import OwnPostgres
from tests.simulator.api import Account, groups, host_command, simulator
from tests.workers.crew import Crew, Worker, running
from tests.workers.newer import make_newer
from tests.workers.peers import Peer
from tests.workers.roads import Balancer, DatabaseLink

WORKERS = 3
LEASE_SECONDS = 10 if is_long() else 6
SECRET = "a-secret-of-the-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many accounts alice has, with how many of them she talks in private, and in how many groups."""

    links: int
    direct: int
    groups: int
    drips: int
    """In so many chats more somebody writes whenever accounts move."""


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
    can_be_cut: bool = True,
    lease_seconds: int = LEASE_SECONDS,
) -> AsyncIterator[Play]:
    """Alice with accounts on all workers behind a balancer, in all her chats.

    Whatever a worker says to a database it can be cut off from passes through one process more.
    """
    async with simulator(folder / "wa") as wa:
        balancer = Balancer(port := ports.reserve(), folder)
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        url, socket_folder = database.create_database("bridge"), Path(database.socket_folder)
        workers = []
        for number in range(WORKERS):
            # Not below the test's folder, whose path is longer than the address of a socket may be.
            link = DatabaseLink(socket_folder / f"link{number}", socket_folder)
            bridge = make_bridge(
                synapse.url,
                registration,
                port=ports.reserve(),
                database_uri=f"postgresql://postgres@/bridge?host={link.folder if can_be_cut else socket_folder}",
                sections={
                    "whatsapp": {"host_command": list(host_command(wa))},
                    "cluster": {"enabled": True, "worker": f"w{number}", "lease_ttl": lease_seconds},
                    "provisioning": {"shared_secret": SECRET},
                },
            )
            workers.append(Worker(name=f"w{number}", bridge=bridge, link=link))
        rng, newer = random.Random(seed), folder / "newer"
        await asyncio.to_thread(make_newer, newer)
        crew = Crew(workers=workers, balancer=balancer, database=database, newer=newer, rng=rng)
        async with running(crew):
            alice = await Seat.take(await synapse.create_client("alice"), workers[0].bridge)
            bella = await Seat.take(await synapse.create_client("bella"), workers[0].bridge)
            owns = [wa.add_account(number, f"Own {number[-4:]}") for number in numbers(size.links + 1)]
            for own in owns[1:]:
                await alice.scan(own)
            await bella.scan(owns[0])
            crew.are_links_up = lambda: all(map(is_linked, owns))
            stage = Stage(wa=wa, synapse=synapse, bridge=workers[0].bridge, alice=alice, phone=owns[1])
            scene = Scene(stage=stage, plan=plan, rng=rng, database=None)
            await meet(scene, size, owns)
            crew.drip.conversations = scene.conversations[plan.chats :]
            await crew.gather()
            yield Play(crew=crew, scene=scene, database=database, url=url)


def numbers(count: int) -> list[str]:
    """Numbers of which each of the workers is to hold the same, by turns."""
    names = [Peer(name=f"w{number}") for number in range(WORKERS)]
    chosen: list[str] = []
    for number in itertools.count(15550000000):
        if choose(LoginId(str(number)), names) == names[len(chosen) % WORKERS].holder:
            chosen.append(str(number))
        if len(chosen) == count:
            return chosen
    raise AssertionError


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
    for number in range(size.drips):
        box = Mailbox(wa.add_account(f"1555200{number:04}", f"Drip {number}"))
        scene.boxes.append(box)
        own = owns[1 + (size.direct + number) % size.links]
        await scene.open(f"drip{number}", own.lid, [box], own)


def is_linked(account: Account) -> bool:
    """Whether a device of an account is there."""
    return any(device.connection is not None for device in account.devices.values() if device.number)
