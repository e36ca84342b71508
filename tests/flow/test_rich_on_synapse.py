"""Polls, places, contacts, events, invitations, pins and albums, as people have them: nothing of it is a fake."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.channel_beside import Reader, channel_section, check_channel_beside_matrix
from tests.flow.linking_stage import Seat, Stage
from tests.flow.test_talk_on_synapse import BEN_NUMBER, WAIT_SECONDS, Talk, first_room
from tests.homeserver import PortPool, Registration
from tests.homeserver.events import Event
from tests.simulator import groups, message_secrets
from tests.simulator.api import host_command, kinds, simulator
from tests.simulator.kinds.actions import MessageRef
from tests.simulator.outgoing import Outgoing, Received
from tests.simulator.protobufs import e2e

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

START, VOTE = "org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.response"
SECRET = bytes(range(32))
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Jane Doe\r\nTEL:+1 555\r\nEND:VCARD"
PHOTO = b"\xff\xd8\xff" + bytes(2_000)


@pytest.fixture
def channel_port(ports: PortPool) -> int:
    return ports.reserve()


@pytest.fixture
async def talk(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    channel_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Talk]:
    async with simulator(tmp_path / "wa") as wa:
        monkeypatch.setenv("SSL_CERT_FILE", str(wa.authority.ca_file))
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"proxy": wa.proxy_url},
            "channel": channel_section(channel_port, heard=BEN_NUMBER),
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account(BEN_NUMBER, "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        mark = alice.client.mark()
        first_id = await ben.phone.text(phone.pn, "hello")
        room = await first_room(alice.client, after=mark)
        first = await alice.client.wait_for_message(room, contains="hello", deadline_seconds=WAIT_SECONDS)
        yield Talk(stage=stage, ben=ben, room=room, ghost=first.sender, first=first, first_id=first_id)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert "Jane" not in bridge.output


async def send(talk: Talk, outgoing: Outgoing) -> str:
    """Ben's phone sends something to alice."""
    return await talk.ben.phone.send(talk.own.pn, outgoing)


async def received(talk: Talk, field: str) -> Received:
    """The next message of a kind on Ben's phone."""
    while True:
        message = await asyncio.wait_for(talk.ben.phone.receive_next(WAIT_SECONDS), WAIT_SECONDS)
        if message.message.HasField(field):
            return message


async def sees(talk: Talk, kind: str, **about: str) -> Event:
    """The first event of a kind; about another one where that is named."""

    def fits(event: Event) -> bool:
        relation = event.content.get("m.relates_to", {})
        return event.room_id == talk.room and event.type == kind and about.items() <= relation.items()

    return await talk.alice.wait_for(fits, deadline_seconds=WAIT_SECONDS)


async def sees_edit(talk: Talk, contains: str) -> Event:
    """An edit that says something."""

    def fits(event: Event) -> bool:
        return event.room_id == talk.room and contains in str(event.content.get("m.new_content", {}).get("body"))

    return await talk.alice.wait_for(fits, deadline_seconds=WAIT_SECONDS)


def digest(option: str) -> bytes:
    return hashlib.sha256(option.encode()).digest()


def chosen(talk: Talk, update: Any, poll_id: str, *, is_poll_own: bool) -> list[bytes]:
    """What a vote of alice's says to Ben's phone, which made the poll or got it from her."""
    sealed = message_secrets.Sealed(payload=update.vote.encPayload, iv=update.vote.encIV)
    author = talk.ben if is_poll_own else talk.own
    context = message_secrets.Context(
        secret=SECRET, message_id=poll_id, sender=author.lid, actor=talk.own.lid, use="Poll Vote"
    )
    vote = e2e.PollVoteMessage.FromString(message_secrets.unseal(context, sealed))
    return list(vote.selectedOptions)


async def test_everything_people_send(talk: Talk, channel_port: int) -> None:
    """One room in which all of it happens."""
    await check_polls_of_whatsapp(talk)
    await check_polls_of_matrix(talk)
    await check_places_and_contacts(talk)
    await check_pins(talk)
    await check_albums(talk)
    await check_events_and_invitations(talk)
    await check_answers_and_comments(talk)
    await check_what_is_told_in_words(talk)
    await check_channel_beside_matrix(talk, Reader(channel_port))


