"""Conversation, as people have it: real homeserver, real bridge, real client library, simulated phones."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from tests.chaos.storm import all_databases
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import MatrixClient, PortPool, Registration
from tests.homeserver.events import Event, Kind, Mark
from tests.homeserver.watcher import Watcher
from tests.postgres import Postgres
from tests.simulator.api import Account, Addressing, Network, groups, host_command, kinds, simulator
from tests.simulator.kinds.actions import MessageRef

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

BEN_NUMBER = "15550002222"
WAIT_SECONDS = 30


@dataclass(slots=True, kw_only=True)
class Talk:
    """Alice, linked, in a room with Ben, who wrote first."""

    stage: Stage
    ben: Account
    room: str
    ghost: str
    first: Event
    first_id: str

    @property
    def alice(self) -> MatrixClient:
        return self.stage.alice.client

    @property
    def own(self) -> Account:
        return self.stage.phone

    async def hears(self, text: str, *, sender: str | None = None, after: Mark | None = None) -> Event:
        """What alice sees in the room."""
        return await self.alice.wait_for_message(
            self.room, sender=sender or self.ghost, contains=text, after=after, deadline_seconds=WAIT_SECONDS
        )

    async def tell_bot(self, command: str) -> None:
        """A command in the room; the bot has answered."""
        mark = self.alice.mark()
        await self.alice.send_text(self.room, f"!wa {command}")
        await self.alice.wait_for_message(self.room, sender="@whatsappbot:localhost", after=mark)

    async def relation(self, kind: str, event_id: str) -> Event:
        """An event about another one."""

        def fits(event: Event) -> bool:
            about = event.content.get("m.relates_to", {})
            return event.room_id == self.room and event.type == kind and about.get("event_id") == event_id

        return await self.alice.wait_for(fits)

    def of_ben(self, message_id: str, *, is_own: bool = True) -> MessageRef:
        """How Ben's phone names a message of his own, or one of alice's."""
        sender = self.ben.lid if is_own else self.own.lid
        return MessageRef(chat=self.own.lid, message_id=message_id, sender=sender, is_own=is_own)


async def first_room(client: MatrixClient, *, after: Mark) -> str:
    """Accept the invitation to a chat."""
    invite = await client.wait_for_invite(sender="@whatsappbot:localhost", after=after)
    await client.join(invite.room_id)
    return invite.room_id


@pytest.fixture(params=["sqlite", "postgres"])
def database_uri(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None is the SQLite file in the bridge's folder."""
    if request.param == "sqlite":
        yield None
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"bridge_{uuid4().hex}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    """Is told how far messages have come."""
    async with Watcher() as watching:
        yield watching


@pytest.fixture
async def talk(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    database_uri: str | None,
    watcher: Watcher,
) -> AsyncIterator[Talk]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration, overrides={"presence": {"enabled": True}})
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "matrix": {"delivery_receipts": True},
            "homeserver": {"message_send_checkpoint_endpoint": watcher.url},
        }
        bridge = make_bridge(synapse.url, registration, port=port, database_uri=database_uri, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account(BEN_NUMBER, "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        await alice.scan(phone)
        await alice.until_connected()
        mark = alice.client.mark()
        first_id = await ben.phone.text(phone.pn, "hello *Alice*")
        room = await first_room(alice.client, after=mark)
        first = await alice.client.wait_for_message(room, contains="hello", deadline_seconds=WAIT_SECONDS)
        yield Talk(stage=stage, ben=ben, room=room, ghost=first.sender, first=first, first_id=first_id)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert BEN_NUMBER not in bridge.output


async def test_a_conversation(talk: Talk) -> None:
    """Everything people do, both ways."""
    assert talk.first.content["formatted_body"] == "hello <strong>Alice</strong>"
    assert talk.first.content["m.mentions"] == {}
    assert talk.ghost == f"@whatsapp_{BEN_NUMBER}:localhost"
    assert (await talk.alice.request("GET", f"/profile/{talk.ghost}"))["displayname"] == "Ben (WA)"
    answer_id = await _talk_from_matrix(talk)
    await _talk_from_whatsapp(talk, answer_id)
    await _links_cross_with_their_cards(talk)
    await _what_is_written_while_whatsapp_is_away_goes_out_in_order(talk)
    await _ben_moves_from_number_to_lid(talk)
    await _two_users_in_one_group_see_each_message_once(talk)


async def _talk_from_matrix(talk: Talk) -> str:
    """Everything alice can do; the id of her reply."""
    alice, ben = talk.alice, talk.ben.phone
    sent_id = await alice.send_text(talk.room, "hi Ben")
    received = await ben.receive_next()
    assert received.text == "hi Ben"
    await alice.wait_for(lambda event: _is_receipt(event, talk.room, sent_id, "@whatsappbot:localhost"))
    reply = {
        "msgtype": "m.text",
        "body": "answer",
        "m.relates_to": {"m.in_reply_to": {"event_id": talk.first.event_id}},
    }
    await alice.send(talk.room, "m.room.message", reply)
    answer = await ben.receive_next()
    context = answer.message.extendedTextMessage.contextInfo
    assert context.stanzaID == talk.first_id
    assert "hello" in str(context.quotedMessage)
    edit = {
        "msgtype": "m.text",
        "body": "* hi Benjamin",
        "m.new_content": {"msgtype": "m.text", "body": "hi Benjamin"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": sent_id},
    }
    await alice.send(talk.room, "m.room.message", edit)
    edited = await ben.receive_next()
    assert "hi Benjamin" in str(edited.message)
    about = {"rel_type": "m.annotation", "event_id": talk.first.event_id, "key": "👍️"}
    reaction_id = await alice.send(talk.room, "m.reaction", {"m.relates_to": about})
    reaction = (await ben.receive_next()).message.reactionMessage
    assert (reaction.text, reaction.key.ID) == ("👍", talk.first_id)
    await alice.redact(talk.room, reaction_id)
    assert (await ben.receive_next()).message.reactionMessage.text == ""
    await alice.redact(talk.room, sent_id)
    revoked = (await ben.receive_next()).message.protocolMessage
    assert received.message_id == revoked.key.ID
    await alice.send_receipt(talk.room, talk.first.event_id)
    assert (await ben.receipt_next("read")).get("id") == talk.first_id
    return str(answer.message_id)


async def _talk_from_whatsapp(talk: Talk, answer_id: str) -> None:
    """Everything ben can do, and what alice does on her phone."""
    alice, ben = talk.alice, talk.ben.phone
    quoted = kinds.text("hi Ben").message
    target = talk.of_ben(answer_id, is_own=False)
    reply_id = await ben.send(talk.own.pn, kinds.reply("my reply", target, quoted))
    said = await talk.hears("my reply")
    assert "m.in_reply_to" in said.content["m.relates_to"]
    await ben.send(talk.own.pn, kinds.edit(talk.of_ben(reply_id), kinds.text("my edit").message))
    changed = await talk.relation("m.room.message", said.event_id)
    assert changed.content["m.new_content"]["body"] == "my edit"
    await ben.send(talk.own.pn, kinds.reaction(talk.of_ben(answer_id, is_own=False), "❤"))
    assert await alice.wait_for(lambda event: event.type == "m.reaction" and event.sender == talk.ghost)
    await ben.send(talk.own.pn, kinds.revoke(talk.of_ben(reply_id)))
    await alice.wait_for(lambda event: event.redacts == said.event_id)
    await ben.mark(talk.own.pn, [answer_id])
    await alice.wait_for(lambda event: _is_receipt(event, talk.room, None, talk.ghost))
    await ben.typing(talk.own.pn)
    await alice.wait_for(lambda event: event.type == "m.typing" and talk.ghost in event.content["user_ids"])

    await talk.own.phone.text(talk.ben.pn, "from my phone")
    await talk.hears("from my phone", sender="@whatsapp_15550001111:localhost")


def _is_receipt(event: Event, room: str, event_id: str | None, reader: str) -> bool:
    if event.type != "m.receipt" or event.room_id != room:
        return False
    read = {at: list(kinds_of.get("m.read", {})) for at, kinds_of in event.content.items()}
    return any(reader in readers for at, readers in read.items() if event_id in (None, at))


async def _what_is_written_while_whatsapp_is_away_goes_out_in_order(talk: Talk) -> None:
    talk.stage.wa.proxy.network = Network.AWAY
    await talk.stage.alice.ask("ping", answer="not connected")
    for number in range(10):
        await talk.alice.send_text(talk.room, f"away {number}")
    doomed = await talk.alice.send_text(talk.room, "never mind")
    await talk.alice.redact(talk.room, doomed)
    # The ten, and the question itself.
    while "Waiting events: 11" not in await talk.stage.alice.ask("status", answer="Waiting events"):
        await asyncio.sleep(0.1)
    talk.stage.wa.proxy.network = Network.UP
    seen = [(await talk.ben.phone.receive_next(timeout_seconds=60)).text for _ in range(10)]
    assert seen == [f"away {number}" for number in range(10)]
    await talk.alice.send_text(talk.room, "last")
    assert (await talk.ben.phone.receive_next(timeout_seconds=60)).text == "last"


async def test_a_killed_bridge_neither_loses_nor_doubles(talk: Talk) -> None:
    count, kills = 60, 3
    ben, bridge = talk.ben.phone, talk.stage.bridge

    async def write() -> None:
        for number in range(count):
            await talk.alice.send_text(talk.room, f"out {number}")
            await ben.text(talk.own.pn, f"in {number}")
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    for _ in range(kills):
        await asyncio.sleep(0.7)
        await bridge.kill()
        await bridge.start()
    await writing
    out = [(await ben.receive_next(timeout_seconds=90)).text for _ in range(count)]
    assert out == [f"out {number}" for number in range(count)]
    await talk.hears(f"in {count - 1}")
    events = await talk.alice.messages(talk.room)
    inbound = [event.body for event in events if event.is_message and event.sender == talk.ghost]
    assert inbound[1:] == [f"in {number}" for number in range(count)]
    outbound = [event for event in events if event.is_message and event.sender.startswith("@whatsapp_15550001111")]
    assert not outbound
    await talk.alice.send_text(talk.room, "end")
    assert (await ben.receive_next(timeout_seconds=60)).text == "end"


@pytest.mark.parametrize("database_uri", all_databases(), indirect=True)
async def test_timers_played_receipts_absences_and_moderation(talk: Talk, watcher: Watcher) -> None:
    alice, ben = talk.alice, talk.ben.phone
    # A receipt given while WhatsApp is away is told on return.
    talk.stage.wa.proxy.network = Network.AWAY
    await talk.stage.alice.ask("ping", answer="not connected")
    await alice.send_receipt(talk.room, talk.first.event_id)
    talk.stage.wa.proxy.network = Network.UP
    assert (await ben.receipt_next("read", timeout_seconds=60)).get("id") == talk.first_id
    # What was played was read.
    played = await alice.send_text(talk.room, "hear me")
    message_id = (await ben.receive_next()).message_id
    await ben.mark(talk.own.pn, [message_id], "played")
    await alice.wait_for(lambda event: _is_receipt(event, talk.room, played, talk.ghost))
    # A timer set on the phone is carried by what alice writes, which goes when its time has come.
    await ben.send(talk.own.pn, kinds.ephemeral_setting(1))
    await talk.hears("disappear")
    doomed = await alice.send_text(talk.room, "gone soon")
    sent = (await ben.receive_next()).message
    assert sent.extendedTextMessage.contextInfo.expiration == 1
    await talk.stage.bridge.kill()
    await talk.stage.bridge.start()
    await alice.wait_for(lambda event: event.redacts == doomed, deadline_seconds=60)
    # Where a message is on its way is told to whoever watches.
    await watcher.steps_of(played, [("BRIDGE", "SUCCESS"), ("REMOTE", "SUCCESS")])
    await _show_more_or_less(talk)
    # An admin deletes what another wrote.
    mark = alice.mark()
    club = groups.create_group(talk.stage.wa.world, talk.own, "Club", [talk.ben])
    said_id = await ben.text(club.jid, "off topic")
    room = await first_room(alice, after=mark)
    said = await alice.wait_for_message(room, contains="off topic", deadline_seconds=WAIT_SECONDS)
    await alice.redact(room, said.event_id)
    revoked = await ben.receive_next(timeout_seconds=WAIT_SECONDS)
    assert (revoked.message.protocolMessage.key.ID, revoked.stanza.get("edit")) == (said_id, "8")


async def _show_more_or_less(talk: Talk) -> None:
    """Reading and being online are shown to Ben, and his coming to alice, where she wants it."""
    alice, ben = talk.alice, talk.ben.phone
    for wish in ("receipts off", "receipts on"):
        await talk.tell_bot(f"privacy {wish}")
        ids = [await ben.text(talk.own.pn, f"{wish} {number}") for number in range(2)]
        await alice.send_receipt(talk.room, (await talk.hears(f"{wish} 1")).event_id)
    # What was read meanwhile is not told, not even later.
    read = await ben.receipt_next("read", timeout_seconds=WAIT_SECONDS)
    assert {read.get("id"), *(one.get("id") for part in read.children for one in part.children)} == set(ids)
    (device,) = talk.own.devices.values()
    await talk.own.phone.welcome(device)
    await talk.tell_bot("privacy presence on")
    assert not talk.own.is_online
    async with asyncio.timeout(WAIT_SECONDS):
        while not talk.own.is_online or talk.own not in talk.ben.watchers:
            for is_typing in (True, False):
                await alice.set_typing(talk.room, is_typing=is_typing)
            await asyncio.sleep(0.1)
        await ben.set_online(is_online=True)
        while (await alice.request("GET", f"/presence/{talk.ghost}/status"))["presence"] != "online":
            await asyncio.sleep(0.1)


async def _links_cross_with_their_cards(talk: Talk) -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(jpeg, "JPEG")
    link = "https://example.org/page"
    mark = talk.alice.mark()
    await talk.ben.phone.send(
        talk.own.pn, kinds.link_preview(f"see {link}", link, "A page", "About it", jpeg.getvalue())
    )
    seen = await talk.hears("see https", after=mark)
    (card,) = seen.content["com.beeper.linkpreviews"]
    assert (card["matched_url"], card["og:title"], card["og:description"]) == (link, "A page", "About it")
    content = {"msgtype": "m.text", "body": f"{link} again", "com.beeper.linkpreviews": [card]}
    await talk.alice.send(talk.room, "m.room.message", content)
    # Before it comes what alice did in the meantime.
    while not (sent := (await talk.ben.phone.receive_next()).message.extendedTextMessage).text:
        pass
    assert (sent.text, sent.matchedText, sent.title, sent.description) == (
        f"{link} again",
        link,
        "A page",
        "About it",
    )
    with Image.open(io.BytesIO(sent.JPEGThumbnail)) as picture:
        assert picture.size == (64, 48)


async def _ben_moves_from_number_to_lid(talk: Talk) -> None:
    mark = talk.alice.mark()
    for addressing in (Addressing.PN_ONLY, Addressing.PN_AND_LID, Addressing.LID_ONLY):
        talk.ben.addressing = addressing
        await talk.ben.phone.text(talk.own.pn, f"as {addressing.name}")
        await talk.hears(f"as {addressing.name}")
    since = talk.alice.events[mark.position :]
    assert not [one for one in since if one.type == "m.room.member" and one.kind is not Kind.ACCOUNT_DATA]
    await talk.alice.send_text(talk.room, "still there?")
    assert (await talk.ben.phone.receive_next()).text == "still there?"


async def _two_users_in_one_group_see_each_message_once(talk: Talk) -> None:
    stage, ben = talk.stage, talk.ben
    bob = await Seat.take(await stage.synapse.create_client("bob"), stage.bridge)
    bobs = stage.wa.add_account("15550004444", "Bob")
    await bob.scan(bobs)
    await bob.until_connected()
    bobs.group_addressing = "pn"
    club = groups.create_group(stage.wa.world, ben, "Club", [talk.own, bobs])
    marks = talk.alice.mark(), bob.client.mark()
    await ben.phone.text(club.jid, "hello club")
    room = await first_room(talk.alice, after=marks[0])
    invite = await bob.client.wait_for_invite(sender="@whatsappbot:localhost", after=marks[1])
    assert invite.room_id == room
    await bob.client.join(room)
    for number in range(10):
        await ben.phone.text(club.jid, f"number {number}")
    await talk.alice.send_text(room, "from alice")
    assert (await ben.phone.receive_next()).text == "from alice"
    await bob.client.send_text(room, "from bob")
    assert (await ben.phone.receive_next()).text == "from bob"
    await ben.phone.text(club.jid, "the end")
    for client in (talk.alice, bob.client):
        await client.wait_for_message(room, contains="the end", deadline_seconds=WAIT_SECONDS)
    said = [(event.sender, event.body) for event in await talk.alice.messages(room) if event.is_message]
    # What is written on both sides at once has no common order.
    assert [body for sender, body in said if sender == talk.ghost] == [
        "hello club",
        *(f"number {number}" for number in range(10)),
        "the end",
    ]
    assert [one for one in said if one[0] != talk.ghost] == [
        (talk.alice.user_id, "from alice"),
        (bob.client.user_id, "from bob"),
    ]
