"""What people write reaches WhatsApp once and in order, and they are told when it does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.convert.notices import Refusal, explain
from mautrix_whatsapp_py.errors import WhatsAppRefused, WhatsAppUnavailable, WhatsAppUncertain
from mautrix_whatsapp_py.model.content import MxRedactionContent, WaEdit, WaReaction, WaRevoke, WaText
from mautrix_whatsapp_py.model.mx import MxReceipt, MxRedaction, MxSendOutcome, MxTyping
from mautrix_whatsapp_py.model.wa import WaReceiptKind
from tests.fakes.matrix import KilledError
from tests.flow.chat import BEN, CARLA, CLUB, OWN, Chat
from tests.flow.world import ALICE, BOB, World


@pytest.fixture
async def chat(world: World) -> Chat:
    """Alice in a room with Ben, who wrote first."""
    chat = await Chat.open(world)
    await chat.hear("hello")
    return chat


def bodies(chat: Chat) -> list[str]:
    """The texts that left."""
    return [sent.content.body for sent in chat.client.messages if isinstance(sent.content, WaText)]


def outcomes(chat: Chat) -> list[MxSendOutcome]:
    return [status.outcome for status in chat.world.chats.statuses]


async def test_a_message_is_sent_and_confirmed(chat: Chat) -> None:
    event_id = await chat.say("hi *Ben*")
    (sent,) = chat.client.messages
    assert sent.chat == BEN
    assert sent.send_id == f"mx-{event_id}"
    assert len(sent.secret) == 32
    assert outcomes(chat) == [MxSendOutcome.SUCCESS]
    assert (chat.room_id, event_id, "@whatsappbot:localhost") in chat.world.chats.receipts
    assert not await chat.world.pending()


async def test_what_was_sent_is_not_shown_again(chat: Chat) -> None:
    await chat.say("hi")
    echo = chat.message(
        WaText(body="hi"), sender=OWN, chat=BEN, is_from_me=True, message_id=chat.client.messages[0].message_id
    )
    await chat.receive(echo)
    assert chat.texts == ["hello"]


async def test_a_reply_quotes_what_the_homeserver_has(chat: Chat) -> None:
    await chat.reply("hi", chat.world.chats.said[0].event_id)
    content = chat.client.messages[0].content
    assert isinstance(content, WaText)
    quote = content.context.quote
    assert quote is not None
    assert quote.sender == BEN
    assert quote.preview is not None
    assert quote.preview.text == "hello"


async def test_edit_reaction_and_redaction_name_their_target(chat: Chat) -> None:
    event_id = await chat.say("one")
    target = chat.client.messages[0].message_id
    await chat.edit("two", event_id)
    await chat.react("👍", chat.world.chats.said[0].event_id)
    await chat.redact(event_id)
    edit, reaction, revoke = (sent.content for sent in chat.client.messages[1:])
    assert isinstance(edit, WaEdit)
    assert (edit.target.message_id, edit.target.sender, edit.content.body) == (target, OWN, "two")
    assert isinstance(reaction, WaReaction)
    assert reaction.target.sender == BEN
    assert isinstance(revoke, WaRevoke)
    assert revoke.target.message_id == target


async def test_one_reaction_replaces_the_other_and_goes(chat: Chat) -> None:
    said = chat.world.chats.said[0].event_id
    first = await chat.react("👍", said)
    second = await chat.react("🎉", said)
    assert [one.event_id for one in chat.world.chats.redacted] == [first]
    await chat.redact(second)
    last = chat.client.messages[-1].content
    assert isinstance(last, WaReaction)
    assert last.emoji == ""


async def test_a_refusal_is_explained_once(chat: Chat) -> None:
    await chat.react("mxc://localhost/picture", chat.world.chats.said[0].event_id)
    assert chat.texts[1:] == [notices.tell_failed("reaction", explain(Refusal.REACTION_IMAGE))]
    assert outcomes(chat) == [MxSendOutcome.FAILED]
    assert not chat.client.messages


async def test_whatsapp_says_no(chat: Chat) -> None:
    chat.client.faults.append(WhatsAppRefused())
    await chat.say("hi")
    assert chat.texts[1:] == [notices.tell_failed("message", notices.REFUSED)]
    assert not await chat.world.pending()


async def test_messages_wait_for_whatsapp_in_order(chat: Chat) -> None:
    chat.go_offline()
    for number in range(5):
        await chat.say(str(number))
    assert outcomes(chat) == [MxSendOutcome.PENDING] * 5
    assert len(await chat.world.pending()) == 5
    await chat.go_online()
    assert bodies(chat) == ["0", "1", "2", "3", "4"]
    assert outcomes(chat)[5:] == [MxSendOutcome.SUCCESS] * 5
    assert not await chat.world.pending()


async def test_whoever_watches_is_told_how_far_an_event_has_come(chat: Chat) -> None:
    published = chat.world.checkpoints
    chat.go_offline()
    waiting = await chat.say("one")
    await chat.go_online()
    assert published.of(waiting) == [("BRIDGE", "SUCCESS"), ("REMOTE", "WILL_RETRY"), ("REMOTE", "SUCCESS")]
    chat.client.faults.append(WhatsAppRefused())
    refused = await chat.say("two")
    assert published.of(refused) == [("BRIDGE", "SUCCESS"), ("REMOTE", "PERM_FAILURE")]
    assert published.published[-1].info == notices.REFUSED


async def test_waiting_survives_a_restart(chat: Chat) -> None:
    chat.go_offline()
    await chat.say("one")
    await chat.say("two")
    await chat.restart()
    await chat.go_online()
    assert bodies(chat) == ["one", "two"]


async def test_a_send_that_fails_on_the_way_is_tried_again(chat: Chat) -> None:
    chat.client.faults.extend([WhatsAppUnavailable(), WhatsAppUncertain()])
    await chat.say("one")
    await chat.say("two")
    assert bodies(chat) == []
    for _ in range(2):
        chat.world.bridge._departures.call()
        await chat.world.settled()
    assert bodies(chat) == ["one", "two"]


async def test_what_waits_holds_up_nothing_from_whatsapp(chat: Chat) -> None:
    chat.go_offline()
    await chat.say("out")
    await chat.hear("in")
    assert chat.texts == ["hello", "in"]


async def test_redacting_what_waits_cancels_it(chat: Chat) -> None:
    chat.go_offline()
    await chat.say("one")
    event_id = await chat.say("two")
    await chat.say("three")
    await chat.redact(event_id)
    await chat.go_online()
    assert bodies(chat) == ["one", "three"]
    assert not any(isinstance(sent.content, WaRevoke) for sent in chat.client.messages)
    assert not await chat.world.pending()


async def test_a_redaction_that_came_before_whatsapp_did_still_cancels(chat: Chat) -> None:
    chat.go_offline()
    waiting = [await chat.say(body) for body in ("one", "two", "three")]
    for event_id in waiting[:2]:
        content = MxRedactionContent(top_level=event_id, in_content=event_id)
        await chat.world.deliver(MxRedaction(origin=chat.world.origin(chat.room_id, ALICE), content=content))
    # The redactions are in the room's queue, and not looked at yet.
    await chat.go_online()
    await chat.say("four")
    assert bodies(chat) == ["three", "four"]
    assert not any(isinstance(sent.content, WaRevoke) for sent in chat.client.messages)
    assert not await chat.world.pending()


async def test_what_waits_too_long_fails(chat: Chat) -> None:
    chat.go_offline()
    await chat.say("old")
    chat.world.clock.advance(timedelta(hours=25).total_seconds())
    await chat.say("new")
    chat.world.bridge._departures.call()
    await chat.world.settled()
    assert chat.texts[1:] == [notices.tell_failed("message", notices.EXPIRED)]
    await chat.go_online()
    assert bodies(chat) == ["new"]


async def test_nobody_knows_and_nothing_is_sent_again(chat: Chat) -> None:
    chat.client.is_uncertain = True
    await chat.say("hm")
    await chat.restart()
    assert chat.texts[1:] == [notices.tell_uncertain("message")]
    assert len(chat.client.messages) == 1
    assert outcomes(chat) == [MxSendOutcome.FAILED_MAYBE]
    receipt = chat.receipt(chat.client.messages[0].message_id, kind=WaReceiptKind.DELIVERED)
    await chat.receive(receipt, receipt)
    assert outcomes(chat) == [MxSendOutcome.FAILED_MAYBE, MxSendOutcome.SUCCESS]


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_crash_while_sending_neither_loses_nor_doubles(chat: Chat, is_late: bool) -> None:
    (chat.client.late_faults if is_late else chat.client.faults).append(KilledError())
    await chat.say("one")
    await chat.say("two")
    await chat.restart()
    assert sorted(bodies(chat)) == ["one", "two"]
    assert not await chat.world.pending()


async def test_an_echo_that_comes_before_the_outcome_is_recorded_is_known(chat: Chat) -> None:
    chat.client.late_faults.append(WhatsAppUnavailable())
    await chat.say("one")
    (sent,) = chat.client.messages
    await chat.receive(
        chat.message(WaText(body="one"), sender=OWN, chat=BEN, is_from_me=True, message_id=sent.message_id)
    )
    assert chat.texts == ["hello"]


async def test_who_has_no_login_is_told_once(chat: Chat) -> None:
    await chat.say("hi", sender=BOB)
    await chat.say("hi?", sender=BOB)
    assert chat.texts[1:] == [notices.NO_LOGIN]
    assert not chat.client.messages


async def test_commands_are_not_bridged(chat: Chat) -> None:
    await chat.say("!wa version")
    assert not chat.client.messages
    assert len(chat.world.matrix.bodies(chat.room_id)) == 1


async def test_reading_marks_all_since_the_last_time_by_sender(chat: Chat) -> None:
    world = chat.world
    club = [
        chat.message(WaText(body=str(n)), sender=sender, chat=CLUB) for n, sender in enumerate((BEN, CARLA, BEN))
    ]
    await chat.receive(*club)
    room_id = world.chats.said[-1].room_id
    events = [said.event_id for said in world.chats.said if said.room_id == room_id]
    for event_id in (events[0], events[2], events[1]):
        receipt = MxReceipt(
            room_id=room_id, user=ALICE, event_id=event_id, is_private=False, read_at=world.clock.now()
        )
        world.bridge.on_mx_ephemeral(receipt)
        await world.settled()
    ids = [message.message_id for message in club]
    assert [(mark.sender, mark.message_ids) for mark in chat.client.marked] == [
        (BEN, (ids[0],)),
        (CARLA, (ids[1],)),
        (BEN, (ids[2],)),
    ]


async def test_typing_is_said_again_until_it_ends(chat: Chat) -> None:
    world = chat.world
    world.bridge.on_mx_ephemeral(MxTyping(room_id=chat.room_id, users=frozenset({ALICE})))
    await world.until(lambda: chat.client.typing == [(BEN, True)] and world.clock.sleeping > 0)
    world.clock.advance(8)
    await world.until(lambda: len(chat.client.typing) == 2)
    world.bridge.on_mx_ephemeral(MxTyping(room_id=chat.room_id, users=frozenset()))
    await world.until(lambda: chat.client.typing[-1] == (BEN, False))


async def test_the_addressing_of_the_chat_is_followed(chat: Chat) -> None:
    await chat.receive(
        chat.message(WaText(body="by lid"), sender=type(BEN)(user="1000002", server="lid"), alternate=BEN)
    )
    await chat.say("hi")
    assert chat.client.messages[0].chat == type(BEN)(user="1000002", server="lid")


async def test_links_forget_what_is_recorded(chat: Chat) -> None:
    await chat.say("hi")
    assert len(chat.client.sent) == 1
    chat.go_offline()
    await chat.say("later")
    await chat.world.bridge._departures.forget_sends()
    assert not chat.client.sent