async def check_polls_of_whatsapp(talk: Talk) -> None:
    poll_id = await send(talk, kinds.with_secret(kinds.poll("Eat?", ["Lunch", "Dinner"]), SECRET))
    poll = await sees(talk, START)
    assert poll.sender == talk.ghost
    assert poll.content[START]["answers"][0]["id"] == digest("Lunch").hex()
    text = await talk.hears("📊 Eat?")
    assert text.content["msgtype"] == "m.notice"
    own_poll = MessageRef(chat=talk.own.lid, message_id=poll_id, sender=talk.ben.lid, is_own=True, secret=SECRET)
    await send(talk, kinds.poll_vote(own_poll, talk.ben.lid, ["Dinner"]))
    ballot = await sees(talk, VOTE, event_id=poll.event_id)
    assert (ballot.sender, ballot.content[VOTE]["answers"]) == (talk.ghost, [digest("Dinner").hex()])
    edit = await sees_edit(talk, "2. Dinner – 1 vote")
    assert edit.content["m.relates_to"]["event_id"] == text.event_id
    vote = {VOTE: {"answers": [digest("Lunch").hex()]}}
    relation = {"m.relates_to": {"rel_type": "m.reference", "event_id": poll.event_id}}
    await talk.alice.send(talk.room, VOTE, {**relation, **vote})
    update = (await received(talk, "pollUpdateMessage")).message.pollUpdateMessage
    assert poll_id == update.pollCreationMessageKey.ID
    assert chosen(talk, update, poll_id, is_poll_own=True) == [digest("Lunch")]
    await sees_edit(talk, "1. Lunch – 1 vote\n2. Dinner – 1 vote\n2 people voted.")
    await send(talk, kinds.poll_vote(own_poll, talk.ben.lid, ["Lunch"]))
    await sees_edit(talk, "1. Lunch – 2 votes\n2. Dinner – 0 votes")
    await talk.alice.send(talk.room, VOTE, {**relation, VOTE: {"answers": []}})
    update = (await received(talk, "pollUpdateMessage")).message.pollUpdateMessage
    assert chosen(talk, update, poll_id, is_poll_own=True) == []
    await sees_edit(talk, "1. Lunch – 1 vote\n2. Dinner – 0 votes")
    await send(talk, kinds.poll_vote(own_poll, talk.ben.lid, []))
    await sees_edit(talk, "1. Lunch – 0 votes")


async def check_polls_of_matrix(talk: Talk) -> None:
    poll = {
        "question": {"org.matrix.msc1767.text": "Walk?"},
        "max_selections": 1,
        "kind": "org.matrix.msc3381.poll.disclosed",
        "answers": [{"id": name, "org.matrix.msc1767.text": name} for name in ("Yes", "No")],
    }
    event_id = await talk.alice.send(talk.room, START, {START: poll, "org.matrix.msc1767.text": "Walk?"})
    made = await received(talk, "pollCreationMessageV3")
    creation, secret = made.message.pollCreationMessageV3, made.message.messageContextInfo.messageSecret
    assert (creation.name, [option.optionName for option in creation.options]) == ("Walk?", ["Yes", "No"])
    target = MessageRef(
        chat=talk.own.lid, message_id=made.message_id, sender=talk.own.lid, is_own=False, secret=secret
    )
    await send(talk, kinds.poll_vote(target, talk.ben.lid, ["No"]))
    ballot = await sees(talk, VOTE, event_id=event_id)
    assert (ballot.sender, ballot.content[VOTE]["answers"]) == (talk.ghost, ["No"])
    await talk.hears("2. No – 1 vote", sender="@whatsappbot:localhost")
    end = {"m.relates_to": {"rel_type": "m.reference", "event_id": event_id}}
    await talk.alice.send(talk.room, "org.matrix.msc3381.poll.end", end)
    over = await received(talk, "extendedTextMessage")
    assert over.text.startswith("The poll is over.")


