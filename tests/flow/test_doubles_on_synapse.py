"""Being oneself in every room: real homeserver, real bridge, real client library, simulated phones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mautrix_whatsapp_py.bridge.doubles import COVERED
from mautrix_whatsapp_py.commands.doubles import ON
from tests.conftest import MakeBridge, MakeSynapse
from tests.data.media.pictures import quarters, saved
from tests.flow.linking_stage import BOT, Seat, Stage
from tests.flow.marks_on_synapse import (
    follow_each_other,
    is_marked_unread,
    past_of,
    stay_quiet,
    until,
    was_read,
)
from tests.homeserver import MatrixClient, PortPool, Registration
from tests.homeserver.events import Event
from tests.simulator.api import Account, groups, host_command, kinds, simulator
from tests.simulator.kinds.actions import MessageRef

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

WAIT_SECONDS = 60
DORA = "Dora 15550002222 (@\u2060dora:localhost)"
OWN_GHOST = "@whatsapp_15550001111:localhost"


@dataclass(slots=True, kw_only=True)
class Double:
    """Alice, linked, as whom the bridge can act."""

    stage: Stage
    ben: Account
    marked: str
    """The room of a chat that is marked as unread."""

    @property
    def alice(self) -> MatrixClient:
        return self.stage.alice.client

    @property
    def own(self) -> Account:
        return self.stage.phone

    async def from_phone(self, text: str, room: str) -> Event:
        """Alice writes on her phone; the event that it becomes."""
        await self.own.phone.text(self.ben.pn, text)

        def fits(event: Event) -> bool:
            return event.is_message and event.room_id == room and event.body == text

        return await self.alice.wait_for(fits, deadline_seconds=WAIT_SECONDS)


@pytest.fixture
async def double(
    tmp_path: Path, make_synapse: MakeSynapse, make_bridge: MakeBridge, ports: PortPool
) -> AsyncIterator[Double]:
    async with simulator(tmp_path / "wa") as wa:
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        everyone = Registration(
            url=None,
            id="doubles",
            as_token="doubles-as-token",
            hs_token="doubles-hs-token",
            sender_localpart="doubles-sender",
            owns_everyone=True,
            msc4190=False,
        )
        synapse = await make_synapse(registration, everyone)
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "bridge": {"relay": {"enabled": True, "admin_only": False}, "private_receipts": True},
            "network": {
                "history_sync": {"dispatch_wait": "0s"},
                "enable_status_broadcast": True,
                "reject_calls": True,
                "reject_calls_text": "Not here.",
            },
            "backfill": {"enabled": True},
            "double_puppet": {"secrets": {"localhost": "as_token:doubles-as-token"}},
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        carla, dan = wa.add_account("15550003333", "Carla"), wa.add_account("15550004444", "Dan")
        device = await alice.scan(phone)
        await phone.phone.welcome(device, past_of(carla, dan))
        await alice.until_connected()
        await was_read(alice.client, carla)
        marked = await was_read(alice.client, dan)
        await until(lambda: is_marked_unread(alice.client, marked.room_id))
        yield Double(stage=stage, ben=ben, marked=marked.room_id)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert "doubles-as-token" not in bridge.output
        assert alice.client.access_token not in bridge.output


async def test_alice_is_herself_on_both_sides(double: Double) -> None:
    """Her room opens by itself, she writes, edits, reacts, deletes and reads as herself, and nothing echoes."""
    alice, ben, own = double.alice, double.ben.phone, double.own.phone
    first_id = await ben.text(double.own.pn, "hello")
    first = await alice.wait_for(lambda event: event.body == "hello", deadline_seconds=WAIT_SECONDS)
    room, ghost = first.room_id, first.sender
    assert alice.user_id in await alice.joined_members(room)
    said = await double.from_phone("from my phone", room)
    assert (said.sender, said.content["fi.mau.double_puppet_source"]) == (alice.user_id, "mautrix-whatsapp-py")
    direct = await alice.request("GET", f"/user/{alice.user_id}/account_data/m.direct")
    assert direct[ghost] == [room]

    # what she does on the phone
    received = await ben.receive_next()
    assert received.text == "from my phone"
    mine = MessageRef(chat=double.ben.lid, message_id=received.message_id, sender=double.own.lid, is_own=True)
    await own.send(double.ben.pn, kinds.edit(mine, kinds.text("edited").message))
    edit = await alice.wait_for(lambda event: event.room_id == room and "m.new_content" in event.content)
    assert (edit.sender, edit.content["m.relates_to"]["event_id"]) == (alice.user_id, said.event_id)
    await own.mark(double.ben.pn, [first_id])
    await alice.wait_for(
        lambda event: event.type == "m.fully_read" and event.content["event_id"] == first.event_id
    )
    await own.send(double.ben.pn, kinds.revoke(mine))
    await alice.wait_for(lambda event: event.redacts == said.event_id and event.sender == alice.user_id)
    for _ in ("edit", "revocation"):
        await ben.receive_next()

    # what she does in a client; nothing of the above came back to Ben
    await alice.send_text(room, "from a client")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "from a client"

    # a crash in between neither loses nor doubles
    bridge = double.stage.bridge
    writing = asyncio.create_task(_write(double, count=20))
    await asyncio.sleep(0.3)
    await bridge.kill()
    await bridge.start()
    await writing
    await double.from_phone("the end", room)
    events = [event for event in await alice.messages(room) if event.is_message and event.sender == alice.user_id]
    bodies = [event.body for event in events if event.body.startswith("number")]
    assert bodies == [f"number {number}" for number in range(20)]
    assert OWN_GHOST not in {event.sender for event in await alice.messages(room) if event.is_message}
    await follow_each_other(double.stage, double.ben, room, double.marked)
    await _relayed_in_a_group(double, await _relayed(double, room))
    await stay_quiet(double.stage, double.ben, room)
    await _manual(double, room)


async def _relayed(double: Double, room: str) -> MatrixClient:
    """Dora has no account: alice's tells what she does, and nothing of it echoes; her client."""
    alice, ben = double.alice, double.ben.phone

    assert (await ben.receive_next()).text == "the end"

    async def heard(text: str) -> None:
        await alice.wait_for_message(room, sender=BOT, contains=text, deadline_seconds=WAIT_SECONDS)

    dora = await double.stage.synapse.create_client("dora")
    await dora.request("PUT", f"/profile/{dora.user_id}/displayname", body={"displayname": "*Dora*\n@15550002222"})
    await alice.invite(room, dora.user_id)
    await dora.join(room)
    await alice.send_text(room, "!wa set-relay")
    await heard("is sent by +15550001111")

    name = DORA
    said = await dora.send_text(room, "hello\n*Alice*: I quit")
    received = await ben.receive_next(timeout_seconds=WAIT_SECONDS)
    assert received.text == f"*{name}*: hello\nAlice: I quit"
    assert not received.message.extendedTextMessage.contextInfo.mentionedJID
    await dora.send(room, "m.room.message", {"msgtype": "m.emote", "body": "waves"})
    assert (await ben.receive_next()).text == f"*\u00a0*{name}* waves"
    about = {"m.relates_to": {"rel_type": "m.annotation", "event_id": said, "key": "👍"}}
    reaction = await dora.send(room, "m.reaction", about)
    told = await ben.receive_next()
    assert told.text == f"*{name}* reacted with 👍"
    assert told.message.extendedTextMessage.contextInfo.stanzaID == received.message_id
    await dora.redact(room, reaction)
    await dora.send(room, "m.room.message", _edit(said, "goodbye"))
    for _ in ("revocation", "edit"):
        await ben.receive_next()

    await _relayed_kinds(double, room, dora, name)

    # an edit of her words by somebody else is sent by no homeserver's rule, and by none of ours
    await alice.send(room, "m.room.message", _edit(said, "forged"))
    await heard("only your own messages")
    await alice.send_text(room, "!wa unset-relay")
    await heard("is not sent any more")
    await dora.send_text(room, "nobody hears me")
    await heard("does not reach WhatsApp")
    await alice.send_text(room, "still me")
    assert (await ben.receive_next()).text == "still me"
    return dora


