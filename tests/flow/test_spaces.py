"""Spaces hold what they should."""

from __future__ import annotations

import msgspec
import pytest

from mautrix_whatsapp_py.bridge.group_work import GroupSettings
from mautrix_whatsapp_py.ids import MxRoomId, WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupChanged
from mautrix_whatsapp_py.store.group_records import SpaceRecords
from tests.fakes.matrix import BOT
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, CLUB, LOGIN, OWN_LID, Chat
from tests.flow.test_group_rooms import GROUP, changed, join
from tests.flow.world import ALICE, World

TOWN = WaJid(user="12036399", server="g.us")


@pytest.fixture
async def chat(world: World) -> Chat:
    world.group_settings = GroupSettings(has_spaces=True)
    await world.restart()
    return await Chat.open(world)


def login_of(chat: Chat) -> Login:
    login = chat.world.logins.get(LOGIN)
    assert login is not None
    return login


async def sync(chat: Chat) -> int:
    return await chat.world.following.deps.spaces.sync(login_of(chat))


def space(chat: Chat, name: str) -> MxRoomId:
    spaces = [room_id for room_id, made in chat.world.groups.spaces.items() if made.name == name]
    return spaces[-1]


async def test_an_accounts_chats_are_in_its_space_and_a_second_look_changes_nothing(chat: Chat) -> None:
    await chat.hear("hello")
    room_id = chat.room_id
    assert await sync(chat) > 0
    own = space(chat, "WhatsApp (+15550001111)")
    assert chat.world.groups.shape(own).children == {room_id}
    assert ALICE in chat.world.matrix.rooms[own].invited
    calls = list(chat.world.groups.calls)
    assert await sync(chat) == 0
    await chat.restart()
    assert await sync(chat) == 0
    assert chat.world.groups.calls == calls


async def test_a_space_that_is_gone_is_made_anew(chat: Chat) -> None:
    await chat.hear("hello")
    await sync(chat)
    old = space(chat, "WhatsApp (+15550001111)")
    chat.world.matrix.rooms[old].joined.discard(BOT)
    await chat.receive(chat.message(WaText(body="hello"), chat=CLUB))
    await sync(chat)
    new = space(chat, "WhatsApp (+15550001111)")
    assert new != old
    assert len(chat.world.groups.shape(new).children) == 2


async def test_groups_of_a_community_are_in_its_space_and_leave_it(chat: Chat) -> None:
    chat.world.directories.require(LOGIN).described[TOWN] = WaGroup(jid=TOWN, name="Town", is_community=True)
    room_id = await join(chat, msgspec.structs.replace(GROUP, community=TOWN))
    await sync(chat)
    own, town = space(chat, "WhatsApp (+15550001111)"), space(chat, "Town")
    assert chat.world.groups.shape(own).children == {town}
    assert chat.world.groups.shape(town).children == {room_id}
    await chat.receive(changed(unlinked=TOWN))
    await sync(chat)
    assert room_id in chat.world.groups.shape(own).children
    assert chat.world.groups.shape(town).children == set()


async def test_a_group_that_was_left_leaves_the_space(chat: Chat) -> None:
    room_id = await join(chat)
    await sync(chat)
    own = space(chat, "WhatsApp (+15550001111)")
    assert chat.world.groups.shape(own).children == {room_id}
    await chat.receive(changed(left=(OWN_LID,)))
    await chat.hear("hello")
    await sync(chat)
    assert room_id not in chat.world.groups.shape(own).children


async def test_a_community_that_is_renamed_renames_its_space(chat: Chat) -> None:
    directory = chat.world.directories.require(LOGIN)
    directory.described[TOWN] = WaGroup(jid=TOWN, name="Town", is_community=True)
    await join(chat, msgspec.structs.replace(GROUP, community=TOWN))
    await sync(chat)
    town = space(chat, "Town")
    await chat.receive(WaGroupChanged(chat=TOWN, timestamp=START, sender=BEN, name="City\u202e\n "))
    await sync(chat)
    assert chat.world.groups.shape(town).name == "City"
    # What nobody told of is seen when somebody asks for it.
    directory.described[TOWN] = WaGroup(jid=TOWN, name="Metropolis", is_community=True)
    assert await sync(chat) == 0
    assert await chat.world.following.deps.spaces.sync(login_of(chat), asks_names=True) == 1
    assert chat.world.groups.shape(town).name == "Metropolis"
    assert await chat.world.following.deps.spaces.sync(login_of(chat), asks_names=True) == 0


async def test_a_space_is_made_once_whatever_a_crash_leaves(chat: Chat) -> None:
    await chat.hear("hello")
    await sync(chat)
    own = space(chat, "WhatsApp (+15550001111)")
    async with chat.world.store.transaction() as tx:
        # As if the process had died between the making and the remembering.
        await SpaceRecords().drop(tx, LOGIN)
    await chat.restart()
    await sync(chat)
    assert list(chat.world.groups.spaces) == [own]
    assert chat.world.groups.shape(own).children == {chat.room_id}


async def test_a_group_leaves_a_community_that_says_so_itself(chat: Chat) -> None:
    directory = chat.world.directories.require(LOGIN)
    directory.described[TOWN] = WaGroup(jid=TOWN, name="Town", is_community=True)
    room_id = await join(chat, msgspec.structs.replace(GROUP, community=TOWN))
    await sync(chat)
    directory.described[CLUB] = GROUP
    await chat.receive(WaGroupChanged(chat=TOWN, timestamp=START, sender=BEN, unlinked=CLUB))
    await sync(chat)
    assert room_id in chat.world.groups.shape(space(chat, "WhatsApp (+15550001111)")).children
    assert chat.world.groups.shape(space(chat, "Town")).children == set()