async def check_places_and_contacts(talk: Talk) -> None:
    await send(talk, kinds.location(52.5, 13.4, name="Zoo", address="Street 1"))
    place = await talk.hears("Zoo")
    assert (place.content["msgtype"], place.content["geo_uri"]) == ("m.location", "geo:52.500000,13.400000")
    await send(talk, kinds.live_location(1.0, 2.0, caption="walking", sequence=1))
    start = await talk.hears("walking")
    await send(talk, kinds.live_location(3.0, 4.0, caption="walking", sequence=2))
    moved = await sees(talk, "m.room.message", rel_type="m.replace", event_id=start.event_id)
    assert moved.content["m.new_content"]["geo_uri"] == "geo:3.000000,4.000000"
    await send(talk, kinds.contact("Jane Doe", CARD))
    contact = await talk.hears("Jane Doe")
    assert (contact.content["msgtype"], contact.content["filename"]) == ("m.file", "Jane Doe.vcf")
    assert await talk.alice.download(contact.content["url"]) == CARD.encode()
    shared = {"msgtype": "m.location", "body": "Home", "geo_uri": "geo:5,6;u=10"}
    await talk.alice.send(talk.room, "m.room.message", shared)
    location = (await received(talk, "locationMessage")).message.locationMessage
    assert (location.degreesLatitude, location.degreesLongitude, location.name) == (5, 6, "Home")
    began = await talk.alice.set_state(
        talk.room,
        "org.matrix.msc3672.beacon_info",
        {"live": True, "timeout": 60_000},
        state_key=talk.alice.user_id,
    )
    for uri in ("geo:7,8", "geo:9,9"):
        relation = {"m.relates_to": {"rel_type": "m.reference", "event_id": began}}
        place = {"org.matrix.msc3488.location": {"uri": uri}}
        await talk.alice.send(talk.room, "org.matrix.msc3672.beacon", {**relation, **place})
    location = (await received(talk, "locationMessage")).message.locationMessage
    assert (location.degreesLatitude, location.name) == (7, "Live location: where it began")
    await talk.alice.send_text(talk.room, "nothing of it in between")
    assert (await talk.ben.phone.receive_next(WAIT_SECONDS)).text == "nothing of it in between"
    url = await talk.alice.upload(CARD.encode(), mimetype="text/vcard", filename="jane.vcf")
    file = {"msgtype": "m.file", "body": "jane.vcf", "url": url, "info": {"mimetype": "text/vcard"}}
    await talk.alice.send(talk.room, "m.room.message", file)
    card = (await received(talk, "contactMessage")).message.contactMessage
    assert (card.displayName, "TEL:+1 555" in card.vcard) == ("Jane Doe", True)


async def check_pins(talk: Talk) -> None:
    await talk.alice.set_state(talk.room, "m.room.pinned_events", {"pinned": [talk.first.event_id]})
    pin = (await received(talk, "pinInChatMessage")).message
    assert talk.first_id == pin.pinInChatMessage.key.ID
    assert pin.pinInChatMessage.key.fromMe is False
    assert pin.messageContextInfo.messageAddOnDurationInSecs == 2_592_000
    await send(talk, kinds.pin(talk.of_ben(talk.first_id), is_pinned=False))

    def is_unpinned(event: Event) -> bool:
        return event.type == "m.room.pinned_events" and event.content == {"pinned": []}

    unpinned = await talk.alice.wait_for(is_unpinned, deadline_seconds=WAIT_SECONDS)
    assert unpinned.sender == "@whatsappbot:localhost"


async def check_albums(talk: Talk) -> None:
    wa = talk.stage.wa
    head_id = await send(talk, kinds.album(images=2))
    head = MessageRef(chat=talk.own.lid, message_id=head_id, sender=talk.ben.lid, is_own=True)
    for index in range(2):
        file = kinds.upload(wa.media, PHOTO + bytes([index]), "image")
        await send(talk, kinds.in_album(kinds.image(file, caption="our trip"), head, index))
    shown = await talk.hears("Album with 2 photos")
    photos = await talk.alice.wait_for_all(
        lambda event: event.content.get("net.mautrix_whatsapp_py.album") == {"head": shown.event_id},
        2,
        deadline_seconds=WAIT_SECONDS,
    )
    assert [photo.body for photo in photos] == ["our trip", "image.jpg"]


