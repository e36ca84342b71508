"""Commands about rooms, and those by which admins act elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.model.chat_marks import ChatMarks
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.model.wa_directory import WaChatSetting
from mautrix_whatsapp_py.store.chat_marks import ChatMarkRows
from tests.fakes.matrix import BOT
from tests.flow.chat import BEN, BEN_GHOST, CLUB, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import ALICE, BOB, DM, GROUP, ROOT, World

ROOTS_DM = MxRoomId("!root:localhost")

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    desk = await Desk.open(world)
    await world.open_dm(room_id=ROOTS_DM, user=ROOT)
    return desk


async def as_root(desk: Desk, command: str, room_id: MxRoomId = ROOTS_DM) -> str:
    return await desk.ask(command, room_id=room_id, sender=ROOT)


async def test_unbridge_lets_go_of_a_room_and_the_chat_gets_another(desk: Desk) -> None:
    room_id = await desk.direct_room()
    answer = await desk.ask("!wa unbridge", room_id=room_id)
    assert answer.startswith("This room is not a WhatsApp chat any more")
    assert desk.world.matrix.rooms[room_id].joined == {ALICE, BOT}
    assert "This room is not a WhatsApp chat." in await desk.ask("!wa unbridge", room_id=room_id)
    await desk.chat.hear("are you there?")
    assert desk.chat.texts[-1] == "are you there?"


async def test_only_who_may_change_a_room_unbridges_it(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    await desk.ask("open club")
    room_id = desk.chat.room_id
    desk.join(room_id)
    assert "You may not change this room." in await desk.ask("!wa unbridge", room_id=room_id)
    desk.world.rooms.levels[room_id] = MxLevels(users={ALICE: 50})
    assert "not a WhatsApp chat any more" in await desk.ask("!wa unbridge", room_id=room_id)


async def test_a_room_with_messages_on_their_way_is_kept(desk: Desk) -> None:
    room_id = await desk.direct_room()
    await desk.chat.say("first")
    desk.chat.client.faults.append(TimeoutError())
    desk.chat.go_offline()
    await desk.chat.say("later")
    assert "1 of this chat's messages are still on their way" in await desk.ask("!wa unbridge", room_id=room_id)
    await desk.chat.go_online()
    await desk.chat.let_time_pass()


async def test_delete_portal_empties_the_room(desk: Desk) -> None:
    room_id = await desk.direct_room()
    denied = await desk.ask("!wa delete-portal", room_id=room_id)
    assert denied.startswith("You may not use `delete-portal`: it needs the level admin.")
    await as_root(desk, "!wa delete-portal", room_id)
    room = desk.world.matrix.rooms[room_id]
    assert not room.joined | room.invited
    assert desk.world.rooms.removed == [(room_id, ALICE)]
    assert desk.world.matrix.bodies(ROOTS_DM)[-1].startswith("Deleted the room.")


async def test_delete_all_portals_asks_first(desk: Desk) -> None:
    await desk.direct_room()
    desk.directory.add_group(CLUB.user, "Club")
    await desk.ask("open club")
    asked = await as_root(desk, "delete-all-portals")
    assert asked.startswith("This removes everybody from 2 rooms")
    assert len(desk.world.chats.rooms) == 2
    assert await as_root(desk, "delete-all-portals --yes") == "Deleted 2 rooms."
    assert not desk.world.chats.rooms
    assert await as_root(desk, "delete-all-portals --yes") == "Deleted 0 rooms."


async def test_bridge_ties_a_group_to_a_room(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Club")
    desk.world.matrix.add_room(GROUP, ALICE, BOB, ROOT)
    await desk.world.deliver(desk.world.invite(room_id=GROUP))
    await desk.world.settled()

    async def ask(command: str) -> str:
        return await desk.ask(command, room_id=GROUP)

    assert "You may not change this room." in await ask(f"!wa bridge {CLUB}")
    assert "Only admins of the bridge" in await ask(f"!wa bridge {CLUB} --ignore-permissions")
    desk.world.rooms.levels[GROUP] = MxLevels(users={ALICE: 50})
    assert "This is your management room." in await desk.ask(f"bridge {CLUB}")
    assert "That is not the id of a chat." in await ask("!wa bridge x@@")
    assert "Rooms can be tied to groups and channels" in await ask("!wa bridge 1@s.whatsapp.net")
    assert "You are not in that chat." in await ask("!wa bridge 1@g.us")
    desk.world.matrix.rooms[GROUP].is_encrypted = True
    assert "This room is encrypted" in await ask(f"!wa bridge {CLUB}")
    desk.world.matrix.rooms[GROUP].is_encrypted = False
    await desk.ask("open club")
    before = desk.chat.room_id
    assert "That chat has a room already" in await ask(f"!wa bridge {CLUB}")
    assert (await ask(f"!wa bridge {CLUB} --overwrite")).startswith("This room is now the chat Club.")
    assert desk.world.work.deps.talk.portals.get_id(before) is None
    assert "This room is a WhatsApp chat already." in await ask(f"!wa bridge {CLUB}")
    await ask("hello club")
    assert [sent.chat for sent in desk.chat.client.messages] == [CLUB]


async def test_clean_rooms_leaves_those_without_people(desk: Desk) -> None:
    assert await as_root(desk, "clean-rooms") == "There is no room that nobody is in but us."
    room_id = await desk.direct_room()
    desk.world.matrix.rooms[room_id].joined.discard(ALICE)
    lonely = MxRoomId("!lonely:localhost")
    desk.world.matrix.add_room(lonely, BOT)
    desk.world.rooms.names[lonely] = "Old club"
    asked = await as_root(desk, "clean-rooms")
    assert asked.startswith("2 rooms hold nobody but me and people of WhatsApp:")
    assert "• Old club: !lonely:localhost" in asked
    assert await as_root(desk, "clean-rooms --yes") == "Left 2 rooms."
    assert not desk.world.matrix.rooms[lonely].joined
    assert BEN_GHOST not in desk.world.matrix.rooms[room_id].joined
    assert await as_root(desk, "clean-rooms") == "There is no room that nobody is in but us."


async def test_set_pl_gives_levels_as_far_as_the_bot_may(desk: Desk) -> None:
    room_id = await desk.direct_room()
    desk.world.rooms.levels[room_id] = MxLevels(users={BOT: 100})
    assert "user id looks like" in await as_root(desk, "!wa set-pl ann 5", room_id)
    assert "A power level is a number." in await as_root(desk, "!wa set-pl high", room_id)
    assert "That number is too large." in await as_root(desk, f"!wa set-pl {2**60}", room_id)
    assert "mine is not high enough" in await as_root(desk, "!wa set-pl 101", room_id)
    answer = await as_root(desk, f"!wa set-power-level {ALICE} 50", room_id)
    assert answer == "@alice:localhost now has the power level 50 in this room."
    assert desk.world.rooms.levels[room_id].of(ALICE) == 50


async def test_sudo_runs_a_command_as_somebody_else(desk: Desk) -> None:
    desk.directory.add_group(CLUB.user, "Alice's club")
    assert "+15550001111" in await as_root(desk, f"sudo {ALICE} list-logins")
    # Even who runs the bridge is not shown whom somebody knows.
    assert "Others read along here" in await as_root(desk, f"sudo {ALICE} list-groups")
    assert "You may not use `sudo`" in await as_root(desk, f"doas {ALICE} sudo {ROOT} version")
    assert "That is one of mine." in await as_root(desk, f"sudo {BEN_GHOST} version")
    assert "A user id looks like" in await as_root(desk, "sudo alice version")
    assert "You may not use `sudo`" in await desk.ask(f"sudo {ROOT} version")
    assert "There is no command `nonsense`" in await as_root(desk, f"sudo {ALICE} nonsense")


async def test_doin_runs_a_command_in_another_room(desk: Desk) -> None:
    room_id = await desk.direct_room()
    assert (await desk.ask(f"doin {room_id} id")).startswith("This is the chat of +15550001111")
    assert "begins with an exclamation mark" in await desk.ask("doin #room:localhost id")
    nowhere = await desk.ask("doin !nowhere:localhost id")
    assert nowhere == "I am not in `!nowhere:localhost`. Invite me there first."
    assert "You are not in that room." in await desk.ask(f"doin {ROOTS_DM} version")
    assert (await as_root(desk, f"doin {room_id} id")).startswith("This is the chat of +15550001111")
    assert "old link" in await desk.ask(f"doin {await club(desk)} invite-link --reset")
    assert (await desk.ask(f"doin {DM} doin {room_id} version")).startswith("mautrix-whatsapp-py")


async def club(desk: Desk) -> MxRoomId:
    desk.directory.add_group(CLUB.user, "Club")
    before = set(desk.world.chats.rooms)
    await desk.ask("open club")
    (room_id,) = set(desk.world.chats.rooms) - before
    desk.join(room_id)
    return room_id


async def test_sync_portal_says_what_changed(desk: Desk) -> None:
    room_id = await club(desk)
    assert await desk.ask("!wa sync-portal", room_id=room_id) == "This chat is up to date."
    desk.directory.add_group(CLUB.user, "Better club")
    assert await desk.ask("!wa sync-portal", room_id=room_id) == "Brought up to date: its name."
    assert desk.world.groups.shape(room_id).name == "Better club"
    group = await desk.directory.fetch_group(CLUB)
    desk.directory.described[CLUB] = msgspec.structs.replace(group, topic="All of us")
    said = await desk.ask("!wa sync-portal", room_id=room_id)
    assert said == "Brought up to date: its members, topic, picture or settings."
    assert desk.world.groups.shape(room_id).topic == "All of us"
    assert await desk.ask("!wa sync-portal", room_id=room_id) == "This chat is up to date."
    desk.directory.groups.clear()
    desk.directory.described.clear()
    gone = await desk.ask("!wa sync-portal", room_id=room_id)
    assert gone == "This chat cannot be looked at: You are not in that group any more."


async def test_delete_chat_says_what_to_do(desk: Desk) -> None:
    assert "only the phone" in await desk.ask("delete-chat")


async def test_how_a_chat_is_put_can_be_looked_at(desk: Desk) -> None:
    room_id = await desk.direct_room()
    said = await desk.ask("!wa debug-account-data", room_id=room_id)
    assert said == (
        "How +15550001111 has put this chat:\n• on the phone: nothing of that\n"
        "• your client was told: nothing yet\n• I can act as you: no, send `login-matrix` to change that"
    )
    until = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    desk.directory.settings.append(WaChatSetting(chat=BEN, is_pinned=True, muted_until=until))
    portal, rows = await desk.portal(), ChatMarkRows()
    marks = ChatMarks(is_pinned=True, is_muted=True)
    await desk.world.store.write(lambda tx: rows.put(tx, LOGIN, portal.id, room_id, marks))
    said = await desk.ask("!wa debug-account-data", room_id=room_id)
    assert "• on the phone: pinned, muted until 2026-01-02 03:04 UTC" in said
    assert "• your client was told: pinned, muted" in said
    desk.directory.settings[:] = [
        WaChatSetting(chat=BEN, is_archived=True, muted_until=datetime.max.replace(tzinfo=UTC, microsecond=0))
    ]
    said = await desk.ask("!wa debug-account-data", room_id=room_id)
    assert "• on the phone: archived, muted for good" in said
    desk.directory.fail(WhatsAppUnavailable(code="not-connected"))
    said = await desk.ask("!wa debug-account-data", room_id=room_id)
    assert said.startswith("How the phone has put this chat is not known")


async def test_links_are_all_connected_anew(desk: Desk) -> None:
    assert "You may not use `debug-reset-network`" in await desk.ask("debug-reset-network")
    said = await as_root(desk, "debug-reset-network")
    assert said == "Connecting 1 link anew. Send `status` in a moment to see how they are."
