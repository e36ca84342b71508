"""A group both ways: real homeserver, real bridge, real client library, simulated phones."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import BOT, Seat, Stage
from tests.homeserver import MatrixClient, PortPool, Registration
from tests.homeserver.client import MatrixRequestFailed
from tests.simulator import groups
from tests.simulator.api import Account, host_command, simulator
from tests.simulator.groups import Group
from tests.simulator.violations import ViolationKind

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

BEN_GHOST = "@whatsapp_15550002222:localhost"
CARLA_GHOST = "@whatsapp_15550003333:localhost"
WAIT_SECONDS = 90


@dataclass(slots=True, kw_only=True)
class Club:
    """Alice in the room of Ben's group."""

    stage: Stage
    ben: Account
    carla: Account
    group: Group
    room: str

    @property
    def alice(self) -> MatrixClient:
        return self.stage.alice.client

    async def get(self, kind: str) -> dict[str, Any]:
        """The room's state; empty when there is none of that kind."""
        try:
            return await self.alice.get_state(self.room, kind)
        except MatrixRequestFailed:
            return {}

    async def state(self, kind: str, key: str, value: object) -> None:
        """Wait until the room's state says so."""

        async def says() -> bool:
            return (await self.get(kind)).get(key) == value

        await until(says)

    async def levels(self, fits: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the room's power levels are like that."""

        async def check() -> bool:
            return fits(await self.get("m.room.power_levels"))

        await until(check)

    async def picture(self, *, other_than: str = "") -> str:
        """The room's picture, as soon as there is another one."""

        async def is_other() -> bool:
            return str((await self.get("m.room.avatar")).get("url", "")) not in ("", other_than)

        await until(is_other)
        return str((await self.get("m.room.avatar"))["url"])

    async def members(self, *, joined: str = "", gone: str = "") -> None:
        """Wait until somebody is in the room, or not any more."""

        async def fits() -> bool:
            there = await self.alice.joined_members(self.room)
            return (not joined or joined in there) and (not gone or gone not in there)

        await until(fits)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():
            await asyncio.sleep(0.1)


async def until_so(condition: Callable[[], bool]) -> None:
    async def check() -> bool:
        return condition()

    await until(check)


def jpeg(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(out, format="JPEG")
    return out.getvalue()


@pytest.fixture
async def club(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Club]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "bridge": {
                "power_level_overrides": {"@dora:localhost": 40},
                "allow_user_invite": False,
                "bridge_matrix_leave": True,
            },
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone = wa.add_account("15550001111", "Alice")
        ben, carla = wa.add_account("15550002222", "Ben"), wa.add_account("15550003333", "Carla")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        mark = alice.client.mark()
        group = groups.make_group(wa.world, ben, "Club", [phone, carla])
        groups.set_picture(wa.world, group, ben, jpeg("red"))
        groups.announce_creation(wa.world, group, ben)
        invite = await alice.client.wait_for_invite(sender=BOT, after=mark)
        await alice.client.join(invite.room_id)
        yield Club(stage=stage, ben=ben, carla=carla, group=group, room=invite.room_id)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert "15550002222" not in bridge.output


async def test_a_group_both_ways(club: Club) -> None:
    await _follows_whatsapp(club)
    await _reaches_whatsapp(club)
    await _settles_the_same_way(club)
    await _is_undone(club)
    await _odd_lists(club)
    await _ends(club)


async def _follows_whatsapp(club: Club) -> None:
    world, group, ben = club.stage.wa.world, club.group, club.ben
    await club.state("m.room.name", "name", "Club")
    await club.members(joined=BEN_GHOST)
    await club.members(joined=CARLA_GHOST)

    first = await club.picture()
    assert first.startswith("mxc://")
    levels = await club.alice.get_state(club.room, "m.room.power_levels")
    assert (levels["users"][BEN_GHOST], levels["users"]["@dora:localhost"], levels["invite"]) == (75, 40, 50)
    groups.rename(world, group, ben, "Choir")
    await club.state("m.room.name", "name", "Choir")
    groups.set_topic(world, group, ben, "We sing")
    await club.state("m.room.topic", "topic", "We sing")
    for flags, level in ((("announcement", "locked"), 50), (("not_announcement", "unlocked"), 0)):
        for flag in flags:
            groups.set_flag(world, group, ben, flag)
        await club.levels(_needs(level))
    groups.set_picture(world, group, ben, jpeg("green"))
    await club.picture(other_than=first)
    groups.set_picture(world, group, ben, None)
    await club.state("m.room.avatar", "url", None)
    await _shows_ben(club)
    groups.set_ephemeral(world, group, ben, 604_800)
    await club.alice.wait_for_message(club.room, contains="7 days", deadline_seconds=WAIT_SECONDS)
    groups.set_ephemeral(world, group, ben, 0)
    # She leaves, is let in again, and is removed.
    for action, actor in (("remove", club.carla), ("add", ben), ("remove", ben)):
        groups.change_members(world, group, actor, action, [club.carla])
        await club.members(**{"joined" if action == "add" else "gone": CARLA_GHOST})
    groups.change_members(world, group, ben, "promote", [club.stage.phone])
    await club.levels(lambda levels: levels["users"].get("@alice:localhost") == 50)


def _needs(level: int) -> Callable[[dict[str, Any]], bool]:
    """Whether it takes this level to write and to call the group otherwise."""
    return lambda levels: (levels["events_default"], levels["events"]["m.room.name"]) == (level, level)


async def _shows_ben(club: Club) -> None:
    """Ben shows himself, otherwise, and no more."""
    seen = {""}
    for colour in ("red", "blue", None):
        await club.ben.phone.set_picture(jpeg(colour) if colour else None)

        async def is_new(*, is_gone: bool = colour is None) -> bool:
            shown = str((await club.alice.request("GET", f"/profile/{BEN_GHOST}")).get("avatar_url") or "")
            is_known = shown in seen
            seen.add(shown)
            return shown == "" if is_gone else not is_known

        await until(is_new)


async def _reaches_whatsapp(club: Club) -> None:
    alice, group = club.alice, club.group
    await alice.set_state(club.room, "m.room.name", {"name": "Quartet"})
    await until_so(lambda: group.subject == "Quartet")
    await alice.set_state(club.room, "m.room.topic", {"topic": "Four of us"})
    await until_so(lambda: group.topic is not None and group.topic.text == "Four of us")
    uri = await alice.upload(jpeg("blue"), mimetype="image/jpeg")
    before = group.picture
    await alice.set_state(club.room, "m.room.avatar", {"url": uri})
    await until_so(lambda: group.picture is not None and group.picture is not before)
    await alice.invite(club.room, CARLA_GHOST)
    await until_so(lambda: club.carla.lid.user in group.members)
    await club.members(joined=CARLA_GHOST)
    levels = await alice.get_state(club.room, "m.room.power_levels")
    users = {**levels["users"], CARLA_GHOST: 50}
    changed = {"users": users, "events_default": 50, "events": {**levels["events"], "m.room.name": 50}}
    await alice.set_state(club.room, "m.room.power_levels", {**levels, **changed})
    await until_so(lambda: group.is_admin(club.carla) and {"announcement", "locked"} <= group.flags)
    groups.change_members(club.stage.wa.world, group, club.ben, "demote", [club.carla])
    await club.levels(lambda levels: CARLA_GHOST not in levels["users"])
    await alice.request("POST", f"/rooms/{club.room}/kick", body={"user_id": CARLA_GHOST})
    await until_so(lambda: club.carla.lid.user not in group.members)


async def _settles_the_same_way(club: Club) -> None:
    """Odd names and topics, names that cross, admins who left: both sides end with the same."""
    alice, group, ben, world = club.alice, club.group, club.ben, club.stage.wa.world
    groups.rename(world, group, ben, "🎉 \u202eLATE\x07 night")
    await club.state("m.room.name", "name", "🎉 LATE night")
    await alice.set_state(club.room, "m.room.name", {"name": "🎸\u200d \u202eBand\x07"})
    await club.state("m.room.name", "name", "🎸\u200d Band")
    assert group.subject == "🎸\u200d Band"
    topic = "long " * 2_048
    groups.set_topic(world, group, ben, topic)
    await club.state("m.room.topic", "topic", topic.strip())
    await alice.set_state(club.room, "m.room.topic", {"topic": f"longer {topic}"})
    await alice.wait_for_message(club.room, sender=BOT, contains="2048 characters")
    await club.state("m.room.topic", "topic", topic.strip())
    assert group.topic is not None
    assert group.topic.text == topic
    groups.rename(world, group, ben, "Theirs")
    await alice.set_state(club.room, "m.room.name", {"name": "Ours"})

    async def is_settled() -> bool:
        return (await club.get("m.room.name")).get("name") == group.subject != "🎸\u200d Band"

    await until(is_settled)
    levels = await alice.get_state(club.room, "m.room.power_levels")
    users = {**levels["users"], CARLA_GHOST: 50}
    await alice.set_state(club.room, "m.room.power_levels", {**levels, "users": users})
    await alice.wait_for_message(club.room, sender=BOT, contains="only members of the group can be its admins")
    groups.rename(world, group, ben, "Quartet")
    await club.state("m.room.name", "name", "Quartet")
    assert CARLA_GHOST not in (await alice.get_state(club.room, "m.room.power_levels"))["users"]
    assert club.carla.lid.user not in group.members


async def _is_undone(club: Club) -> None:
    """Ben takes alice's rights away in the same moment; the homeserver does not know yet, WhatsApp does."""
    alice, group = club.alice, club.group
    group.flags.add("locked")
    group.members[club.stage.phone.lid.user] = type(group.members[club.ben.lid.user]).MEMBER
    await alice.set_state(club.room, "m.room.name", {"name": "Mine"})
    await alice.wait_for_message(club.room, sender=BOT, contains="undone", deadline_seconds=WAIT_SECONDS)
    await club.state("m.room.name", "name", "Quartet")
    assert group.subject == "Quartet"


async def _odd_lists(club: Club) -> None:
    """A group without a name whose list of members leaves alice out: she is in its room, and heard."""
    alice, phone, world = club.alice, club.stage.phone, club.stage.wa.world
    mark = alice.mark()
    odd = groups.make_group(world, club.ben, "", [phone, club.carla])
    odd.unlisted.add(phone.lid.user)
    # Whom the list leaves out the library sends no key to: alice's own phone.
    club.stage.wa.trace.tolerate(ViolationKind.UNDECRYPTABLE)
    groups.announce_creation(world, odd, club.ben)
    room = (await alice.wait_for_invite(sender=BOT, after=mark)).room_id
    await alice.join(room)
    assert (await alice.get_state(room, "m.room.name"))["name"] == "WhatsApp group"
    await alice.send_text(room, "!wa sync-portal")
    await alice.wait_for_message(room, sender=BOT, after=mark)
    await alice.send_text(room, "anybody here?")
    assert (await club.carla.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == "anybody here?"
    assert {"@alice:localhost", BEN_GHOST} <= set(await alice.joined_members(room))
    # Leaving the room leaves the group, as the configuration has it.
    await alice.leave(room)
    await until_so(lambda: not odd.has(phone))


async def _ends(club: Club) -> None:
    groups.change_members(club.stage.wa.world, club.group, club.ben, "remove", [club.stage.phone])
    kicked = await club.alice.wait_for_membership(club.room, "@alice:localhost", "leave")
    assert "removed +15550001111" in str(kicked.content.get("reason"))
