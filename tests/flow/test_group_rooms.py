"""Rooms follow their groups on WhatsApp."""

from __future__ import annotations

import msgspec
import pytest

from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUri, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import (
    WaGroup,
    WaGroupChanged,
    WaGroupJoined,
    WaGroupMember,
    WaPictureChanged,
)
from mautrix_whatsapp_py.model.wa_group import WaPicture, WaPictureState
from tests.fakes.groups import Shape
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, BEN_GHOST, BEN_LID, CARLA, CLUB, LOGIN, OWN, OWN_GHOST, OWN_LID, Chat
from tests.flow.world import ALICE, World

CARLA_GHOST = MxUserId("@whatsapp_15550003333:localhost")
MEMBERS = (
    WaGroupMember(jid=OWN_LID, phone_number=OWN),
    WaGroupMember(jid=BEN_LID, phone_number=BEN, is_admin=True, is_super_admin=True),
    WaGroupMember(jid=CARLA),
)
GROUP = WaGroup(jid=CLUB, name="Club", topic="All of us", topic_id="T1", members=MEMBERS)


@pytest.fixture
async def chat(world: World) -> Chat:
    chat = await Chat.open(world)
    world.directories.require(LOGIN).described[CLUB] = GROUP
    return chat


async def join(chat: Chat, group: WaGroup = GROUP) -> MxRoomId:
    """Alice's account comes into a group; the room."""
    chat.world.directories.require(LOGIN).described[CLUB] = group
    await chat.receive(WaGroupJoined(group=group))
    return chat.room_id


def found(picture_id: str) -> WaPicture:
    data = picture_id.encode()
    return WaPicture(state=WaPictureState.FOUND, picture_id=picture_id, mimetype="image/jpeg", data=data)


def shape(chat: Chat) -> Shape:
    return chat.world.groups.shape(chat.room_id)


def changed(**changes: object) -> WaGroupChanged:
    return WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, **changes)  # type: ignore[arg-type]


async def test_a_new_group_has_its_timer(chat: Chat) -> None:
    timed = msgspec.structs.replace(GROUP, disappearing_seconds=604_800)
    room_id = await join(chat, timed)
    assert chat.world.chats.timers == {room_id: 604_800}
    await chat.say("gone in a week")
    sent = chat.client.messages[-1].content
    assert isinstance(sent, WaText)
    assert sent.context.disappears_after_s == 604_800
    chat.world.chats.timers.clear()
    (login,) = chat.world.logins.of_user(ALICE)
    assert not await chat.world.following.sync_group(login, CLUB)
    assert not chat.world.chats.timers


async def test_a_new_group_has_a_room_of_its_shape(chat: Chat) -> None:
    room_id = await join(chat)
    room = chat.world.matrix.rooms[room_id]
    assert ALICE in room.invited
    assert room.joined >= {BEN_GHOST, CARLA_GHOST}
    assert OWN_GHOST not in room.joined
    seen = shape(chat)
    assert (seen.name, seen.topic) == ("Club", "All of us")
    assert seen.users == {BEN_GHOST: 75}
    assert (seen.events["m.room.name"], seen.events_default) == (0, 0)


async def test_a_group_that_is_first_heard_of_by_a_message_gets_its_shape_too(chat: Chat) -> None:
    await chat.receive(chat.message(WaText(body="hello"), chat=CLUB))
    assert shape(chat).topic == "All of us"
    assert CARLA_GHOST in chat.world.matrix.rooms[chat.room_id].joined


async def test_syncing_again_asks_the_homeserver_for_nothing(chat: Chat) -> None:
    room_id = await join(chat)
    login = chat.world.logins.get(LOGIN)
    assert login is not None
    before = (list(chat.world.groups.calls), list(chat.world.matrix.calls))
    assert not await chat.world.following.sync_group(login, CLUB)
    assert not await chat.world.following.sync_group(login, CLUB)
    assert (chat.world.groups.calls, chat.world.matrix.calls) == before
    await chat.restart()
    assert not await chat.world.following.sync_group(login, CLUB)
    assert chat.world.groups.calls == before[0]
    assert chat.world.matrix.rooms[room_id].joined >= {BEN_GHOST, CARLA_GHOST}


