"""What users want of their chats: filters, privacy, timers, muting; kept, and obeyed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mautrix_whatsapp_py.errors import WhatsAppUnavailable
from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.content import WaText
from mautrix_whatsapp_py.model.filtering import FilterRule
from mautrix_whatsapp_py.model.mx import MxReceipt, MxTyping
from mautrix_whatsapp_py.model.wa_directory import WaChatSetting
from tests.flow.chat import BEN, CARLA, CLUB
from tests.flow.desk import Desk
from tests.flow.world import ALICE, BOB, World


@pytest.fixture
async def desk(world: World) -> Desk:
    return await Desk.open(world)


async def test_a_denied_kind_gets_no_room_and_its_events_are_done_with(desk: Desk) -> None:
    assert "Chats that no rule speaks of are bridged." in await desk.ask("filter")
    answer = await desk.ask("filter deny groups")
    assert answer.startswith("From now on chats of the kind `group` are not bridged: they get no room.")
    await desk.chat.receive(desk.chat.message(WaText(body="in the club"), chat=CLUB))
    assert not desk.world.chats.rooms
    assert not desk.chat.unacknowledged()
    await desk.chat.restart()
    assert "• `deny group`: chats of the kind `group`" in await desk.ask("filter list")
    await desk.chat.receive(desk.chat.message(WaText(body="still in the club"), chat=CLUB))
    assert not desk.world.chats.rooms
    assert (await desk.ask(f"filter allow {CLUB}")).endswith("A room comes with the next message.")
    await desk.chat.receive(desk.chat.message(WaText(body="hello club"), chat=CLUB))
    assert desk.chat.texts == ["hello club"]


async def test_a_room_that_is_there_goes_on(desk: Desk) -> None:
    room_id = await desk.direct_room()
    answer = await desk.ask("!wa filter deny this", room_id=room_id)
    assert "messages of `+15550002222` are not bridged" in answer
    await desk.chat.hear("still me")
    assert desk.chat.texts == ["hello", "still me"]
    assert (await desk.ask("filter clear +15550002222")).startswith("There is no rule about messages of")
    assert (await desk.ask("filter clear +15550002222")).startswith("There was no rule about messages of")


async def test_archived_muted_and_unknown_chats_can_be_kept_out(desk: Desk) -> None:
    desk.directory.add_contact(BEN.user, "Ben")
    for trait in ("archived", "muted", "unknown"):
        await desk.ask(f"filter deny {trait}")
    await desk.chat.receive(desk.chat.message(WaText(body="from nobody"), sender=CARLA))
    assert not desk.world.chats.rooms
    await desk.chat.hear("from a friend")
    assert desk.chat.texts == ["from a friend"]
    until = desk.world.clock.now() + timedelta(days=1)
    desk.directory.settings = [
        WaChatSetting(chat=CLUB, is_archived=True),
        WaChatSetting(chat=WaJid(user="77", server="g.us"), muted_until=until),
    ]
    desk.world.clock.advance(600)
    for chat in (CLUB, WaJid(user="77", server="g.us")):
        await desk.chat.receive(desk.chat.message(WaText(body="x"), chat=chat))
    assert len(desk.world.chats.rooms) == 1
    desk.world.clock.advance(600)
    desk.directory.fail(WhatsAppUnavailable(code="host-lost"))
    await desk.chat.receive(desk.chat.message(WaText(body="x"), chat=CLUB))
    assert not desk.chat.unacknowledged()


async def test_what_the_configuration_denies_a_user_may_allow(desk: Desk) -> None:
    desk.world.configured = (
        FilterRule(subject="direct", is_allowed=True),
        FilterRule(subject="all", is_allowed=False),
    )
    await desk.chat.restart()
    await desk.chat.receive(desk.chat.message(WaText(body="x"), chat=CLUB))
    assert not desk.world.chats.rooms
    assert "• `deny all`: all chats that no other rule speaks of" in await desk.ask("filter")
    await desk.ask("filter allow group")
    await desk.chat.receive(desk.chat.message(WaText(body="x"), chat=CLUB))
    assert len(desk.world.chats.rooms) == 1


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("filter deny", "Which chats?\nUsage: `filter [list | allow <which>"),
        ("filter forbid group", "I can allow, deny or clear."),
        ("filter deny apples", "I know all, archived, broadcast, community, direct, group, muted, newsletter"),
        ("filter deny this", "This room is not a WhatsApp chat. Name the chat by its id."),
        ("filter deny group --everyone", "Only admins of the bridge may change what holds for everyone."),
        ("disappearing-timer 2d", "This room is not a WhatsApp chat."),
        ("privacy", "This room is not a WhatsApp chat."),
        ("mute 5", "A duration looks like 8h, 7d or 2w."),
        ("mute", "This room is not a WhatsApp chat."),
    ],
)
async def test_wrong_wishes_are_explained(desk: Desk, command: str, answer: str) -> None:
    assert answer in await desk.ask(command)


async def test_privacy_keeps_receipts_and_typing_back(desk: Desk) -> None:
    room_id = await desk.direct_room()
    assert "• receipts: on\n• typing: on\n• presence: off" in await desk.ask("!wa privacy", room_id=room_id)
    answer = await desk.ask("!wa privacy receipts off", room_id=room_id)
    assert answer.startswith("In this chat, that you have read something is kept back from now on.")
    await desk.ask("!wa privacy typing off", room_id=room_id)
    await desk.chat.restart()
    event_id = desk.world.chats.said[-1].event_id
    receipt = MxReceipt(room_id=room_id, user=ALICE, event_id=event_id, is_private=False, read_at=None)
    typing = MxTyping(room_id=room_id, users=frozenset({ALICE}))
    for event in (receipt, typing):
        desk.world.bridge.on_mx_ephemeral(event)
    await desk.world.settled()
    assert not desk.chat.client.marked
    assert not desk.chat.client.typing
    await desk.ask("!wa privacy receipts on", room_id=room_id)
    desk.world.bridge.on_mx_ephemeral(receipt)
    await desk.world.settled()
    assert not desk.chat.client.marked
    read_openly = await desk.chat.hear("and now?")
    desk.world.bridge.on_mx_ephemeral(replace(receipt, event_id=desk.world.chats.said[-1].event_id))
    await desk.world.settled()
    assert [mark.message_ids for mark in desk.chat.client.marked] == [(read_openly,)]
    for wrong, why in (
        ("receipts", "then on or off"),
        ("receipts no", "Say on or off."),
        ("age on", "I know receipts, typing"),
    ):
        assert why in await desk.ask(f"!wa privacy {wrong}", room_id=room_id)


async def test_messages_can_be_made_to_disappear(desk: Desk) -> None:
    room_id = await desk.direct_room()
    answer = await desk.ask("!wa disappearing-timer 7d", room_id=room_id)
    assert answer == "New messages here disappear after 7 days, for everybody in this chat."
    assert (await desk.portal()).disappearing_seconds == 604800
    assert "New messages stay." in await desk.ask("!wa disappear-timer off", room_id=room_id)
    assert desk.directory.timers == [(BEN, 604800), (BEN, 0)]
    assert "WhatsApp knows off, 1d, 7d and 90d." in await desk.ask("!wa disappearing-timer 2d", room_id=room_id)
    desk.join(room_id, BOB)
    assert "another WhatsApp account" in await desk.ask("!wa disappearing-timer 1d", room_id=room_id, sender=BOB)


async def test_only_channels_can_be_muted(desk: Desk) -> None:
    room_id = await desk.direct_room()
    assert "linked devices of this kind may only mute channels" in await desk.ask("!wa mute", room_id=room_id)
    news = desk.directory.add_newsletter("55", "News")
    await desk.ask(f"open {news}")
    (channel,) = set(desk.world.chats.rooms) - {room_id}
    desk.join(channel)
    assert "now muted on WhatsApp. Send `!wa unmute`" in await desk.ask("!wa mute", room_id=channel)
    assert "muted for good" in await desk.ask("!wa mute 8h", room_id=channel)
    assert "not muted any more" in await desk.ask("!wa unmute", room_id=channel)
    assert "cannot be made to disappear" in await desk.ask("!wa disappearing-timer 1d", room_id=channel)
    assert desk.directory.muted == [(news, True), (news, False)]
