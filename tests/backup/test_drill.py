"""The drill: a backup while messages cross both ways, the machine is lost, the backup goes on elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat
from tests.homeserver import BridgeProcess, MatrixClient, PortPool, Registration
from tests.homeserver.hosts import end_hosts
from tests.homeserver.runner import run_program
from tests.simulator.api import Account, host_command, simulator

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

BEFORE, IN_ALL = 8, 16


class Ferry:
    """Numbered messages both ways."""

    def __init__(self, alice: MatrixClient, room: str, own: Account, ben: Account) -> None:
        self.alice, self.room, self.own, self.ben = alice, room, own, ben
        self.sent = 0
        self.progress = asyncio.Condition()
        self.heard: Counter[str] = Counter()

    async def load(self) -> None:
        for number in range(IN_ALL):
            await self.ben.phone.text(self.own.pn, f"in {number}")
            await self.alice.send_text(self.room, f"out {number}")
            async with self.progress:
                self.sent += 1
                self.progress.notify_all()

    async def until_sent(self, count: int) -> None:
        async with self.progress:
            await self.progress.wait_for(lambda: self.sent >= count)

    async def until_crossed(self, names: list[str]) -> None:
        """Everything of both sides has arrived."""
        async with asyncio.timeout(90):
            while not all(self.heard[f"out {name}"] for name in names):
                self.heard[(await self.ben.phone.receive_next()).text or ""] += 1
        for name in names:
            await self.alice.wait_for_message(self.room, contains=f"in {name}", deadline_seconds=90)

    async def in_room(self) -> Counter[str]:
        return Counter(
            event.body for event in await self.alice.messages(self.room) if event.type == "m.room.message"
        )


async def lose(bridge: BridgeProcess) -> None:
    """The machine is gone, with everything that ran on it."""
    await bridge.kill()
    end_hosts(bridge.folder)


async def test_a_backup_under_load_goes_on_elsewhere(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> None:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections: dict[str, dict[str, object]] = {"whatsapp": {"host_command": list(host_command(wa))}}
        first = make_bridge(synapse.url, registration, port=port, sections=sections)
        second = make_bridge(synapse.url, registration, port=port, sections=sections)
        await first.start()
        alice = await Seat.take(await synapse.create_client("alice"), first)
        own, ben = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Ben")
        await alice.scan(own)
        await alice.until_connected()
        mark = alice.client.mark()
        await ben.phone.text(own.pn, "hello")
        invite = await alice.client.wait_for_invite(sender="@whatsappbot:localhost", after=mark)
        await alice.client.join(invite.room_id)
        ferry = Ferry(alice.client, invite.room_id, own, ben)

        loading = asyncio.create_task(ferry.load())
        await ferry.until_sent(BEFORE)
        said = await run_program("db", "backup", "-c", str(first.config_path), str(tmp_path / "backup"))
        assert "the links of 1 accounts" in said
        await loading
        await ferry.until_crossed([str(number) for number in range(IN_ALL)])
        await lose(first)

        await run_program("db", "restore", "-c", str(second.config_path), str(tmp_path / "backup"))
        await second.start()
        alice.bridge = second
        await alice.until_connected()
        await ben.phone.text(own.pn, "in after")
        await alice.client.send_text(ferry.room, "out after")
        await ferry.until_crossed(["after"])
        room = await ferry.in_room()
        names = [*map(str, range(IN_ALL)), "after"]
        assert {name: room[f"in {name}"] for name in names} == dict.fromkeys(names, 1)
        assert {name: ferry.heard[f"out {name}"] for name in names} == dict.fromkeys(names, 1)
        assert "Traceback" not in second.output
        await second.stop()
        early = {f"in {number}" for number in range(BEFORE)}
        events = {event.event_id for event in await ferry.alice.messages(ferry.room) if event.body in early}
        assert len(events) == BEFORE
        assert events <= known_events(second.folder / "bridge.db")


def known_events(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        return {event_id for (event_id,) in connection.execute("SELECT event_id FROM messages")}
