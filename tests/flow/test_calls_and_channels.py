"""Calls, channels, broadcast lists and status updates."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from mautrix_whatsapp_py.bridge.talk import TalkSettings
from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import JournalSeq, MxUserId, WaJid
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxMsgType, WaText
from mautrix_whatsapp_py.model.wa import WaCall, WaCallKind, WaMessage
from tests.flow.chat import BEN, CARLA, CLUB, LOGIN
from tests.flow.desk import Desk
from tests.flow.world import World

NEWS = WaJid(user="120363055", server="newsletter")
STATUS = WaJid(user="status", server="broadcast")

pytestmark = pytest.mark.parametrize("migrated", ["sqlite"], indirect=True)
"""What they store is tested on both dialects elsewhere."""


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def with_settings(world: World, settings: TalkSettings) -> Desk:
    world.talk_settings = settings
    await world.restart()
    return await Desk.open(world)


def call(desk: Desk, kind: WaCallKind, *, after_s: float = 0, **changes: object) -> WaCall:
    at = desk.world.clock.now() + timedelta(seconds=after_s)
    event = WaCall(kind=kind, call_id="C1", caller=BEN, timestamp=at, media="audio")
    return msgspec.structs.replace(event, **changes)


def shown(desk: Desk) -> list[str]:
    """What the only room says about calls now, and before."""
    contents = [one.content for one in desk.world.chats.said if isinstance(one.content, MxMessageContent)]
    return [content.body for content in contents]


async def test_a_call_that_is_taken(desk: Desk) -> None:
    await desk.chat.receive(call(desk, WaCallKind.OFFER, media="video"))
    await desk.chat.receive(call(desk, WaCallKind.ACCEPT, after_s=5))
    await desk.chat.receive(call(desk, WaCallKind.TERMINATE, after_s=70))
    assert shown(desk) == [
        "📞 Incoming video call. Answer it on the phone.",
        "📞 Video call, answered.",
        "📞 Video call ended after 1:05.",
    ]
    first, *edits = desk.world.chats.said
    assert isinstance(first.content, MxMessageContent)
    assert first.content.msgtype is MxMsgType.NOTICE
    relations = [edit.content.relation for edit in edits if isinstance(edit.content, MxMessageContent)]
    assert relations == [MxEdit(event_id=first.event_id)] * 2
    assert not desk.chat.unacknowledged()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("timeout", "📞 Missed voice call."),
        ("", "📞 Missed voice call."),
        ("accepted_elsewhere", "📞 Incoming voice call, taken on another device."),
    ],
)
async def test_a_call_that_is_not_taken_here(desk: Desk, reason: str, text: str) -> None:
    await desk.chat.receive(call(desk, WaCallKind.OFFER))
    await desk.chat.receive(call(desk, WaCallKind.OFFER))
    await desk.chat.restart()
    await desk.chat.receive(call(desk, WaCallKind.TERMINATE, after_s=30, reason=reason))
    await desk.chat.receive(call(desk, WaCallKind.TERMINATE, after_s=31))
    assert shown(desk) == ["📞 Incoming voice call. Answer it on the phone.", text]


async def test_the_end_of_a_call_waits_for_its_beginning(desk: Desk) -> None:
    offer, end = call(desk, WaCallKind.OFFER), call(desk, WaCallKind.TERMINATE, after_s=3)
    for seq, event in enumerate((offer, end), 1):
        desk.world.bridge.on_wa_event(LOGIN, JournalSeq(seq), event)
    await desk.world.settled()
    assert shown(desk)[-1] == "📞 Missed voice call."


async def test_calls_that_are_no_news(desk: Desk) -> None:
    await desk.chat.receive(call(desk, WaCallKind.OFFER, after_s=-1000))
    await desk.chat.receive(call(desk, WaCallKind.TERMINATE))
    await desk.ask("filter deny direct")
    await desk.chat.receive(call(desk, WaCallKind.OFFER))
    assert not desk.world.chats.rooms
    assert not desk.chat.unacknowledged()


async def test_a_call_of_a_group_shows_there(desk: Desk) -> None:
    await desk.chat.receive(call(desk, WaCallKind.OFFER_NOTICE, group=CLUB))
    assert shown(desk) == ["📞 Incoming group voice call. Answer it on the phone."]
    assert desk.world.chats.rooms[desk.chat.room_id].chat_id == str(CLUB)


async def test_calls_are_declined_with_a_word(world: World) -> None:
    desk = await with_settings(world, TalkSettings(rejects_calls=True, rejection_text="Please write."))
    await desk.chat.receive(call(desk, WaCallKind.OFFER))
    await desk.chat.receive(call(desk, WaCallKind.TERMINATE, after_s=1))
    assert desk.directory.rejected == [(BEN, "C1")]
    assert [(sent.chat, sent.content) for sent in desk.chat.client.messages] == [
        (BEN, WaText(body="Please write."))
    ]
    assert shown(desk)[-1] == "📞 Incoming voice call, declined by the bridge."
    desk.directory.fail(WhatsAppUnavailable(code="host-lost"))
    await desk.chat.receive(call(desk, WaCallKind.OFFER, call_id="C2"))
    assert shown(desk)[-1] == "📞 Incoming voice call. Answer it on the phone."


async def test_calls_can_be_left_out(world: World) -> None:
    desk = await with_settings(world, TalkSettings(with_call_notices=False))
    await desk.chat.receive(call(desk, WaCallKind.OFFER), call(desk, WaCallKind.TERMINATE, after_s=9))
    assert not desk.world.chats.rooms


def post(desk: Desk, body: str, *, server_id: int = 100) -> WaMessage:
    message = desk.chat.message(WaText(body=body), sender=NEWS, chat=NEWS, push_name="")
    return msgspec.structs.replace(message, server_id=server_id)


async def test_a_channel_speaks_for_itself_and_can_be_reacted_to(desk: Desk) -> None:
    desk.directory.add_newsletter(NEWS.user, "Daily news")
    await desk.chat.receive(post(desk, "first"), post(desk, "second", server_id=101))
    assert desk.chat.texts == ["first", "second"]
    assert desk.world.chats.rooms[desk.chat.room_id].name == "Daily news"
    author = MxUserId("@whatsapp_lid-newsletter-120363055:localhost")
    assert {one.sender for one in desk.world.chats.said} == {author}
    assert desk.world.chats.names[author] == "Daily news (WA)"
    desk.join(desk.chat.room_id)
    event_id = await desk.chat.react("👍", desk.world.chats.said[-1].event_id)
    await desk.chat.redact(event_id)
    assert desk.directory.reactions == [(NEWS, 101, "👍"), (NEWS, 101, "")]
    assert not desk.chat.client.messages


async def test_status_updates_are_left_out_unless_wanted(desk: Desk) -> None:
    await desk.chat.receive(desk.chat.message(WaText(body="on holiday"), chat=STATUS))
    assert not desk.world.chats.rooms
    assert not desk.chat.unacknowledged()


async def test_status_updates_come_quietly_into_a_room_of_their_own(world: World) -> None:
    desk = await with_settings(world, TalkSettings(with_status_broadcast=True))
    for sender in (BEN, CARLA):
        await desk.chat.receive(desk.chat.message(WaText(body="on holiday"), chat=STATUS, sender=sender))
    assert desk.world.chats.rooms[desk.chat.room_id].name == "WhatsApp Status Broadcast"
    kinds = {one.content.msgtype for one in desk.world.chats.said if isinstance(one.content, MxMessageContent)}
    assert kinds == {MxMsgType.NOTICE}
    desk.join(desk.chat.room_id)
    await desk.chat.say("me too")
    assert not desk.chat.client.messages
    assert "Status updates cannot be posted from Matrix" in desk.chat.texts[-1]


async def test_broadcast_lists_arrive_in_the_direct_chat(desk: Desk) -> None:
    chat = WaJid(user="1700000000", server="broadcast")
    await desk.chat.receive(desk.chat.message(WaText(body="to all"), chat=chat))
    assert desk.chat.texts == ["to all"]
    await desk.ask("filter deny broadcast")
    await desk.chat.receive(desk.chat.message(WaText(body="to all"), chat=chat, sender=CARLA))
    assert len(desk.world.chats.rooms) == 1
