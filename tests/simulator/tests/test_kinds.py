"""Every kind of message, both ways, end to end encrypted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from neonize.aioze.events import MessageEv
from neonize.events import UndecryptableMessageEv
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e
from neonize.utils.enum import MediaType, MediaTypeToMMS
from neonize.utils.jid import build_jid

from tests.simulator import groups, message_secrets
from tests.simulator.api import Jid, Outgoing, kinds
from tests.simulator.crypto import sha256
from tests.simulator.kinds import MessageRef
from tests.simulator.tests.clients import Pair, alice_and_bob, read_database

pytestmark = pytest.mark.neonize

SECRET = bytes(range(32))
Builder = Callable[[Pair, MessageRef], Outgoing]


def media(kind: str, build: Callable[[kinds.Uploaded], Outgoing]) -> Builder:
    """A builder that uploads a file first."""
    return lambda x, _target: build(kinds.upload(x.wa.media, b"file " * 200, kind))


KINDS: dict[str, Builder] = {
    "text": lambda _x, _t: kinds.text("plain"),
    "reply": lambda _x, t: kinds.reply("answer", t, e2e.Message(conversation="original")),
    "mention": lambda x, _t: kinds.mention(f"@{x.alice.lid.user} hi", [x.alice.lid]),
    "mention everyone": lambda _x, _t: kinds.mention("hi all", [], is_everyone=True),
    "forwarded": lambda _x, _t: kinds.forwarded("old news"),
    "link preview": lambda _x, _t: kinds.link_preview("see http://e.x", "http://e.x", "T", "D", b"jpg"),
    "contact": lambda _x, _t: kinds.contact("Eve", "BEGIN:VCARD\nEND:VCARD"),
    "contacts": lambda _x, _t: kinds.contacts("2 contacts", {"Eve": "BEGIN:VCARD", "Al": "BEGIN:VCARD"}),
    "location": lambda _x, _t: kinds.location(1.5, 2.5, name="Here"),
    "live location": lambda _x, _t: kinds.live_location(1.5, 2.5, caption="walking"),
    "poll": lambda _x, _t: kinds.poll("Lunch?", ["Yes", "No"]),
    "poll of the first version": lambda _x, _t: kinds.poll("Lunch?", ["Yes", "No"], version=""),
    "poll vote": lambda x, t: kinds.poll_vote(t, x.bob.lid, ["Yes"]),
    "event": lambda _x, _t: kinds.event("Party", start_seconds=1_800_000_000, place="Home"),
    "event response": lambda x, t: kinds.event_response(t, x.bob.lid, is_going=True),
    "group invite": lambda _x, _t: kinds.group_invite(
        Jid("1203630", "g.us"), "CODE", "Group", expires_seconds=1_800_000_000
    ),
    "album": lambda _x, _t: kinds.album(images=2),
    "buttons": lambda _x, _t: kinds.buttons("Choose", ["A", "B"]),
    "list": lambda _x, _t: kinds.list_message("Title", "Choose", ["A", "B"]),
    "template": lambda _x, _t: kinds.template("Dear customer"),
    "disappearing": lambda _x, _t: kinds.with_timer("soon gone", 86400),
    "timer": lambda _x, _t: kinds.ephemeral_setting(86400),
    "placeholder": lambda _x, _t: kinds.view_once_placeholder(),
    "reaction": lambda _x, t: kinds.reaction(t, "❤"),
    "reaction removed": lambda _x, t: kinds.reaction(t, ""),
    "edit": lambda _x, t: kinds.edit(t, e2e.Message(conversation="better")),
    "revoke": lambda _x, t: kinds.revoke(t),
    "admin revoke": lambda _x, t: kinds.admin_revoke(t),
    "pin": lambda _x, t: kinds.pin(t),
    "unpin": lambda _x, t: kinds.pin(t, is_pinned=False),
    "keep": lambda _x, t: kinds.keep(t),
    "secret reaction": lambda x, t: kinds.secret_reaction(t, x.bob.lid, "👍"),
    "secret comment": lambda x, t: kinds.secret_comment(t, x.bob.lid, "nice"),
    "secret edit": lambda x, t: kinds.secret_edit(t, x.bob.lid, e2e.Message(conversation="x")),
    "image": media("image", lambda f: kinds.image(f, caption="look")),
    "video": media("video", lambda f: kinds.video(f, caption="look")),
    "gif": media("video", kinds.gif),
    "round video": media("ptv", kinds.ptv),
    "voice": media("audio", kinds.voice),
    "audio": media("audio", kinds.audio),
    "document": media("document", lambda f: kinds.document(f, "a.pdf")),
    "document with caption": media("document", lambda f: kinds.document(f, "a.pdf", caption="read")),
    "sticker": media("sticker", kinds.sticker),
    "animated sticker": media("sticker", lambda f: kinds.sticker(f, is_animated=True)),
    "lottie sticker": media("sticker", lambda f: kinds.sticker(f, is_lottie=True)),
    "view once": media("image", lambda f: kinds.view_once(kinds.image(f))),
    "album part": lambda x, t: kinds.in_album(kinds.image(kinds.upload(x.wa.media, b"file", "image")), t, 0),
}


async def test_every_kind_in_a_direct_chat(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        for name, build in KINDS.items():
            outgoing = build(x, await bobs_message(x, x.alice.pn))
            sent_id = await x.bob.phone.send(x.alice.pn, outgoing)
            event = await x.client.wait(MessageEv, has_id(sent_id))
            assert content(event.Message) == content(unwrapped(outgoing.message)), name


async def test_every_kind_in_a_group(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        for name, build in KINDS.items():
            outgoing = build(x, await bobs_message(x, group.jid))
            sent_id = await x.bob.phone.send(group.jid, outgoing)
            event = await x.client.wait(MessageEv, has_id_and_content(sent_id))
            assert content(event.Message) == content(unwrapped(outgoing.message)), name


async def test_every_kind_from_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        for chat in (x.bob.pn, group.jid):
            target = MessageRef(chat=chat, message_id="3EB0AA", sender=x.alice.lid, is_own=True, secret=SECRET)
            for name, build in KINDS.items():
                outgoing = build(x, target)
                response = await x.client.api.send_message(build_jid(chat.user, chat.server), outgoing.message)
                received = await x.bob.phone.receive_next()
                assert received.message_id == response.ID, name
                assert content(received.message) == content(outgoing.message), name


async def test_stanza_marks_edits_and_revokes_of_the_client(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        target = MessageRef(chat=x.bob.pn, message_id="3EB0AA", sender=x.alice.lid, is_own=True)
        made = {"1": kinds.edit(target, e2e.Message(conversation="x")), "7": kinds.revoke(target)}
        for mark, outgoing in made.items():
            await x.client.api.send_message(build_jid(x.bob.pn.user), outgoing.message)
            assert (await x.bob.phone.receive_next()).stanza.get("edit") == mark


async def test_vote_of_the_client_can_be_read(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        poll = kinds.with_secret(kinds.poll("Lunch?", ["Yes", "No"]), SECRET)
        poll_id = await x.bob.phone.send(x.alice.pn, poll)
        event = await x.client.message()
        vote = await x.client.api.build_poll_vote(event.Info, ["Yes"])
        await x.client.api.send_message(event.Info.MessageSource.Chat, vote)
        update = (await x.bob.phone.receive_next()).message.pollUpdateMessage
        context = message_secrets.Context(
            secret=SECRET, message_id=poll_id, sender=x.bob.lid, actor=x.alice.lid, use="Poll Vote"
        )
        sealed = message_secrets.Sealed(payload=update.vote.encPayload, iv=update.vote.encIV)
        plain = e2e.PollVoteMessage.FromString(message_secrets.unseal(context, sealed))
        assert list(plain.selectedOptions) == [sha256(b"Yes")]


async def test_secret_of_a_message_lands_in_the_clients_store(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        sent_id = await x.bob.phone.send(x.alice.pn, kinds.with_secret(kinds.text("hi"), SECRET))
        await x.client.message()
        query = f"SELECT hex(key) FROM whatsmeow_message_secrets WHERE message_id = '{sent_id}'"
        assert await read_database(x.client.database, query) == [[SECRET.hex().upper()]]


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_undecryptable_then_sent_again(tmp_path: Path, times: int) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.bob.phone.corrupt_next = times
        sent_id = await x.bob.phone.text(x.alice.pn, "finally")
        undecryptable = await x.client.wait(UndecryptableMessageEv)
        assert sent_id == undecryptable.Info.ID
        event = await x.client.message()
        assert (event.Info.ID, event.Message.conversation) == (sent_id, "finally")
        assert event.RetryCount == times


async def test_undecryptable_group_message_then_sent_again(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        group = groups.create_group(x.wa.world, x.bob, "Group", [x.alice])
        x.bob.phone.corrupt_next = 1
        sent_id = await x.bob.phone.text(group.jid, "finally")
        await x.client.wait(UndecryptableMessageEv)
        event = await x.client.message()
        assert (event.Info.ID, event.Message.conversation) == (sent_id, "finally")


async def test_client_sends_again_when_the_phone_asks(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.client.api.send_message(build_jid(x.bob.pn.user), "again please")
        first = await x.bob.phone.receive_next()
        await x.bob.phone.ask_retry(first)
        second = await x.bob.phone.receive_next()
        assert (second.message_id, second.text) == (first.message_id, "again please")


async def test_view_once_is_unavailable_to_companions(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.bob.phone.send_view_once_notice(x.alice.pn, "VO1")
        assert (await x.client.wait(UndecryptableMessageEv)).IsUnavailable


async def test_business_name_travels_with_messages(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        x.bob.business_name = "Bob's Bakery"
        await x.bob.phone.text(x.alice.pn, "fresh bread")
        event = await x.client.message()
        assert event.Info.VerifiedName.Details.verifiedName == "Bob's Bakery"


async def test_thumbnail_of_a_link_preview(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        file = kinds.upload(x.wa.media, b"thumbnail", "link")
        outgoing = kinds.link_preview("see http://e.x", "http://e.x", "T", "D", file=file)
        await x.bob.phone.send(x.alice.pn, outgoing)
        seen = (await x.client.message()).Message.extendedTextMessage
        data = await x.client.api.download_media_with_path(
            seen.thumbnailDirectPath,
            seen.thumbnailEncSHA256,
            seen.thumbnailSHA256,
            seen.mediaKey,
            len(b"thumbnail"),
            MediaType.MediaLinkThumbnail,
            MediaTypeToMMS.MediaLinkThumbnail,
        )
        assert data == b"thumbnail"


async def test_push_name_travels_with_messages(tmp_path: Path) -> None:
    async with alice_and_bob(tmp_path) as x:
        await x.bob.phone.text(x.alice.pn, "hello")
        event = await x.client.message()
        assert event.Info.Pushname == "Bob"


async def bobs_message(x: Pair, chat: Jid) -> MessageRef:
    """Something of Bob's that an action can refer to."""
    sent_id = await x.bob.phone.send(chat, kinds.with_secret(kinds.text("target"), SECRET))
    await x.client.wait(MessageEv, has_id_and_content(sent_id))
    return MessageRef(chat=chat, message_id=sent_id, sender=x.bob.lid, is_own=True, secret=SECRET)


def has_id(message_id: str) -> Callable[[Any], bool]:
    """Matches the event of one message."""
    return lambda event: bool(message_id == event.Info.ID)


def has_id_and_content(message_id: str) -> Callable[[Any], bool]:
    """Matches the event of one message that is more than a sender key."""
    return lambda event: message_id == event.Info.ID and bool(content(event.Message))


def unwrapped(message: Any) -> Any:
    """The client takes these wrappers off."""
    for name in (
        "ephemeralMessage",
        "viewOnceMessageV2",
        "documentWithCaptionMessage",
        "lottieStickerMessage",
    ):
        if message.HasField(name):
            return getattr(message, name).message
    return message


def content(message: Any) -> dict[str, Any]:
    """The fields of a message without what transport adds."""
    added = ("messageContextInfo", "senderKeyDistributionMessage")
    return {field.name: value for field, value in message.ListFields() if field.name not in added}
