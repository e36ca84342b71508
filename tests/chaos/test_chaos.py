"""A conversation comes through whole while everything that carries it breaks, again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.stage import Outcome, play
from tests.chaos.storm import Plan, all_databases, is_long, new_seed
from tests.conftest import MakeBridge, MakeSynapse
from tests.homeserver import PortPool
from tests.postgres import OwnPostgres, own_postgres

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

SHORT_STORM = Plan(
    messages=120,
    chats=4,
    bridge_kills=4,
    homeserver_stops=1,
    homeserver_away_seconds=3,
    socket_drops=3,
)
LONG_STORM = Plan(
    messages=1000,
    chats=10,
    bridge_kills=20,
    homeserver_stops=2,
    homeserver_away_seconds=20,
    socket_drops=10,
)
SHORT_CRASHES = Plan(messages=80, chats=4, host_kills=2)
LONG_CRASHES = Plan(messages=1000, chats=10, host_kills=10)
LOST_PER_HOST_CRASH = 9
"""What the architecture page allows: single digits."""
MAX_DROPPED = 2
"""By the library's race between encrypting and decrypting; what `host/quiet.py` cannot keep it from."""
UNSEEN = "?"
LAST_LINES = 150
"""Of the bridge's log, told where something is lost."""


class Runner:
    """Plays plans on one database."""

    def __init__(
        self,
        folder: Path,
        make_synapse: MakeSynapse,
        make_bridge: MakeBridge,
        ports: PortPool,
        database: OwnPostgres | None,
    ) -> None:
        self.database = database
        self._folder = folder
        self._make_synapse = make_synapse
        self._make_bridge = make_bridge
        self._ports = ports

    async def run(self, plan: Plan, *, seed: int) -> Outcome:
        """Play it to its end and tell the figures."""
        began = time.monotonic()
        scene_of = play(
            plan,
            seed=seed,
            folder=self._folder,
            make_synapse=self._make_synapse,
            make_bridge=self._make_bridge,
            ports=self._ports,
            database=self.database,
        )
        async with scene_of as scene:
            await scene.weather()
            await scene.settle()
            await scene.finish()
            outcome = await scene.settle()
            kind = "Postgres" if self.database else "SQLite"
            tell(f"\n{plan}\non {kind}, seed {seed}: {time.monotonic() - began:.0f} s")
            tell(f"to WhatsApp: {outcome.outgoing}\nfrom WhatsApp: {outcome.incoming}")
            tell(f"wrong reactions: {len(outcome.wrong_reactions)}, notices: {len(outcome.notices)}")
            tell(f"dropped by phones, number used twice by the library: {outcome.dropped}")
            tell(f"repeated under the same id: {sum(box.repeats for box in scene.boxes)}")
            if outcome.outgoing.lost or outcome.incoming.lost:
                tell("\n".join(scene.stage.bridge.output.splitlines()[-LAST_LINES:]))
            assert "Traceback" not in scene.stage.bridge.output, told(outcome, seed)
        return outcome


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[OwnPostgres | None]:
    if request.param == "sqlite":
        yield None
        return
    with own_postgres() as server:
        yield server


@pytest.fixture
def runner(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database: OwnPostgres | None,
) -> Runner:
    return Runner(tmp_path, make_synapse, make_bridge, ports, database)


def tell(line: str) -> None:
    """A figure for whoever reads the output."""
    sys.stdout.write(f"{line}\n")


def told(outcome: Outcome, seed: int) -> str:
    """What is wrong, and how to see it again."""
    return "\n".join(
        (
            f"CHAOS_SEED={seed}",
            f"to WhatsApp: {outcome.outgoing}",
            outcome.outgoing.details,
            f"from WhatsApp: {outcome.incoming}",
            outcome.incoming.details,
            f"reactions: {outcome.wrong_reactions[:10]}",
            f"notices: {outcome.notices[:10]}",
        )
    )


def assert_no_more_lost_than_dropped(outcome: Outcome, seed: int) -> None:
    """The library's own fault is counted, and excuses nothing else."""
    assert outcome.dropped <= MAX_DROPPED, told(outcome, seed)
    assert len(outcome.outgoing.lost) <= outcome.dropped, told(outcome, seed)
    assert not outcome.incoming.lost, told(outcome, seed)
    for verdict in (outcome.outgoing, outcome.incoming):
        unexpected = [token for token in verdict.unexpected if UNSEEN not in token]
        assert not verdict.doubled + verdict.misplaced + unexpected, told(outcome, seed)


@pytest.mark.parametrize("database", all_databases("postgres"), indirect=True)
async def test_nothing_is_lost_or_doubled_whatever_is_killed_but_the_host(runner: Runner) -> None:
    seed = new_seed()
    plan = LONG_STORM if is_long() else SHORT_STORM
    if runner.database is not None:
        plan = replace(plan, database_restarts=1)
    outcome = await runner.run(plan, seed=seed)
    if outcome.dropped:
        assert_no_more_lost_than_dropped(outcome, seed)
    else:
        for verdict in (outcome.outgoing, outcome.incoming):
            assert not verdict.details, told(outcome, seed)
    assert not outcome.wrong_reactions, told(outcome, seed)
    assert not outcome.notices, told(outcome, seed)


@pytest.mark.parametrize("database", all_databases("sqlite"), indirect=True)
async def test_a_killed_host_doubles_nothing_and_loses_little(runner: Runner) -> None:
    seed = new_seed()
    plan = LONG_CRASHES if is_long() else SHORT_CRASHES
    outcome = await runner.run(plan, seed=seed)
    lost = len(outcome.outgoing.lost) + len(outcome.incoming.lost)
    tell(f"lost per crash of the host: {lost / plan.host_kills:.1f}, {LOST_PER_HOST_CRASH} are allowed")
    assert lost <= LOST_PER_HOST_CRASH * plan.host_kills, told(outcome, seed)
    for verdict in (outcome.outgoing, outcome.incoming):
        # What is about a lost message names one that the other side never saw.
        unexpected = [token for token in verdict.unexpected if UNSEEN not in token]
        assert not verdict.doubled + verdict.misplaced + unexpected, told(outcome, seed)