async def test_everything_that_changes(chat: Chat) -> None:
    room_id = await join(chat)
    await chat.receive(changed(name="Choir"), changed(topic="We sing", topic_id="T2"))
    assert (shape(chat).name, shape(chat).topic) == ("Choir", "We sing")
    await chat.receive(changed(is_announcement=True))
    assert shape(chat).events_default == 50
    assert shape(chat).events["m.reaction"] == 0
    await chat.receive(changed(is_locked=True))
    assert shape(chat).events["m.room.name"] == 50
    await chat.receive(changed(is_announcement=False, is_locked=False))
    assert (shape(chat).events_default, shape(chat).events["m.room.avatar"]) == (0, 0)
    await chat.receive(changed(promoted=(CARLA,)))
    assert shape(chat).users == {BEN_GHOST: 75, CARLA_GHOST: 50}
    await chat.receive(changed(demoted=(CARLA,)), changed(promoted=(OWN_LID,)))
    assert shape(chat).users == {BEN_GHOST: 75, ALICE: 50}
    await chat.receive(changed(left=(CARLA,)))
    assert chat.world.groups.removed == [(room_id, CARLA_GHOST)]
    await chat.receive(changed(joined=(CARLA,)))
    assert CARLA_GHOST in chat.world.matrix.rooms[room_id].joined
    await chat.receive(changed(disappearing_seconds=86400))
    portal_id = chat.world.work.deps.talk.portals.get_id(room_id)
    assert portal_id is not None
    portal = await chat.world.work.deps.talk.portals.get(portal_id)
    assert portal is not None
    assert portal.disappearing_seconds == 86400
    assert chat.unacknowledged() == []


async def test_an_announcement_group_of_a_community_lets_members_answer(chat: Chat) -> None:
    await join(chat, msgspec.structs.replace(GROUP, is_announcement=True, is_default_subgroup=True))
    assert shape(chat).events_default == 0


async def test_pictures_are_uploaded_once(chat: Chat) -> None:
    world = chat.world
    groups = world.open_groups(LOGIN)
    assert groups is not None
    groups.pictures[CLUB] = WaPicture(
        state=WaPictureState.FOUND, picture_id="P1", mimetype="image/jpeg", data=b"1"
    )
    room_id = await join(chat)
    first = shape(chat).avatar
    assert first is not None
    await chat.receive(WaPictureChanged(jid=CLUB, author=BEN, timestamp=START))
    assert shape(chat).avatar is first
    groups.pictures[CLUB] = WaPicture(
        state=WaPictureState.FOUND, picture_id="P2", mimetype="image/jpeg", data=b"2"
    )
    await chat.receive(WaPictureChanged(jid=CLUB, author=BEN, timestamp=START))
    assert shape(chat).avatar not in (None, first)
    groups.pictures[CLUB] = WaPicture(state=WaPictureState.HIDDEN)
    await chat.receive(WaPictureChanged(jid=CLUB, author=BEN, timestamp=START))
    assert shape(chat).avatar is not None
    groups.pictures[CLUB] = WaPicture(state=WaPictureState.NONE)
    await chat.receive(WaPictureChanged(jid=CLUB, author=BEN, timestamp=START, is_removed=True))
    assert shape(chat).avatar is None
    assert room_id in world.matrix.rooms


async def test_a_large_group_is_usable_at_once_and_fills_little_by_little(chat: Chat) -> None:
    crowd = tuple(
        WaGroupMember(jid=WaJid(user=f"1666{number:07}", server="s.whatsapp.net")) for number in range(70)
    )
    room_id = await join(chat, msgspec.structs.replace(GROUP, members=(*MEMBERS, *crowd)))
    room = chat.world.matrix.rooms[room_id]
    assert len(room.joined) == 31
    assert BEN_GHOST in room.joined
    assert await chat.world.following.deps.rooms.count_missing(room_id) == 42
    await chat.world.following.fill_some()
    assert len(room.joined) == 41
    await chat.restart()
    while await chat.world.following.fill_some():
        pass
    assert len(room.joined) == 73
    assert await chat.world.following.deps.rooms.get_filling() == []


