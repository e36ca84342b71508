"""A synchronisation of many groups: which come first, who joins when, and what a crash leaves of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mautrix_whatsapp_py.bridge import sync_groups
from mautrix_whatsapp_py.bridge.filling import LARGE, SHOW_EVERY_SECONDS
from mautrix_whatsapp_py.bridge.group_rooms import AT_ONCE
from mautrix_whatsapp_py.bridge.group_work import GroupSettings
from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, PortalKey, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupMember
from mautrix_whatsapp_py.model.wa_directory import WaChatSetting, WaGroupBrief
from tests.fakes.matrix import KilledError
from tests.flow.chat import LOGIN, OWN_LID
from tests.flow.desk import Desk
from tests.flow.world import DM, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    world.group_settings = GroupSettings(has_spaces=True)
    await world.restart()
    return await Desk.open(world)


async def sync(desk: Desk, command: str = "sync --create") -> str:
    await desk.world.say(command)
    await desk.world.work.syncing.idle()
    return desk.world.matrix.bodies(DM)[-1]


def large_group(desk: Desk, count: int) -> WaJid:
    """A group of so many people beside alice."""
    jid = desk.directory.add_group("777", "Large")
    people = [
        WaGroupMember(jid=WaJid(user=f"1666{number:04}", server="s.whatsapp.net")) for number in range(count)
    ]
    desk.directory.described[jid] = WaGroup(jid=jid, name="Large", members=(WaGroupMember(jid=OWN_LID), *people))
    return jid


async def test_pinned_groups_come_first_then_those_with_recent_messages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_groups, "GROUPS_AT_ONCE", 1)
    jids = [desk.directory.add_group(f"12{number}", f"Group {number}") for number in range(5)]
    portals = desk.world.work.deps.talk.portals
    for number in (3, 1):
        await desk.chat.receive(desk.chat.message(WaText(body="hi"), chat=jids[number]))
        portal = await portals.ensure(PortalKey(chat=jids[number]))
        # Their messages are known, their rooms are gone.
        await portals.put(replace(portal, room_id=None))
    desk.world.chats.rooms.clear()
    desk.directory.settings.append(WaChatSetting(chat=jids[4], is_pinned=True))
    await sync(desk)
    names = [room.name for room in desk.world.chats.rooms.values()]
    assert names == ["Group 4", "Group 1", "Group 3", "Group 0", "Group 2"]


async def test_a_community_is_no_group(desk: Desk) -> None:
    desk.directory.add_group("12", "Town", is_community=True)
    assert "groups: 0 looked at" in await sync(desk)
    assert not desk.world.chats.rooms


async def test_a_group_that_whatsapp_does_not_show_holds_up_no_other(desk: Desk) -> None:
    first, second = (desk.directory.add_group(f"12{number}", f"Group {number}") for number in range(2))
    fetch = desk.directory.fetch_group

    async def fetch_group(chat: WaJid) -> WaGroup:
        if chat == first:
            raise WhatsAppRefused(code="forbidden")
        return await fetch(chat)

    desk.directory.fetch_group = fetch_group  # type: ignore[method-assign]
    assert "groups: 2 looked at, 2 changed; 1 that WhatsApp does not show" in await sync(desk)
    assert [room.chat_id for room in desk.world.chats.rooms.values()] == [str(second)]


async def test_every_member_of_a_large_group_joins(desk: Desk) -> None:
    large_group(desk, AT_ONCE + 45)
    said = await sync(desk)
    assert "• members: 45 looked at, 45 changed" in said
    (room_id,) = desk.world.chats.rooms
    assert len(desk.world.matrix.rooms[room_id].joined) == AT_ONCE + 45 + 1
    desk.world.matrix.calls.clear()
    desk.world.groups.calls.clear()
    assert "everything was up to date" in await sync(desk)
    assert set(desk.world.matrix.calls) == {"send_notice"}
    assert desk.world.groups.calls == []


async def test_a_large_room_tells_how_far_it_is_in_one_notice(desk: Desk) -> None:
    large_group(desk, LARGE + 59)
    await sync(desk, "sync groups --create")
    (room_id,) = desk.world.chats.rooms

    def notices() -> list[str]:
        return desk.world.matrix.bodies(room_id)

    assert await desk.world.following.fill_some()
    assert [text.partition(".")[0] for text in notices()] == ["41 of 160 members of this group are here"]
    assert await desk.world.following.fill_some()
    assert len(notices()) == 1
    # Another bridge goes on in the same notice.
    await desk.world.restart()
    while await desk.world.following.fill_some():
        desk.world.clock.advance(SHOW_EVERY_SECONDS)
    assert [text.split(" ")[0] for text in notices()[1:]] == [*map(str, range(61, 160, 10)), "All"]
    sent = [one.notice for one in desk.world.matrix.sent if one.room_id == room_id]
    assert {notice.edits for notice in sent} == {None, sent_id(desk, room_id)}
    assert "All 160 members of this group are here." in notices()[-1]


def sent_id(desk: Desk, room_id: MxRoomId) -> MxEventId:
    return next(one.event_id for one in desk.world.matrix.sent if one.room_id == room_id)


async def test_a_notice_that_a_crash_leaves_unnoted_is_not_said_again(desk: Desk) -> None:
    large_group(desk, LARGE + 59)
    await sync(desk, "sync groups --create")
    desk.world.matrix.crash("send_notice", is_answer_lost=True)
    with pytest.raises(KilledError):
        await desk.world.following.fill_some()
    await desk.world.restart()
    await desk.world.following.fill_some()
    (room_id,) = desk.world.chats.rooms
    assert len(desk.world.matrix.bodies(room_id)) == 1


async def test_a_synchronisation_ends_the_notice_too(desk: Desk) -> None:
    large_group(desk, LARGE)
    await sync(desk, "sync groups --create")
    await desk.world.following.fill_some()
    await sync(desk)
    (room_id,) = desk.world.chats.rooms
    assert "All 101 members" in desk.world.matrix.bodies(room_id)[-1]


async def test_a_room_comes_in_its_shape(desk: Desk) -> None:
    jid = large_group(desk, 2)
    desk.directory.described[jid] = WaGroup(
        jid=jid,
        name="Large",
        topic="All of us",
        members=desk.directory.described[jid].members,
        is_announcement=True,
    )
    await sync(desk)
    (room,) = desk.world.chats.rooms.values()
    assert room.topic == "All of us"
    assert room.levels is not None
    assert room.levels.events_default == 50


async def test_what_a_crash_interrupts_goes_on_where_it_was(desk: Desk) -> None:
    world, started, seen = desk.world, asyncio.Event(), list[MxRoomId]()
    for number in range(3):
        desk.directory.add_group(f"12{number}", f"Group {number}")
    fetch = desk.directory.fetch_groups

    async def wait() -> tuple[WaGroupBrief, ...]:
        started.set()
        await asyncio.Event().wait()
        return ()

    desk.directory.fetch_groups = wait  # type: ignore[method-assign]
    await world.say("sync --create")
    await asyncio.wait_for(started.wait(), 10)
    await world.kill()
    desk.directory.fetch_groups = fetch  # type: ignore[method-assign]
    assert not world.chats.rooms
    asked = desk.directory.calls.count("fetch_contacts")
    await world.start_anew()
    await world.work.syncing.idle()
    seen.extend(world.chats.rooms)
    assert len(seen) == 3
    # Its first part was done; the notice is the one there was.
    assert desk.directory.calls.count("fetch_contacts") == asked
    notices = [sent for sent in world.matrix.sent if sent.txn_id.startswith("sync-")]
    assert {sent.notice.edits for sent in notices[1:]} <= {None, notices[0].event_id}
    assert "• groups: 3 looked at, 3 changed" in notices[-1].notice.body
    assert notices[-1].notice.edits == notices[0].event_id
    await world.restart()
    assert not world.work.syncing._tasks


async def test_what_was_interrupted_waits_for_its_link_and_can_be_cancelled(desk: Desk) -> None:
    world, started = desk.world, asyncio.Event()

    async def wait() -> tuple[WaGroupBrief, ...]:
        started.set()
        await asyncio.Event().wait()
        return ()

    desk.directory.fetch_groups = wait  # type: ignore[method-assign]
    await world.say("sync groups")
    await asyncio.wait_for(started.wait(), 10)
    desk.chat.go_offline()
    await world.restart()
    assert not world.work.syncing._tasks
    assert await desk.ask("cancel") != "There is nothing to cancel."
    await desk.chat.go_online()
    assert not world.work.syncing._tasks
    assert LOGIN in world.network.clients
