"""Chats with a timer: known on both sides, carried by messages, and obeyed when the time has come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mautrix_whatsapp_py.bridge.disappearing import REASON, redact_due
from mautrix_whatsapp_py.bridge.talk import TalkSettings
from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.model.content import (
    MxMessageContent,
    WaContext,
    WaEdit,
    WaEphemeralTimer,
    WaText,
)
from mautrix_whatsapp_py.model.wa import WaGroup, WaGroupChanged, WaUndecryptable
from tests.fakes.whatsapp import START
from tests.flow.chat import BEN, CLUB, LOGIN, Chat, ref, source_of
from tests.flow.world import BOT, World

DAY = 86_400
TIMED = WaText(body="for a day", context=WaContext(disappears_after_s=DAY))


@pytest.fixture
async def chat(world: World) -> Chat:
    return await Chat.open(world)


async def pass_days(chat: Chat, days: float) -> None:
    chat.world.clock.advance(days * DAY)
    await redact_due(chat.world.talk)


async def test_a_timer_is_shown_and_carried(chat: Chat) -> None:
    await chat.hear("hello")
    await chat.receive(chat.message(WaEphemeralTimer(timer_s=DAY)))
    assert chat.texts[-1] == "New messages now disappear after 1 day."
    assert chat.world.chats.timers == {chat.room_id: DAY}
    await chat.restart()
    await chat.say("mine")
    content = chat.client.messages[-1].content
    assert isinstance(content, WaText)
    assert content.context.disappears_after_s == DAY
    await chat.receive(chat.message(WaEphemeralTimer(timer_s=0)))
    assert chat.world.chats.timers == {chat.room_id: 0}
    await chat.say("stays")
    content = chat.client.messages[-1].content
    assert isinstance(content, WaText)
    assert content.context.disappears_after_s is None


async def test_messages_of_both_sides_go_when_their_time_has_come(chat: Chat) -> None:
    await chat.hear("stays")
    await chat.receive(chat.message(WaEphemeralTimer(timer_s=DAY)), chat.message(TIMED, at=START))
    theirs = chat.world.chats.said[-1].event_id
    own = await chat.say("mine")
    await pass_days(chat, 0.9)
    assert not chat.world.chats.redacted
    await chat.restart()
    await pass_days(chat, 0.2)
    gone = chat.world.chats.redacted
    assert {one.event_id for one in gone} == {theirs, own}
    assert {(one.sender, one.reason) for one in gone} == {(BOT, REASON)}
    await pass_days(chat, 2)
    assert len(chat.world.chats.redacted) == 2


async def test_a_message_tells_of_a_timer_nobody_was_told_of(chat: Chat) -> None:
    message = chat.message(TIMED)
    await chat.receive(message, message)
    assert chat.texts == ["for a day", "New messages now disappear, as set by WhatsApp, after 1 day."]
    assert chat.world.chats.timers == {chat.room_id: DAY}


async def test_an_edit_goes_with_its_message(chat: Chat) -> None:
    message = chat.message(TIMED, at=START)
    edited = WaText(body="edited", context=TIMED.context)
    await chat.receive(message)
    await chat.receive(chat.message(WaEdit(target=ref(message.message_id), content=edited), at=START))
    await pass_days(chat, 1.1)
    gone = {one.event_id for one in chat.world.chats.redacted}
    first, _, edit = chat.world.chats.said
    assert gone == {first.event_id, edit.event_id}


async def test_a_message_in_the_place_of_its_placeholder_goes_too(chat: Chat) -> None:
    message = chat.message(TIMED, at=START)
    unread = WaUndecryptable(source=source_of(BEN), message_id=message.message_id, timestamp=START)
    await chat.receive(unread, message)
    placeholder = chat.world.chats.said[0].event_id
    await pass_days(chat, 1.1)
    assert placeholder in {one.event_id for one in chat.world.chats.redacted}


async def test_who_wants_to_keep_everything_does(chat: Chat) -> None:
    chat.world.talk_settings = TalkSettings(is_disappearing_honoured=False)
    await chat.restart()
    await chat.receive(chat.message(TIMED, at=START))
    (content, *_) = [one.content for one in chat.world.chats.said]
    assert isinstance(content, MxMessageContent)
    assert content.disappears_after_s is None
    await chat.say("mine")
    sent = chat.client.messages[-1].content
    assert isinstance(sent, WaText)
    assert sent.context.disappears_after_s == DAY
    await pass_days(chat, 400)
    assert not chat.world.chats.redacted


async def test_a_wrong_clock_keeps_nothing(chat: Chat) -> None:
    await chat.receive(chat.message(TIMED, at=START + timedelta(days=3650)))
    await pass_days(chat, 1.1)
    assert len(chat.world.chats.redacted) == 1


async def test_an_outage_is_waited_out_and_a_lost_room_holds_up_nobody(chat: Chat) -> None:
    await chat.receive(chat.message(TIMED, at=START), chat.message(TIMED, at=START))
    chat.world.matrix.fail("send_redaction", MatrixUnreachable())
    await pass_days(chat, 1.1)
    assert not chat.world.chats.redacted
    chat.world.matrix.fail("send_redaction", MatrixRefused(errcode="M_NOT_FOUND", status=404))
    await pass_days(chat, 0)
    await pass_days(chat, 0)
    assert len(chat.world.chats.redacted) == 1


async def test_a_crash_while_redacting_redacts_once(chat: Chat) -> None:
    await chat.receive(chat.message(TIMED, at=START))
    chat.world.matrix.fail("send_redaction", MatrixUnreachable(), is_answer_lost=True)
    await pass_days(chat, 1.1)
    await chat.restart()
    await pass_days(chat, 0)
    assert len(chat.world.chats.redacted) == 1


async def test_the_timer_of_a_group(chat: Chat) -> None:
    group = WaGroup(jid=CLUB, name="Club", disappearing_seconds=7 * DAY)
    chat.world.directories.require(LOGIN).described[CLUB] = group
    await chat.receive(chat.message(WaText(body="hello"), chat=CLUB))
    assert chat.world.chats.rooms[chat.room_id].name == "Club"
    await chat.say("mine")
    content = chat.client.messages[-1].content
    assert isinstance(content, WaText)
    assert content.context.disappears_after_s == 7 * DAY
    change = WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, disappearing_seconds=DAY)
    await chat.receive(change, change)
    assert chat.texts[-1:] == ["New messages now disappear after 1 day."]
    assert chat.texts.count("New messages now disappear after 1 day.") == 1
    assert chat.world.chats.timers == {chat.room_id: DAY}
    assert not chat.unacknowledged()


async def test_a_change_of_a_group_without_a_room_is_forgotten(chat: Chat) -> None:
    await chat.receive(WaGroupChanged(chat=CLUB, timestamp=START, sender=BEN, disappearing_seconds=DAY))
    assert not chat.world.chats.rooms
    assert not chat.unacknowledged()