async def test_who_is_removed_is_told_and_leaves_and_finds_the_room_again(chat: Chat) -> None:
    room_id = await join(chat)
    room = chat.world.matrix.rooms[room_id]
    room.invited.discard(ALICE)
    room.joined.add(ALICE)
    await chat.receive(changed(left=(OWN_LID,)))
    assert "removed +15550001111 from this group" in chat.world.matrix.bodies(room_id)[-1]
    assert chat.world.rooms.removed == [(room_id, ALICE)]
    assert room.joined == {chat.world.matrix.bot}
    await join(chat)
    assert ALICE in room.invited
    assert BEN_GHOST in room.joined


async def test_a_deleted_group_is_said_to_be_deleted(chat: Chat) -> None:
    room_id = await join(chat)
    await chat.receive(changed(is_deleted=True))
    assert chat.world.matrix.bodies(room_id) == ["This group was deleted on WhatsApp."]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "WhatsApp group"),
        ("\u200d\u0007 ", "WhatsApp group"),
        ("👩‍👩‍👧‍👦🏳️‍🌈", "👩‍👩‍👧‍👦🏳️‍🌈"),
        ("a\x00b\x1b[31m\u202ec\n", "a b [31m c"),
    ],
)
async def test_odd_names(chat: Chat, name: str, shown: str) -> None:
    await join(chat)
    await chat.receive(changed(name=name))
    assert shape(chat).name == shown


async def test_a_topic_of_ten_kilobytes_stays_whole(chat: Chat) -> None:
    await join(chat, msgspec.structs.replace(GROUP, topic="ä" * 5_000))
    assert len(shape(chat).topic) == 5_000


async def test_a_member_list_with_oneself_missing_removes_nobody_of_ours(chat: Chat) -> None:
    room_id = await join(chat, msgspec.structs.replace(GROUP, members=MEMBERS[1:]))
    assert ALICE in chat.world.matrix.rooms[room_id].invited
    assert chat.world.rooms.removed == []


async def test_a_list_without_members_is_no_news_of_them(chat: Chat) -> None:
    room_id = await join(chat)
    login = chat.world.logins.get(LOGIN)
    assert login is not None
    chat.world.directories.require(LOGIN).described[CLUB] = msgspec.structs.replace(GROUP, members=())
    assert not await chat.world.following.sync_group(login, CLUB)
    assert CARLA_GHOST in chat.world.matrix.rooms[room_id].joined


async def test_promoting_someone_who_left_promotes_nobody(chat: Chat) -> None:
    await join(chat)
    await chat.receive(changed(left=(CARLA,)), changed(promoted=(CARLA,)))
    assert shape(chat).users == {BEN_GHOST: 75}
    assert CARLA_GHOST not in chat.world.matrix.rooms[chat.room_id].joined


async def test_a_group_that_cannot_be_looked_at_still_takes_its_messages(chat: Chat) -> None:
    chat.world.directories.require(LOGIN).fail(WhatsAppRefused(code="forbidden"), times=5)
    await chat.receive(chat.message(WaText(body="hello"), chat=CLUB))
    assert chat.texts == ["hello"]
    assert chat.unacknowledged() == []


async def test_somebodys_picture_comes_with_their_first_message_and_stays_when_hidden(chat: Chat) -> None:
    world = chat.world
    groups = world.open_groups(LOGIN)
    assert groups is not None
    groups.pictures[BEN] = found("B1")
    await chat.hear("hello")
    await world.following.deps.pictures.idle()
    first = world.groups.avatars[BEN_GHOST]
    assert first == MxUri(str(first))
    calls = len(world.groups.calls)
    await chat.hear("again")
    await world.following.deps.pictures.idle()
    assert len(world.groups.calls) == calls
    groups.pictures[BEN] = WaPicture(state=WaPictureState.HIDDEN)
    await chat.receive(WaPictureChanged(jid=BEN, author=BEN, timestamp=START))
    await world.following.deps.pictures.idle()
    assert world.groups.avatars[BEN_GHOST] == first
    groups.pictures[BEN] = WaPicture(state=WaPictureState.NONE)
    await chat.receive(WaPictureChanged(jid=BEN, author=BEN, timestamp=START, is_removed=True))
    await world.following.deps.pictures.idle()
    assert world.groups.avatars[BEN_GHOST] is None
