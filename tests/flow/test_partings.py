"""Rooms whose people or accounts go: nobody reads on who should not, and nothing is written for nobody."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.group_work import GroupSettings
from mautrix_whatsapp_py.bridge.partings import SETTLE_SECONDS
from mautrix_whatsapp_py.config.tree import CleanupRooms, CleanupSection, RoomEnd
from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.mx import MxMember, MxMembership
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN_GHOST, CLUB, LOGIN, Chat
from tests.flow.world import ALICE, BOB, BOT, World

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""
BOBS = LoginId("15550004444")
FRIEND = MxUserId("@friend:elsewhere")


async def go(chat: Chat, room_id: MxRoomId, user: MxUserId) -> None:
    """Somebody leaves a room."""
    room = chat.world.matrix.rooms[room_id]
    was = MxMembership.JOIN if user in room.joined else MxMembership.INVITE
    room.joined.discard(user)
    room.invited.discard(user)
    origin = chat.world.origin(room_id, user)
    await chat.world.deliver(MxMember(origin=origin, user=user, membership=MxMembership.LEAVE, was=was))
    await chat.world.settled()


async def hear_in_club(chat: Chat, body: str, login: LoginId = LOGIN) -> MxRoomId:
    """Ben writes in the group; its room."""
    await chat.receive(chat.message(WaText(body=body), chat=CLUB), login=login)
    return next(one.room_id for one in reversed(chat.world.chats.said))


@pytest.mark.parametrize("has_joined", [False, True])
async def test_a_room_that_its_last_user_leaves_is_given_up(world: World, *, has_joined: bool) -> None:
    chat = await Chat.open(world)
    await chat.hear("hello")
    room_id = chat.room_id
    room = world.matrix.rooms[room_id]
    if has_joined:
        room.invited.discard(ALICE)
        room.joined.add(ALICE)
    await go(chat, room_id, ALICE)
    assert room.joined == set()
    assert world.talk.portals.get_id(room_id) is None
    await chat.hear("are you there?")
    again = chat.room_id
    assert again != room_id
    assert chat.texts == ["are you there?"]
    assert ALICE in world.matrix.rooms[again].invited


async def test_a_room_with_somebody_in_it_stays(world: World) -> None:
    chat = await Chat.open(world)
    await chat.link(BOB, BOBS)
    room_id = await hear_in_club(chat, "hello")
    await hear_in_club(chat, "hello you two", BOBS)
    await go(chat, room_id, ALICE)
    assert BEN_GHOST in world.matrix.rooms[room_id].joined
    world.matrix.rooms[room_id].joined.add(FRIEND)
    await go(chat, room_id, BOB)
    assert BEN_GHOST in world.matrix.rooms[room_id].joined
    await go(chat, room_id, FRIEND)
    assert world.matrix.rooms[room_id].joined == set()


async def test_a_room_is_kept_while_messages_in_it_wait(world: World) -> None:
    chat = await Chat.open(world)
    await chat.hear("hello")
    chat.go_offline()
    await chat.say("on its way")
    await go(chat, chat.room_id, ALICE)
    assert BEN_GHOST in world.matrix.rooms[chat.room_id].joined


async def test_whoever_had_the_account_before_reads_on_nowhere(world: World) -> None:
    world.group_settings = GroupSettings(has_spaces=True)
    await world.restart()
    chat = await Chat.open(world)
    await chat.hear("for alice")
    direct = chat.room_id
    club = await hear_in_club(chat, "for alice, too")
    for room_id in (direct, club):
        world.matrix.rooms[room_id].joined.add(ALICE)
    world.clock.advance(5)
    await world.following.deps.spaces.idle()
    (space,) = world.groups.spaces
    await chat.link(BOB, LOGIN)
    await world.parted()
    for room_id in (direct, club, space):
        assert ALICE not in world.matrix.rooms[room_id].joined | world.matrix.rooms[room_id].invited
    await chat.hear("for bob")
    await hear_in_club(chat, "for bob, too")
    assert all(BOB in world.matrix.rooms[room_id].invited for room_id in (direct, club))
    # And back again.
    await chat.link(ALICE, LOGIN)
    await world.parted()
    await chat.hear("for alice again")
    assert ALICE in world.matrix.rooms[direct].invited
    assert BOB not in world.matrix.rooms[direct].invited


async def test_a_message_that_comes_at_once_is_not_for_whoever_had_the_account_before(world: World) -> None:
    chat = await Chat.open(world)
    await chat.hear("for alice")
    room = world.matrix.rooms[chat.room_id]
    world.matrix.calls.clear()
    world.partings.begin = lambda: None  # type: ignore[method-assign]
    await chat.link(BOB, LOGIN)
    await chat.hear("for bob")
    assert world.rooms.removed == [(chat.room_id, ALICE)]
    assert BOB in room.invited


def rooms(end: RoomEnd) -> CleanupRooms:
    return CleanupRooms(private=end, shared_no_users=end, shared_has_users=end)


async def linked(world: World, cleanup: CleanupSection) -> tuple[Chat, MxRoomId, MxRoomId]:
    """Alice with a direct chat and a group."""
    world.cleanup = cleanup
    await world.restart()
    chat = await Chat.open(world)
    await chat.hear("hello")
    direct = chat.room_id
    club = await hear_in_club(chat, "hello all")
    return chat, direct, club


@pytest.mark.parametrize("end", list(RoomEnd))
async def test_logging_out_does_what_is_configured(world: World, end: RoomEnd) -> None:
    _, direct, club = await linked(world, CleanupSection(enabled=True, manual=rooms(end)))
    await world.logins.logout(world.logins.of_user(ALICE)[0])
    await world.parted()
    for room_id in (direct, club):
        room = world.matrix.rooms[room_id]
        here = room.joined | room.invited
        assert (ALICE in here) == (end in (RoomEnd.NOTHING, RoomEnd.UNBRIDGE))
        assert (BEN_GHOST in here) == (end in (RoomEnd.NOTHING, RoomEnd.KICK))
        assert (BOT in here) == (end is not RoomEnd.DELETE)
        assert (world.talk.portals.get_id(room_id) is None) == (end in (RoomEnd.UNBRIDGE, RoomEnd.DELETE))


async def test_nothing_happens_where_it_is_not_switched_on(world: World) -> None:
    settings = CleanupSection(manual=rooms(RoomEnd.DELETE), bad_credentials=rooms(RoomEnd.DELETE))
    _, direct, _ = await linked(world, settings)
    await world.logins.logout(world.logins.of_user(ALICE)[0])
    await world.parted()
    assert ALICE in world.matrix.rooms[direct].invited


async def test_groups_that_others_are_in_have_a_rule_of_their_own(world: World) -> None:
    ends = CleanupRooms(private=RoomEnd.DELETE, shared_no_users=RoomEnd.DELETE, shared_has_users=RoomEnd.KICK)
    chat, direct, club = await linked(world, CleanupSection(enabled=True, manual=ends))
    await chat.link(BOB, BOBS)
    await hear_in_club(chat, "hello you two", BOBS)
    await world.logins.logout(world.logins.of_user(ALICE)[0])
    await world.parted()
    room = world.matrix.rooms[club]
    assert BOB in room.invited
    assert ALICE not in room.invited
    assert world.matrix.rooms[direct].joined == set()


async def test_a_link_that_whatsapp_ends_is_cleaned_up_after_unless_it_is_back_soon(world: World) -> None:
    _, direct, _ = await linked(world, CleanupSection(enabled=True, bad_credentials=rooms(RoomEnd.KICK)))
    ended = WaState(kind=WaStateKind.BAD_CREDENTIALS, since=START, error="wa-logged-out")
    world.network.set_state(LOGIN, ended)
    world.network.set_state(LOGIN, WaState(kind=WaStateKind.CONNECTED, since=START))
    await world.quiet()
    world.clock.advance(SETTLE_SECONDS)
    await world.parted()
    assert ALICE in world.matrix.rooms[direct].invited
    world.network.set_state(LOGIN, ended)
    await world.quiet()
    world.clock.advance(SETTLE_SECONDS)
    await world.parted()
    assert ALICE not in world.matrix.rooms[direct].invited


async def test_what_a_crash_interrupts_is_done_again(world: World) -> None:
    _, direct, club = await linked(world, CleanupSection(enabled=True, manual=rooms(RoomEnd.DELETE)))
    world.matrix.fail("leave_room", MatrixUnreachable(), times=1, is_answer_lost=False)
    await world.logins.logout(world.logins.of_user(ALICE)[0])
    await world.until(lambda: "leave_room" in world.matrix.calls)
    await world.restart()
    await world.parted()
    assert world.matrix.rooms[direct].joined == world.matrix.rooms[club].joined == set()
