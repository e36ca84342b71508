"""What happened in groups while an account was not linked is seen when it is, or by `sync`."""

from __future__ import annotations

import msgspec
import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, WaJid
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupJoined, WaGroupMember
from tests.flow.chat import BEN, CARLA, CLUB, LOGIN, OWN, OWN_LID
from tests.flow.desk import Desk
from tests.flow.world import ALICE, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""

MEMBERS = (WaGroupMember(jid=OWN_LID, phone_number=OWN), WaGroupMember(jid=BEN, is_admin=True))
GROUP = WaGroup(jid=CLUB, name="Club", members=MEMBERS)


@pytest.fixture
async def desk(world: World) -> Desk:
    """Alice is in the room of a group."""
    desk = await Desk.open(world)
    desk.directory.add_group(CLUB.user, "Club")
    desk.directory.described[CLUB] = GROUP
    await desk.chat.receive(WaGroupJoined(group=GROUP))
    desk.join(desk.chat.room_id)
    return desk


async def link_anew(desk: Desk) -> None:
    """Alice links her account again."""
    await desk.world.following.idle()
    desk.world.clock.advance(60)
    await desk.chat.link(ALICE, LOGIN)
    await desk.world.following.idle()
    await desk.world.settled()


def is_there(desk: Desk, room_id: MxRoomId) -> bool:
    return ALICE in desk.world.matrix.rooms[room_id].joined


async def test_a_new_link_brings_groups_up_to_date_once(desk: Desk) -> None:
    room_id = desk.chat.room_id
    renamed = msgspec.structs.replace(GROUP, name="Choir", members=(*MEMBERS, WaGroupMember(jid=CARLA)))
    desk.directory.described[CLUB] = renamed
    await link_anew(desk)
    assert desk.world.groups.shape(room_id).name == "Choir"
    assert "@whatsapp_15550003333:localhost" in desk.world.matrix.rooms[room_id].joined
    asked = desk.directory.calls.count("fetch_group")
    await desk.chat.restart()
    desk.chat.go_offline()
    await desk.chat.go_online()
    await desk.world.following.idle()
    assert desk.directory.calls.count("fetch_group") == asked


async def test_a_restart_is_no_new_link(world: World) -> None:
    world.clock.advance(0.000123)
    desk = await Desk.open(world)
    desk.directory.described[CLUB] = GROUP
    await desk.chat.receive(WaGroupJoined(group=GROUP))
    await desk.world.following.idle()
    asked = desk.directory.calls.count("fetch_group")
    await desk.chat.restart()
    desk.chat.go_offline()
    await desk.chat.go_online()
    await desk.world.following.idle()
    assert desk.directory.calls.count("fetch_group") == asked


async def test_who_was_removed_meanwhile_leaves_the_room(desk: Desk) -> None:
    room_id = desk.chat.room_id
    desk.directory.described.clear()
    desk.directory.groups.clear()
    await link_anew(desk)
    assert not is_there(desk, room_id)
    assert desk.world.matrix.bodies(room_id) == ["+15550001111 is not in this group on WhatsApp any more."]


async def test_another_account_that_was_never_in_the_group_is_not_told_to_be_gone(desk: Desk) -> None:
    desk.directory.described.clear()
    desk.directory.groups.clear()
    for _ in range(2):
        await desk.world.following.idle()
        desk.world.clock.advance(60)
        await desk.chat.link(ALICE, LoginId("15550009999"), WaJid(user="9999", server="lid"))
        await desk.world.following.idle()
        await desk.world.settled()
    assert is_there(desk, desk.chat.room_id)
    assert desk.world.matrix.bodies(desk.chat.room_id) == []


async def test_a_question_that_fails_is_asked_again(desk: Desk) -> None:
    desk.directory.described[CLUB] = msgspec.structs.replace(GROUP, name="Choir")
    answer = desk.directory.fetch_group

    async def fail(_chat: WaJid) -> WaGroup:
        raise WhatsAppUnavailable(code="not-connected")

    desk.directory.fetch_group = fail  # type: ignore[method-assign]
    await link_anew(desk)
    assert desk.world.groups.shape(desk.chat.room_id).name == "Club"
    desk.directory.fetch_group = answer  # type: ignore[method-assign]
    desk.chat.go_offline()
    await desk.chat.go_online()
    await desk.world.following.idle()
    await desk.world.settled()
    assert desk.world.groups.shape(desk.chat.room_id).name == "Choir"


@pytest.mark.parametrize("code", ["not-a-member", "too-often"])
async def test_sync_leaves_rooms_of_groups_that_are_gone_and_of_no_others(desk: Desk, code: str) -> None:
    room_id = desk.chat.room_id
    desk.directory.groups.clear()

    async def refuse(_chat: WaJid) -> WaGroup:
        raise WhatsAppRefused(code=code)

    desk.directory.fetch_group = refuse  # type: ignore[method-assign]
    await desk.world.say("sync groups")
    await desk.world.work.syncing.idle()
    assert is_there(desk, room_id) == (code == "too-often")
    await desk.world.say("sync groups")
    await desk.world.work.syncing.idle()
    assert len(desk.world.matrix.bodies(room_id)) == (code == "not-a-member")
