"""A synchronisation that is killed again and again ends as if it never was, on a real homeserver."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.homeserver.request_log import NOTICE, RequestLog
from tests.simulator import communities, groups
from tests.simulator.api import Account, host_command, simulator
from tests.simulator.groups import Group

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

WAIT_SECONDS = 180
WATCH = ("GET /_matrix/client/versions ", "GET /_matrix/client/v3/sync ")
"""Every second the bridge looks whether the homeserver is there, and marks where its stream is."""
LARGE = 36
"""More members than join at once."""


@dataclass(slots=True, kw_only=True)
class Town:
    """Alice, the groups she is in, and everything that is asked of the homeserver."""

    stage: Stage
    log: RequestLog
    ben: Account
    groups: list[Group]
    community: Group
    street: Group

    def state(self, kind: str) -> list[tuple[str, str, dict[str, object]]]:
        """Room, key and content of state, from the homeserver's own database."""
        return [
            (room, key, json.loads(event)["content"])
            for room, key, event in self._ask(
                "SELECT c.room_id, c.state_key, j.json FROM current_state_events c"
                " JOIN event_json j USING (event_id) WHERE c.type = ?",
                kind,
            )
        ]

    def names(self) -> dict[str, str]:
        """Rooms of chats and spaces by what they are called now."""
        rooms = {room for room, _, _ in self.state("m.bridge")} | set(self.spaces())
        return {room: str(content["name"]) for room, _, content in self.state("m.room.name") if room in rooms}

    def spaces(self) -> list[str]:
        """Every space there is."""
        return [room for room, _, content in self.state("m.room.create") if content.get("type") == "m.space"]

    def children(self, name: str) -> set[str]:
        """What a space holds, by name."""
        names = self.names()
        return {
            names[child]
            for space, child, content in self.state("m.space.child")
            if names.get(space) == name and content
        }

    def joins(self) -> Counter[tuple[str, str]]:
        """How often each ghost came into each room."""
        rows = self._ask(
            "SELECT m.room_id, m.user_id FROM room_memberships m"
            " WHERE m.membership = ? AND m.user_id LIKE '@whatsapp\\_%' ESCAPE '\\'",
            "join",
        )
        return Counter((str(room), str(user)) for room, user in rows)

    def _ask(self, statement: str, value: str) -> list[tuple[str, ...]]:
        database = self.stage.synapse.folder / "homeserver.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(statement, (value,)).fetchall()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.1)


def fill(stage: Stage) -> tuple[list[Group], Group, Group, Account]:
    """Alice is in a large group, two small ones, and a community with a group of its own."""
    wa, alice = stage.wa, stage.phone
    people = [wa.add_account(f"1555000{number:04}", f"P {number}") for number in range(2, LARGE + 1)]
    ben = people[0]
    made = [
        groups.make_group(wa.world, ben, "Large", [alice, *people[1:]]),
        groups.make_group(wa.world, ben, "Club", [alice, *people[1:4]]),
        groups.make_group(wa.world, ben, "Choir", [alice, *people[2:6]]),
    ]
    parent = groups.make_group(wa.world, ben, "Town", [alice, people[1]])
    parent.is_community = True
    announcements = groups.make_group(wa.world, ben, "Town news", [alice, people[1]])
    announcements.is_announcement_group = True
    announcements.flags.add("announcement")
    street = groups.make_group(wa.world, ben, "Street", [alice, people[1]])
    announcements.parent = street.parent = parent.jid
    return [*made, announcements, street], parent, street, ben


@pytest.fixture
async def town(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Town]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        log = await RequestLog(synapse.url).start()
        sections: dict[str, dict[str, object]] = {"whatsapp": {"host_command": list(host_command(wa))}}
        bridge = make_bridge(log.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone = wa.add_account("15550001111", "Alice")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        made, community, street, ben = fill(stage)
        yield Town(stage=stage, log=log, ben=ben, groups=made, community=community, street=street)
        await bridge.stop()
        await log.stop()
        assert "Traceback" not in bridge.output


async def test_a_sync_that_is_killed_five_times_doubles_nothing(town: Town) -> None:
    alice, bridge = town.stage.alice, town.stage.bridge
    mark = alice.client.mark()
    # So many changes after each start, the last of them carried out or not.
    first, *others = ((3, True), (12, False), (20, True), (30, False), (40, True))
    town.log.hold(first[0], is_done_first=first[1])
    await alice.client.send_text(alice.room, "sync --create")
    for count, is_done_first in (*others, (0, False)):
        await asyncio.wait_for(town.log.reached.wait(), WAIT_SECONDS)
        await bridge.kill()
        town.log.release()
        town.log.hold(count, is_done_first=is_done_first)
        await bridge.start()
    done = await alice.client.wait_for_message(
        alice.room, contains="Synchronised +15550001111", after=mark, deadline_seconds=WAIT_SECONDS
    )
    assert "⚠️" not in done.body
    await require_each_once(town)
    await require_nothing_to_do(town)
    await follow_the_community(town)


async def require_each_once(town: Town) -> None:
    own = "WhatsApp (+15550001111)"
    await until(lambda: len(town.children(own)) == 4)
    assert sorted(town.names().values()) == sorted(["Choir", "Club", "Large", "Street", "Town", "Town news", own])
    assert len(town.spaces()) == 2
    assert town.children(own) == {"Large", "Club", "Choir", "Town"}
    assert town.children("Town") == {"Town news", "Street"}
    names, joins = town.names(), town.joins()
    assert set(joins.values()) == {1}
    members = Counter(names[room] for room, _ in joins)
    assert members == {group.subject: len(group.members) - 1 for group in town.groups}


async def require_nothing_to_do(town: Town) -> None:
    """The second time nothing is asked of the homeserver but to show the notice."""
    seen = len(town.log.requests)
    said = await town.stage.alice.ask("sync --create", answer="Synchronised")
    assert "everything was up to date" in said
    others = [line for line in town.log.requests[seen:] if NOTICE not in line and not line.startswith(WATCH)]
    assert others == []
    assert "everything was up to date" in await town.stage.alice.ask("sync space", answer="Synchronised")


async def follow_the_community(town: Town) -> None:
    world = town.stage.wa.world
    groups.rename(world, town.community, town.ben, "City")
    await until(lambda: "City" in town.names().values())
    communities.unlink_group(world, town.community, town.street, town.ben)
    own = "WhatsApp (+15550001111)"
    await until(lambda: "Street" in town.children(own) and "Street" not in town.children("City"))
