"""Workers share a database: one is killed, frozen, cut off or drained, and nothing is lost, doubled or late."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.stage import Outcome
from tests.chaos.storm import Force, Plan, Storm, is_long, new_seed
from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import PortPool
from tests.postgres import OwnPostgres
from tests.workers.crew import Crew
from tests.workers.drip import NOTHING
from tests.workers.play import SECRET, Play, Size, playing

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

UNCERTAIN = "may not have been bridged"
TAKEOVER_SECONDS = 15.0
MOVE_SECONDS = 30.0
LATE_SECONDS = 5.0
QUIET_SECONDS = 10.0
"""How long it is measured how late messages are while nothing moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blows:
    """What happens to the workers, how often."""

    kills: int
    freezes: int
    cuts: int
    restarts: int
    drains: int


SHORT = (
    Plan(messages=18, chats=3),
    Blows(kills=1, freezes=1, cuts=0, restarts=0, drains=1),
    Size(links=3, direct=2, groups=1, drips=1),
)
LONG = (
    Plan(messages=660, chats=16),
    Blows(kills=10, freezes=10, cuts=1, restarts=1, drains=2),
    Size(links=59, direct=12, groups=4, drips=3),
)


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
        if is_long():
            async with crew.drip.during(NOTHING):
                await asyncio.sleep(QUIET_SECONDS)  # The length is what is asked for.
        await weather(play, blows)
        for worker in crew.workers:
            assert await crew.ask(worker, "v3/whoami", SECRET, scene.stage.alice.client.user_id) == size.links
        await scene.settle()
        await scene.finish()
        outcome = await scene.settle()
        tell(outcome, crew, seed)
        assert_all_came(outcome)
        assert not outcome.outgoing.misplaced, outcome.outgoing.details
        assert not outcome.incoming.misplaced, outcome.incoming.details
        assert scene.stage.wa.world.replaced == []
        columns = "SELECT 1 FROM information_schema.columns WHERE column_name = 'of_the_newer'"
        assert play.database.execute(columns, database="bridge"), "nobody upgraded the database"
        if is_long():
            assert_in_time(crew)


def assert_all_came(outcome: Outcome) -> None:
    """No host was killed, so nothing may be missing but what the library sent in vain or nobody knows of."""
    outgoing, incoming = outcome.outgoing, outcome.incoming
    assert not outgoing.doubled + incoming.doubled, outgoing.details + incoming.details
    assert not incoming.lost, incoming.details
    told = sum(UNCERTAIN in notice for notice in outcome.notices)
    assert len(outgoing.lost) <= outcome.dropped + told, outgoing.details


def assert_in_time(crew: Crew) -> None:
    """Others take over soon, and no message is late because accounts move."""
    assert p95_of(crew.takeovers) < TAKEOVER_SECONDS
    assert max(crew.moves) < MOVE_SECONDS
    usual = crew.drip.latest(while_nothing_moves=True)
    assert crew.drip.latest(while_nothing_moves=False) < LATE_SECONDS + usual


def p95_of(seconds: list[float]) -> float:
    """What 95 % are not above."""
    return sorted(seconds)[int(0.95 * (len(seconds) - 1))]


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
        for number, conversation in enumerate(scene.conversations[: scene.plan.chats]):
            count = len(range(number, scene.plan.messages, scene.plan.chats))
            group.create_task(scene.write(conversation.write_out, count, storm))
            group.create_task(scene.write(conversation.write_in, count, storm))


def tell(outcome: Outcome, crew: Crew, seed: int) -> None:
    """The figures of a run."""
    takeovers, moves = (sorted(round(one, 1) for one in found) for found in (crew.takeovers, crew.moves))
    lost = outcome.outgoing.lost + outcome.incoming.lost
    lines = (
        f"seed {seed}, load {os.getloadavg()[0]:.1f}",
        f"out: {outcome.outgoing}; in: {outcome.incoming}; wrong reactions: {len(outcome.wrong_reactions)}",
        f"lost: {lost}; dropped by phones: {outcome.dropped}; notices: {Counter(outcome.notices)}",
        f"takeovers {takeovers}, p95 {p95_of(takeovers):.1f} s; moves {moves}; {crew.restarts} restarts",
        f"{crew.drip}",
        *crew.steps,
    )
    sys.stdout.write("\n".join(lines) + "\n")