async def check_events_and_invitations(talk: Talk) -> None:
    alice, wa = talk.alice, talk.stage.wa
    starts = int(time.time()) + 86_400
    party = kinds.with_secret(kinds.event("Party", start_seconds=starts, place="Here"), SECRET)
    event_id = await send(talk, party)
    shown = await talk.hears("📅 *Party*")
    command = {"msgtype": "m.text", "body": "!wa rsvp going"}
    await alice.send(talk.room, "m.room.message", {**command, **reply_to(shown)})
    answer = (await received(talk, "encEventResponseMessage")).message.encEventResponseMessage
    context = message_secrets.Context(
        secret=SECRET, message_id=event_id, sender=talk.ben.lid, actor=talk.own.lid, use="Event Response"
    )
    sealed = message_secrets.Sealed(payload=answer.encPayload, iv=answer.encIV)
    said = e2e.EventResponseMessage.FromString(message_secrets.unseal(context, sealed))
    assert said.response == e2e.EventResponseMessage.GOING
    group = groups.create_group(wa.world, talk.ben, "Band")
    invite = kinds.group_invite(group.jid, group.invite, "Band", expires_seconds=starts, caption="join us")
    await send(talk, invite)
    invitation = await talk.hears("Invitation to the group *Band*")
    await alice.send(
        talk.room, "m.room.message", {"msgtype": "m.text", "body": "!wa accept", **reply_to(invitation)}
    )
    await talk.hears("You are now in Band", sender="@whatsappbot:localhost")
    assert group.has(talk.own)


async def check_answers_and_comments(talk: Talk) -> None:
    await talk.alice.send_text(talk.room, "the announcement")
    sent = await received(talk, "extendedTextMessage")
    assert sent.text == "the announcement"
    secret = sent.message.messageContextInfo.messageSecret
    target = MessageRef(
        chat=talk.own.lid, message_id=sent.message_id, sender=talk.own.lid, is_own=False, secret=secret
    )
    await send(talk, kinds.secret_comment(target, talk.ben.lid, "a remark on it"))
    remark = await talk.hears("a remark on it")
    assert remark.content["m.relates_to"]["rel_type"] == "m.thread"
    event = kinds.with_secret(kinds.event("Picnic", start_seconds=int(time.time()) + 86_400), SECRET)
    event_id = await send(talk, event)
    shown = await talk.hears("📅 *Picnic*")
    mark = talk.alice.mark()
    own_event = MessageRef(chat=talk.own.lid, message_id=event_id, sender=talk.ben.lid, is_own=True, secret=SECRET)
    await send(talk, kinds.event_response(own_event, talk.ben.lid, is_going=True))
    answer = await talk.hears("Going", after=mark)
    assert answer.content["m.relates_to"] == {"m.in_reply_to": {"event_id": shown.event_id}}


async def check_what_is_told_in_words(talk: Talk) -> None:
    """What clients have nothing for says what it is, and no kind stops the chat."""
    for outgoing, words in (
        (kinds.buttons("Which size?", ["Small"]), "Small"),
        (kinds.list_message("Menu", "What to eat?", ["Soup"]), "Soup"),
        (kinds.template("Your parcel"), "Your parcel"),
        (told("orderMessage", orderTitle="Order 7", itemCount=2), "Order 7"),
        (told("productMessage", product={"title": "Lamp"}), "Lamp"),
        (told("invoiceMessage", note="Invoice 9"), "Invoice 9"),
        (told("requestPaymentMessage", currencyCodeIso4217="EUR", amount1000=5_000), "EUR"),
        (told("scheduledCallCreationMessage", title="Standup"), "Standup"),
        (told("newsletterAdminInviteMessage", newsletterName="Daily news"), "Daily news"),
        (told("stickerPackMessage", name="Cats"), "Cats"),
        (told("callLogMesssage", isVideo=True), "call"),
        (kinds.view_once_placeholder(), "on your phone only"),
    ):
        mark = talk.alice.mark()
        await send(talk, outgoing)
        await talk.hears(words, after=mark)


def told(field: str, **values: Any) -> Outgoing:
    """A message of a kind that phones of businesses send."""
    return Outgoing(message=e2e.Message(**{field: values}))


def reply_to(event: Event) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event.event_id}}}
