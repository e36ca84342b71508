"""Receipts, typing, presence, addressing and calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from neonize.aioze.events import (
    CallAcceptEv,
    CallOfferEv,
    CallOfferNoticeEv,
    CallPreAcceptEv,
    CallTerminateEv,
    CallTransportEv,
    ChatPresenceEv,
    IdentityChangeEv,
    MessageEv,
    PresenceEv,
    ReceiptEv,
)
from neonize.proto import Neonize_pb2 as protocol
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
from neonize.utils.enum import ChatPresence, ChatPresenceMedia, Presence, ReceiptType
from neonize.utils.jid import Jid2String, build_jid

from tests.simulator import groups
from tests.simulator.api import STATUS, Addressing, Direction, Jid, Outgoing, kinds
from tests.simulator.tests.clients import alice_and_bob, eventually

pytestmark = pytest.mark.neonize


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (None, protocol.Receipt.DELIVERED),
        ("read", protocol.Receipt.READ),
        ("played", protocol.Receipt.PLAYED),
        ("inactive", protocol.Receipt.INACTIVE),
    ],
)
async def test_receipts_reach_the_client(tmp_path: Path, kind: str | None, number: int) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.bob.phone.is_sending_receipts = False
        response = await x.client.api.send_message(build_jid(x.bob.pn.user), "hello")
        await x.bob.phone.receive_next()
        await x.bob.phone.mark(x.alice.lid, [response.ID, "OTHER"], kind)
        receipt = await x.client.wait(ReceiptEv, lambda e: e.Type == number)
        assert list(receipt.MessageIDs) == [response.ID, "OTHER"]


@pytest.mark.parametrize("kind", ["server-error", "enc_rekey_retry", "something-new"])
async def test_receipts_the_binding_cannot_marshal_end_its_pump(tmp_path: Path, kind: str) -> None:
    async with alice_and_bob(tmp_path) as x:
        task = x.client.task
        assert task is not None
        await x.bob.phone.mark(x.alice.lid, ["M1"], kind)
        with pytest.raises(Exception, match="Type not set"):
            await task
        assert x.device.connection is not None


async def test_reading_on_the_own_phone_reaches_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        message_id = await x.bob.phone.text(x.alice.pn, "read me")
        await x.client.message()
        await x.alice.phone.mark(x.bob.lid, [message_id], "read")
        receipt = await x.client.wait(ReceiptEv)
        assert (receipt.Type, list(receipt.MessageIDs)) == (protocol.Receipt.READ_SELF, [message_id])


async def test_client_marks_as_read(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        message_id = await x.bob.phone.text(x.alice.pn, "read me")
        event = await x.client.message()
        source = event.Info.MessageSource
        await x.client.api.mark_read(message_id, chat=source.Chat, sender=source.Sender, receipt=ReceiptType.READ)
        assert (await x.bob.phone.receipt_next("read")).get("id") == message_id


async def test_group_receipts_name_the_member(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        x.bob.phone.is_sending_receipts = False
        response = await x.client.api.send_message(build_jid(group.jid.user, "g.us"), "hello")
        await x.bob.phone.receive_next()
        await x.bob.phone.mark(group.jid, [response.ID], "read", participant=x.alice.lid.with_device(1))
        receipt = await x.client.wait(ReceiptEv, lambda e: e.Type == protocol.Receipt.READ)
        assert receipt.MessageSource.Sender.User == x.bob.lid.user


@pytest.mark.parametrize(("state", "media"), [("composing", None), ("composing", "audio"), ("paused", None)])
async def test_typing_both_ways(tmp_path: Path, state: str, media: str | None) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.bob.phone.typing(x.alice.pn, state, media=media)
        seen = await x.client.wait(ChatPresenceEv)
        assert (seen.State == protocol.ChatPresence.PAUSED) == (state == "paused")
        assert (seen.Media == protocol.ChatPresence.AUDIO) == (media == "audio")
        shown = ChatPresence.CHAT_PRESENCE_COMPOSING if state == "composing" else ChatPresence.CHAT_PRESENCE_PAUSED
        medium = (
            ChatPresenceMedia.CHAT_PRESENCE_MEDIA_AUDIO if media else ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT
        )
        await x.client.api.send_chat_presence(build_jid(x.bob.pn.user), shown, medium)
        await x.wa.trace.wait_for(lambda: bool(x.bob.phone.chat_states))
        assert (x.bob.phone.chat_states[0].state, x.bob.phone.chat_states[0].media) == (state, media)


async def test_typing_in_a_group(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        await x.bob.phone.typing(group.jid)
        assert (await x.client.wait(ChatPresenceEv)).MessageSource.Chat.User == group.jid.user


async def test_presence_needs_a_push_name_and_is_seen(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.alice.phone.welcome(x.device)
        await eventually(lambda: push_name(x.client.api))
        await x.client.api.send_presence(Presence.AVAILABLE)
        await x.wa.trace.wait_for(lambda: x.alice.is_online)
        await x.client.api.subscribe_presence(build_jid(x.bob.pn.user))
        assert (await x.client.wait(PresenceEv)).Unavailable
        await x.bob.phone.set_online(is_online=True)
        assert not (await x.client.wait(PresenceEv)).Unavailable
        await x.bob.phone.set_online(is_online=False)
        assert (await x.client.wait(PresenceEv)).LastSeen == x.bob.last_seen
        x.bob.privacy["last"] = "none"
        await x.bob.phone.set_online(is_online=False)
        assert (await x.client.wait(PresenceEv)).LastSeen <= 0
        await x.client.stop()
        await x.wa.trace.wait_for(lambda: not x.alice.is_online)


@pytest.mark.parametrize(
    ("addressing", "sender", "alternative"),
    [
        (Addressing.LID_AND_PN, "lid", "pn"),
        (Addressing.LID_ONLY, "lid", ""),
        (Addressing.PN_ONLY, "pn", ""),
        (Addressing.PN_AND_LID, "pn", "lid"),
    ],
)
async def test_addressing_of_a_new_contact(
    tmp_path: Path, addressing: Addressing, sender: str, alternative: str
) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.bob.addressing = addressing
        await x.bob.phone.text(x.alice.pn, "who am I")
        source = (await x.client.message()).Info.MessageSource
        users = {"pn": x.bob.pn.user, "lid": x.bob.lid.user, "": ""}
        assert source.Sender.User == users[sender]
        assert source.SenderAlt.User == users[alternative]


async def test_contact_moves_from_number_to_lid_within_a_chat(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.bob.addressing = Addressing.PN_ONLY
        await x.bob.phone.text(x.alice.pn, "by number")
        first = await x.client.message()
        x.bob.addressing = Addressing.LID_AND_PN
        await x.bob.phone.text(x.alice.pn, "by LID")
        second = await x.client.message()
        assert Jid2String(first.Info.MessageSource.Chat) == str(x.bob.pn)
        assert Jid2String(second.Info.MessageSource.Chat) == str(x.bob.lid)
        await x.client.api.send_message(build_jid(x.bob.lid.user, "lid"), "answer")
        assert (await x.bob.phone.receive_next()).text == "answer"


async def test_group_that_uses_numbers(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        group.addressing = "pn"
        await x.bob.phone.text(group.jid, "by number")
        assert (await x.client.message()).Info.MessageSource.Sender.User == x.bob.pn.user
        await x.client.api.send_message(build_jid(group.jid.user, "g.us"), "answer")
        assert (await x.bob.phone.receive_next()).sender.server == "s.whatsapp.net"


async def test_own_messages_from_the_phone_reach_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.alice.phone.text(x.bob.pn, "from my phone")
        source = (await x.client.message()).Info.MessageSource
        assert (source.IsFromMe, source.Chat.User) == (True, x.bob.lid.user)


async def test_note_to_self_both_ways(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.send_message(build_jid(x.alice.pn.user), "remember")
        received = await x.alice.phone.receive_next()
        inner = (
            received.message.deviceSentMessage.message
            if received.message.HasField("deviceSentMessage")
            else received.message
        )
        assert inner.extendedTextMessage.text == "remember"
        await x.alice.phone.text(x.alice.pn, "noted")
        assert (await x.client.message()).Message.conversation == "noted"


async def test_status_post_reaches_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        post = e2e.Message(extendedTextMessage=e2e.ExtendedTextMessage(text="my day"))
        await x.bob.phone.send(STATUS, Outgoing(message=post))
        event = await x.client.message()
        assert Jid2String(event.Info.MessageSource.Chat) == "status@broadcast"
        assert event.Info.MessageSource.Sender.User == x.bob.lid.user


async def test_client_posts_a_status(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.alice.phone.set_contact(x.bob.pn, "Bob")
        await x.alice.phone.welcome(x.device)
        await eventually(lambda: contact_name(x.client.api, x.bob.pn.user))
        await x.client.api.send_message(build_jid("status", "broadcast"), "my day")
        received = await x.bob.phone.receive_next()
        assert (received.chat, received.text) == (STATUS, "my day")


async def test_two_linked_clients_write_to_each_other(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        other = x.wa.client("bob")
        await other.pair(x.bob)
        for number in range(3):
            await x.client.api.send_message(build_jid(x.bob.pn.user), f"to Bob {number}")
            assert (await other.message()).Message.extendedTextMessage.text == f"to Bob {number}"
            await other.api.send_message(build_jid(x.alice.pn.user), f"to Alice {number}")
            assert (await x.client.message()).Message.extendedTextMessage.text == f"to Alice {number}"
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        await other.api.send_message(build_jid(group.jid.user, "g.us"), "to all")
        assert (await x.client.message()).Message.extendedTextMessage.text == "to all"
        await x.client.api.send_message(build_jid(group.jid.user, "g.us"), "back to all")
        assert (await other.message()).Message.extendedTextMessage.text == "back to all"


async def test_companion_linked_later_gets_messages_too(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.send_message(build_jid(x.bob.pn.user), "phone only")
        await x.bob.phone.receive_next()
        other = x.wa.client("bob")
        await other.pair(x.bob)
        await x.wa.trace.wait_for(lambda: not x.wa.unacknowledged(x.device))
        await x.client.api.send_message(build_jid(x.bob.pn.user), "both")
        assert (await other.message()).Message.extendedTextMessage.text == "both"


async def test_new_phone_changes_the_identity(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.bob.phone.text(x.alice.pn, "old phone")
        await x.client.message()
        x.bob.phone.reinstall()
        assert (await x.client.wait(IdentityChangeEv)).JID.User == x.bob.lid.user
        await x.client.api.send_message(build_jid(x.bob.pn.user), "to the new phone")
        assert (await x.bob.phone.receive_next()).text == "to the new phone"
        await x.bob.phone.text(x.alice.pn, "new phone")
        assert (await x.client.message()).Message.conversation == "new phone"


async def test_broadcast_list_reaches_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.wa.world.broadcast_lists["1700000000"] = [x.alice]
        await x.bob.phone.send(Jid("1700000000", "broadcast"), kinds.text("to many"))
        event = await x.client.message()
        assert event.Message.conversation == "to many"
        assert event.Info.MessageSource.Sender.User == x.bob.lid.user


async def test_unknown_number_is_not_on_whatsapp(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        answers = await x.client.api.is_on_whatsapp("+19990001111", f"+{x.bob.pn.user}")
        assert [answer.IsIn for answer in answers] == [False, True]
        with pytest.raises(Exception, match="LID"):
            await x.client.api.send_message(build_jid("19990001111"), "anybody?")


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("offer", CallOfferEv),
        ("preaccept", CallPreAcceptEv),
        ("transport", CallTransportEv),
        ("accept", CallAcceptEv),
        ("terminate", CallTerminateEv),
        ("offer_notice", CallOfferNoticeEv),
    ],
)
async def test_call_signalling_reaches_the_client(tmp_path: Path, action: str, event: type) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.bob.phone.call(x.alice, action, "CALL1", media="audio", type="group", reason="timeout")
        assert (await x.client.wait(event)).basicCallMeta.callID == "CALL1"


async def test_client_rejects_a_call(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.bob.phone.call(x.alice, "offer", "CALL1", media="video")
        offer = await x.client.wait(CallOfferEv)
        await x.client.api.reject_call(offer.basicCallMeta.callCreator, "CALL1")
        rejected = await x.bob.phone.calls.get()
        assert rejected.require_child("reject").get("call-id") == "CALL1"


async def test_blocked_people_do_not_get_through(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        from neonize.utils.enum import BlocklistAction

        await x.client.api.update_blocklist(build_jid(x.bob.lid.user, "lid"), BlocklistAction.BLOCK)
        assert x.alice.blocked == {x.bob.lid}
        await x.client.api.update_blocklist(build_jid(x.bob.lid.user, "lid"), BlocklistAction.UNBLOCK)
        await x.bob.phone.text(x.alice.pn, "again friends")
        assert (await x.client.message()).Message.conversation == "again friends"


async def test_order_of_a_burst_is_kept(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        for number in range(200):
            await x.bob.phone.text(x.alice.pn, str(number))
        texts = [(await x.client.wait(MessageEv)).Message.conversation for _ in range(200)]
        assert texts == [str(number) for number in range(200)]
        await x.wa.trace.wait_for(lambda: not x.wa.unacknowledged(x.device))
        assert len(x.wa.trace.acknowledged) >= 200


async def test_every_stanza_is_in_the_log(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.send_message(build_jid(x.bob.pn.user), "logged")
        assert x.wa.trace.stanzas(Direction.IN, "message")[0].child("participants") is not None
        assert x.wa.trace.stanzas(Direction.OUT, "success")


async def contact_name(api: Any, number: str) -> str:
    """A name in the contact book of the library."""
    return str((await api.contact.get_contact(build_jid(number))).FullName)


async def push_name(api: Any) -> str:
    """The push name the library has stored."""
    return str((await api.get_me()).PushName)
