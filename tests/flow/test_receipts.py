"""What is read on Matrix is read on WhatsApp, now or when it is back; private receipts as the option says."""

from __future__ import annotations

import pytest

from mautrix_whatsapp_py.bridge.talk import TalkSettings
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUncertain
from mautrix_whatsapp_py.ids import MxEventId, WaMessageId
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.wa import WaReceiptKind
from tests.flow.chat import BEN_GHOST, Chat
from tests.flow.world import World


@pytest.fixture
async def chat(world: World) -> Chat:
    return await Chat.open(world)


def marked(chat: Chat) -> list[WaMessageId]:
    return [message_id for mark in chat.client.marked for message_id in mark.message_ids]


async def test_what_is_read_while_whatsapp_is_away_is_told_on_return(chat: Chat) -> None:
    ids = [await chat.hear(str(number)) for number in range(3)]
    events = [one.event_id for one in chat.world.chats.said]
    chat.go_offline()
    await chat.read(events[1])
    await chat.read(events[0])
    assert not marked(chat)
    await chat.restart()
    await chat.go_online()
    await chat.world.until(lambda: len(marked(chat)) == 2)
    assert marked(chat) == ids[:2]
    await chat.world.settled()
    chat.go_offline()
    await chat.go_online()
    await chat.read(events[2])
    assert marked(chat) == ids


async def test_messages_of_one_second_are_told_once_each(chat: Chat) -> None:
    """WhatsApp's times are whole seconds: more may come in the second that was read already."""
    first = await chat.hear("one")
    first_event = chat.world.chats.said[-1].event_id
    await chat.read(first_event)
    at = chat.world.chats.said[-1].sent_at
    second = chat.message(WaText(body="two"), at=at)
    await chat.receive(second)
    await chat.read(chat.world.chats.said[-1].event_id)
    await chat.read(chat.world.chats.said[-1].event_id)
    assert marked(chat) == [first, second.message_id]


@pytest.mark.parametrize("is_answered", [False, True])
async def test_a_receipt_that_got_lost_is_told_again(chat: Chat, is_answered: bool) -> None:
    message_id = await chat.hear("hello")
    chat.client.mark_faults.append(WhatsAppRefused() if is_answered else WhatsAppUncertain())
    await chat.read(chat.world.chats.said[0].event_id)
    assert not marked(chat)
    chat.go_offline()
    await chat.go_online()
    later_id = await chat.hear("more")
    await chat.read(chat.world.chats.said[1].event_id)
    await chat.world.until(lambda: len(marked(chat)) == 2)
    assert marked(chat) == [message_id, later_id]


@pytest.mark.parametrize("is_wanted", [False, True])
async def test_private_receipts_go_as_the_option_says(world: World, is_wanted: bool) -> None:
    world.talk_settings = TalkSettings(with_private_receipts=is_wanted)
    chat = await Chat.open(world)
    await chat.restart()
    message_id = await chat.hear("hello")
    await chat.read(world.chats.said[0].event_id, is_private=True)
    assert marked(chat) == ([message_id] if is_wanted else [])


async def test_what_was_played_was_read(chat: Chat) -> None:
    await chat.hear("hello")
    event_id = await chat.say("mine")
    await chat.receive(chat.receipt(chat.client.messages[0].message_id, kind=WaReceiptKind.PLAYED))
    assert (chat.room_id, event_id, BEN_GHOST) in chat.world.chats.receipts


async def test_a_receipt_for_the_unknown_is_nothing(chat: Chat) -> None:
    await chat.hear("hello")
    await chat.receive(chat.receipt(WaMessageId("NEVER")))
    await chat.read(MxEventId("$never"))
    assert not chat.world.chats.receipts
    assert not chat.unacknowledged()