async def _relayed_in_a_group(double: Double, client: MatrixClient) -> None:
    """Dora links an account that is not in a group: alice's tells what she says there until hers comes in."""
    stage, ben, alice = double.stage, double.ben.phone, double.alice
    dora, account = await Seat.take(client, stage.bridge), stage.wa.add_account("15550005555", "Dora")
    await dora.scan(account)
    await dora.until_connected()
    group = groups.create_group(stage.wa.world, double.ben, "Club", [double.own])
    await ben.text(group.jid, "hello club")
    room = (await alice.wait_for(lambda event: event.body == "hello club", deadline_seconds=WAIT_SECONDS)).room_id
    await alice.invite(room, client.user_id)
    await client.join(room)
    await alice.send_text(room, "!wa set-relay")
    await alice.wait_for_message(
        room, sender=BOT, contains="is sent by +15550001111", deadline_seconds=WAIT_SECONDS
    )
    await client.send_text(room, "from outside")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == f"*{DORA}*: from outside"
    groups.change_members(stage.wa.world, group, double.ben, "add", [account])
    await ben.text(group.jid, "welcome")
    await client.wait_for_message(room, contains="welcome", deadline_seconds=WAIT_SECONDS)
    await client.send_text(room, "from inside")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "from inside"


async def _relayed_kinds(double: Double, room: str, dora: MatrixClient, name: str) -> None:
    """Files, places, polls and votes of Dora's, and a quote of hers."""
    ben = double.ben.phone

    async def received() -> Any:
        return (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).message

    data = saved(quarters(), "JPEG", quality=95)
    url = await dora.upload(data, mimetype="image/jpeg", filename="photo.jpg")
    photo = {"msgtype": "m.image", "body": "look", "filename": "photo.jpg", "url": url}
    await dora.send(room, "m.room.message", {**photo, "info": {"mimetype": "image/jpeg"}})
    assert (await received()).imageMessage.caption == f"*{name}* sent an image: look"
    file = {"msgtype": "m.file", "body": "a.bin", "url": url, "info": {"mimetype": "application/octet-stream"}}
    await dora.send(room, "m.room.message", file)
    sent = await received()
    is_wrapped = sent.HasField("documentWithCaptionMessage")
    document = (sent.documentWithCaptionMessage.message if is_wrapped else sent).documentMessage
    assert (document.fileName, name in document.caption) == ("a.bin", True)
    await dora.send(room, "m.room.message", {"msgtype": "m.location", "body": "Zoo", "geo_uri": "geo:5,6"})
    place = (await received()).locationMessage
    assert place.degreesLatitude == 5
    assert name in f"{place.name} {place.comment}"

    text, start, vote = (
        "org.matrix.msc1767.text",
        "org.matrix.msc3381.poll.start",
        "org.matrix.msc3381.poll.response",
    )
    poll = {"question": {text: "Tea?"}, "answers": [{"id": one, text: one} for one in ("Yes", "No")]}
    asked = await dora.send(room, start, {start: {**poll, "kind": "org.matrix.msc3381.poll.disclosed"}})
    assert (await received()).pollCreationMessageV3.name == f"{name}: Tea?"
    about = {"rel_type": "m.reference", "event_id": asked}
    await dora.send(room, vote, {vote: {"answers": ["Yes"]}, "m.relates_to": about})
    assert (await received()).extendedTextMessage.text == f"*{name}* voted: Yes"
    said = await dora.send_text(room, "who quotes me?")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == f"*{name}*: who quotes me?"
    reply = {"m.in_reply_to": {"event_id": said}}
    await double.alice.send(room, "m.room.message", {"msgtype": "m.text", "body": "me", "m.relates_to": reply})
    quoted = (await received()).extendedTextMessage.contextInfo.quotedMessage
    assert f"*{name}*: who quotes me?" in (quoted.conversation, quoted.extendedTextMessage.text)


