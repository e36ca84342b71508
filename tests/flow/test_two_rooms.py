"""Somebody who was two people, with a room each, turns out to be one."""

from __future__ import annotations

import msgspec
import pytest

from mautrix_whatsapp_py.errors import MatrixUnreachable
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, WaEdit, WaText
from mautrix_whatsapp_py.model.wa import WaGroupMember
from mautrix_whatsapp_py.store.tx import Work
from tests.flow.chat import BEN, BEN_GHOST, BEN_LID, CLUB, LOGIN, Chat, ref, source_of
from tests.flow.test_group_rooms import GROUP, join
from tests.flow.world import ALICE, World

LID_GHOST = MxUserId("@whatsapp_lid-1000002:localhost")


@pytest.fixture
async def chat(world: World) -> Chat:
    chat = await Chat.open(world)
    await chat.receive(chat.message(WaText(body="by number"), sender=BEN))
    await chat.receive(chat.message(WaText(body="by LID"), sender=BEN_LID, push_name="Ben"))
    assert len(chat.world.chats.rooms) == 2
    return chat


def room_with(chat: Chat, text: str) -> MxRoomId:
    return next(room_id for room_id in chat.world.chats.rooms if text in chat.world.chats.texts(room_id))


async def show(chat: Chat) -> None:
    """WhatsApp says that both addresses are one person's."""
    await chat.receive(chat.message(WaText(body="it is me"), sender=BEN_LID, alternate=BEN))


def require_one_room(chat: Chat) -> None:
    kept, other = room_with(chat, "by number"), room_with(chat, "by LID")
    assert "it is me" in chat.world.chats.texts(kept)
    assert chat.world.groups.replaced == {other: kept}
    assert ALICE in chat.world.matrix.rooms[kept].invited
    assert LID_GHOST not in chat.world.matrix.rooms[other].joined
    assert BEN_GHOST in chat.world.matrix.rooms[kept].joined
    portals = chat.world.work.deps.talk.portals
    assert portals.get_id(kept) is not None
    assert portals.get_id(other) is None


async def test_the_chat_goes_on_in_the_older_room(chat: Chat) -> None:
    await show(chat)
    require_one_room(chat)
    await chat.receive(chat.message(WaText(body="by LID again"), sender=BEN_LID))
    assert "by LID again" in chat.world.chats.texts(room_with(chat, "by number"))
    calls = list(chat.world.groups.calls)
    await chat.restart()
    assert chat.world.groups.calls == calls


async def test_alice_still_reaches_them(chat: Chat) -> None:
    await show(chat)
    other = room_with(chat, "by LID")
    await chat.world.deliver(chat.world.text("anybody here?", room_id=other))
    await chat.world.deliver(chat.world.text("hello Ben", room_id=room_with(chat, "by number")))
    await chat.world.settled()
    assert [message.chat for message in chat.client.messages] in ([BEN], [BEN_LID])


@pytest.mark.parametrize("call", ["invite", "leave_room"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_an_end_on_the_way_changes_nothing_of_the_end(chat: Chat, call: str, is_late: bool) -> None:
    chat.world.matrix.fail(call, MatrixUnreachable(), is_answer_lost=is_late)
    await show(chat)
    await chat.restart()
    require_one_room(chat)


async def test_what_the_homeserver_did_not_do_is_tried_again(chat: Chat) -> None:
    chat.world.matrix.fail("leave_room", MatrixUnreachable(), times=3)
    await show(chat)
    for _ in range(3):
        chat.world.bridge._mergers.retry()
        await chat.world.settled()
    require_one_room(chat)


async def test_in_groups_they_are_one_member(world: World) -> None:
    chat = await Chat.open(world)
    members = (*GROUP.members[:1], WaGroupMember(jid=BEN), WaGroupMember(jid=BEN_LID, is_admin=True))
    world.directories.require(LOGIN).described[CLUB] = msgspec.structs.replace(GROUP, members=members)
    room_id = await join(chat, msgspec.structs.replace(GROUP, members=members))
    assert world.matrix.rooms[room_id].joined >= {BEN_GHOST, LID_GHOST}
    await chat.receive(
        msgspec.structs.replace(
            chat.message(WaText(body="it is me"), sender=BEN, alternate=BEN_LID, chat=CLUB),
            source=source_of(BEN, alternate=BEN_LID, chat=CLUB),
        )
    )
    room = world.matrix.rooms[room_id]
    (ghost,) = {BEN_GHOST, LID_GHOST} & room.joined
    assert world.groups.shape(room_id).users[ghost] == 50


async def test_what_is_under_way_is_recorded_for_who_they_turned_out_to_be(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = await Chat.open(world)
    members = (*GROUP.members[:1], WaGroupMember(jid=BEN), WaGroupMember(jid=BEN_LID))
    world.directories.require(LOGIN).described[CLUB] = msgspec.structs.replace(GROUP, members=members)
    await join(chat, msgspec.structs.replace(GROUP, members=members))
    talk = world.work.deps.talk
    write = talk.store.write
    first = chat.message(WaText(body="on its way"), sender=BEN_LID, chat=CLUB)

    async def merge_first(work: Work[None], *, is_patient: bool = False) -> None:
        await talk.persons.resolve(BEN_LID, BEN)
        await write(work, is_patient=is_patient)

    monkeypatch.setattr(talk.store, "write", merge_first)
    await chat.receive(first)
    monkeypatch.undo()
    target = ref(first.message_id, BEN_LID, CLUB)
    await chat.receive(
        chat.message(WaEdit(target=target, content=WaText(body="it came")), sender=BEN_LID, chat=CLUB)
    )
    (event_id,) = [one.event_id for one in world.chats.said if "on its way" in str(one.content)]
    edit = world.chats.said[-1].content
    assert isinstance(edit, MxMessageContent)
    assert edit.relation == MxEdit(event_id=event_id)