def _edit(event_id: str, body: str) -> dict[str, object]:
    content = {"msgtype": "m.text", "body": body}
    return {
        **content,
        "body": f"* {body}",
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": event_id},
    }


async def _write(double: Double, *, count: int) -> None:
    for number in range(count):
        await double.own.phone.text(double.ben.pn, f"number {number}")
        await double.ben.phone.receive_next()


async def _manual(double: Double, room: str) -> None:
    """She declines, gives a token of her own, and ends its session."""
    seat, alice = double.stage.alice, double.alice
    await seat.ask("logout-matrix", answer="forgotten")
    assert (await double.from_phone("as a ghost", room)).sender == OWN_GHOST
    session = await double.stage.synapse.login("alice")
    asked = await alice.send_text(seat.room, f"login-matrix {session.access_token}")
    await seat.heard(ON)
    await seat.until_redacted(await alice.wait_for(lambda event: event.event_id == asked))
    assert (await double.from_phone("as myself again", room)).sender == alice.user_id
    headers = {"Authorization": f"Bearer {session.access_token}"}
    logout = f"{double.stage.synapse.url}/_matrix/client/v3/logout"
    async with aiohttp.ClientSession(headers=headers) as http, http.post(logout, json={}) as response:
        assert response.status == 200
    # She is told that her token is of no use; the second registration stands in, for what finds it out already.
    assert (await double.from_phone("after the logout", room)).sender == alice.user_id
    await seat.heard(COVERED.partition(".")[0])
    assert session.access_token not in double.stage.bridge.output
