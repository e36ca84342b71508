"""Encrypted rooms with a client whose ciphers are vodozemac's, strict about devices and not."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from nio.crypto.attachments import decrypt_attachment, encrypt_attachment

from tests.conftest import MakeBridge, MakeSynapse
from tests.extra.js_sdk.driven import JsClient, js_client
from tests.homeserver import BridgeProcess, MatrixClient, PortPool, Registration, Synapse
from tests.simulator.api import Account, Simulator, host_command, kinds, simulator
from tests.simulator.kinds.actions import MessageRef

pytestmark = [
    pytest.mark.synapse,
    pytest.mark.neonize,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

BOT: Final = "@whatsappbot:localhost"
NUMBER: Final = "15550001111"
WAIT_SECONDS: Final = 90
BURST: Final = int(os.environ.get("JS_SDK_BURST", "500"))
START, VOTE = "org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.response"
CARD: Final = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Jane Doe\r\nTEL:+1 555\r\nEND:VCARD"
DATA: Final = b"\xff\xd8\xff" + bytes(range(256)) * 40


@dataclass(slots=True, kw_only=True)
class Stage:
    wa: Simulator
    synapse: Synapse
    bridge: BridgeProcess
    alice: JsClient
    phone: Account
    ben: Account
    folder: Path
    plain: MatrixClient
    """Alice without ciphers, for files and for looking at the ciphertext."""
    dm: str = ""
    room: str = ""

    async def received(self, field: str) -> Any:
        """The next message of a kind on Ben's phone."""
        while True:
            message = await self.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)
            if message.message.HasField(field):
                return message

    async def read(self) -> str:
        """The next text on Ben's phone."""
        return str((await self.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text)


@pytest.fixture
async def stage(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Stage]:
    async with simulator(tmp_path / "wa") as wa:
        monkeypatch.setenv("SSL_CERT_FILE", str(wa.authority.ca_file))
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        trusted = {"receive": "cross-signed-tofu", "send": "cross-signed-tofu"}
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"proxy": wa.proxy_url},
            "encryption": {
                "allow": True,
                "default": True,
                "require": True,
                "self_sign": True,
                "verification_levels": trusted,
            },
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        plain = await synapse.create_client("alice")
        phone, ben = wa.add_account(NUMBER, "Alice"), wa.add_account("15550002222", "Ben")
        async with js_client(synapse, "alice", tmp_path / "js.log") as alice:
            stage = Stage(
                wa=wa,
                synapse=synapse,
                bridge=bridge,
                alice=alice,
                phone=phone,
                ben=ben,
                folder=tmp_path,
                plain=plain,
            )
            yield stage
        await bridge.stop()
        assert "Traceback" not in bridge.output, bridge.output


async def test_a_strict_client_talks_in_encrypted_rooms(stage: Stage) -> None:
    """Many kinds both ways, keys rotated while the bridge is down, unsigned devices, a burst, an old backup."""
    await _link(stage)
    assert await stage.alice.ask("signed", user=BOT) == [True]
    await _from_whatsapp(stage)
    await _to_whatsapp(stage)
    await _while_the_bridge_is_down(stage)
    await _other_devices(stage)
    await _verified_only(stage)
    await _burst(stage)
    await _old_backup(stage)
    kinds_there = await asyncio.to_thread(
        _kinds_of, stage.synapse.folder / "homeserver.db", (stage.dm, stage.room)
    )
    assert "m.room.encrypted" in kinds_there
    assert not kinds_there & {"m.room.message", "m.sticker", START, VOTE, "m.poll.start"}


async def _link(stage: Stage) -> None:
    alice = stage.alice
    stage.dm = await alice.ask("open", bot=BOT)
    await alice.heard("management room")
    await alice.ask("trust", strict=True)
    await alice.say(stage.dm, f"login code {NUMBER}")
    code = (await alice.heard("Your code is"))["content"]["body"].split("`")[1]
    await stage.phone.phone.enter_code(code)
    await alice.heard(f"Successfully logged in as +{NUMBER}")
    await stage.ben.phone.text(stage.phone.pn, "hello")
    # Who deals with signed devices only reads the bot and is read; ghosts have no device of their own.
    unread = await alice.failed("@whatsapp_")
    stage.room = unread["room"]
    assert "does not match the owner of the device" in unread["content"]["body"]
    await alice.say(stage.room, "from a strict client")
    assert await stage.read() == "from a strict client"
    await alice.ask("trust", strict=False)
    await stage.ben.phone.text(stage.phone.pn, "can you read me now")
    await alice.heard("can you read me now", room=stage.room)


async def _from_whatsapp(stage: Stage) -> None:
    alice, ben, room = stage.alice, stage.ben.phone, stage.room
    to = stage.phone.pn
    said_id = await ben.text(to, "first words")
    said = await alice.heard("first words", room=room)
    own = MessageRef(chat=stage.phone.lid, message_id=said_id, sender=stage.ben.lid, is_own=True)
    await ben.send(to, kinds.reply("an answer", own, kinds.text("first words").message))
    answer = await alice.heard("an answer", room=room)
    assert answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == said["id"]
    await ben.send(to, kinds.edit(own, kinds.text("better words").message))
    edit = await alice.heard("better words", room=room)
    assert edit["content"]["m.relates_to"]["event_id"] == said["id"]
    await ben.send(to, kinds.reaction(own, "👍"))
    await alice.seen(lambda event: event["kind"] == "m.reaction" and event["room"] == room)
    await ben.send(to, kinds.revoke(own))
    await alice.seen(lambda event: event["redacts"] == said["id"])
    for kind, outgoing in _files(stage):
        start = len(alice.events)
        await ben.send(to, outgoing)
        event = await alice.seen(lambda event: "file" in event["content"], start=start)
        assert event["isSecret"], kind
        assert event["content"].get("msgtype", event["kind"]) == kind
        sealed = event["content"]["file"]
        data = await stage.plain.download(sealed["url"])
        assert decrypt_attachment(data, sealed["key"]["k"], sealed["hashes"]["sha256"], sealed["iv"]), kind
    await ben.send(to, kinds.location(52.5, 13.4, name="Zoo"))
    assert (await alice.heard("Zoo", room=room))["content"]["geo_uri"] == "geo:52.500000,13.400000"
    await ben.send(to, kinds.poll("Lunch?", ["Yes", "No"]))
    poll = await alice.seen(lambda event: event["kind"] in (START, "m.poll.start") and event["room"] == room)
    assert poll["isSecret"]


def _files(stage: Stage) -> list[tuple[str, Any]]:
    host = stage.wa.media
    return [
        ("m.file", kinds.document(kinds.upload(host, DATA, "document"), "report.pdf")),
        ("m.file", kinds.contact("Jane Doe", CARD)),
        ("m.image", kinds.image(kinds.upload(host, DATA, "image"), caption="look")),
    ]


async def _to_whatsapp(stage: Stage) -> None:
    alice, room = stage.alice, stage.room
    said = await alice.say(room, "hi Ben")
    first = await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)
    assert first.text == "hi Ben"
    await alice.say(room, "an own answer", **{"m.relates_to": {"m.in_reply_to": {"event_id": said}}})
    quoted = await stage.received("extendedTextMessage")
    assert "hi Ben" in str(quoted.message.extendedTextMessage.contextInfo.quotedMessage)
    content = {"msgtype": "m.text", "body": "hi all"}
    relation = {"rel_type": "m.replace", "event_id": said}
    await alice.send(room, {**content, "m.new_content": content, "m.relates_to": relation})
    assert "hi all" in str((await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).message)
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": said, "key": "🎉"}}
    await alice.send(room, reaction, kind="m.reaction")
    assert (await stage.received("reactionMessage")).message.reactionMessage.text == "🎉"
    await alice.ask("redact", room=room, event=said)
    await stage.received("protocolMessage")
    sealed, keys = encrypt_attachment(DATA)
    url = await stage.plain.upload(sealed, mimetype="application/octet-stream")
    file = {**keys, "url": url}
    await alice.send(
        room,
        {"msgtype": "m.file", "body": "a.bin", "file": file, "info": {"mimetype": "application/octet-stream"}},
    )
    assert (await stage.received("documentMessage")).message.documentMessage.fileName == "a.bin"
    await alice.send(room, {"msgtype": "m.location", "body": "Home", "geo_uri": "geo:5,6"})
    assert (await stage.received("locationMessage")).message.locationMessage.name == "Home"
    poll = {
        "question": {"org.matrix.msc1767.text": "Walk?"},
        "max_selections": 1,
        "kind": "org.matrix.msc3381.poll.disclosed",
        "answers": [{"id": name, "org.matrix.msc1767.text": name} for name in ("Yes", "No")],
    }
    asked = await alice.send(room, {START: poll, "org.matrix.msc1767.text": "Walk?"}, kind=START)
    assert (await stage.received("pollCreationMessageV3")).message.pollCreationMessageV3.name == "Walk?"
    vote = {VOTE: {"answers": ["Yes"]}, "m.relates_to": {"rel_type": "m.reference", "event_id": asked}}
    await alice.send(room, vote, kind=VOTE)
    await stage.received("pollUpdateMessage")
    await alice.heard("1. Yes – 1 vote", room=room)


async def _while_the_bridge_is_down(stage: Stage) -> None:
    await stage.bridge.stop()
    for number in range(3):
        await stage.alice.ask("rotate", room=stage.room)
        await stage.alice.say(stage.room, f"away {number}")
    await stage.bridge.start()
    assert [await stage.read() for _ in range(3)] == [f"away {number}" for number in range(3)]


async def _other_devices(stage: Stage) -> None:
    """A device that alice has not signed reads nothing and is not believed: `verification_levels`."""
    log = stage.folder / "second.log"
    async with js_client(stage.synapse, "alice", log, signs=False) as second:
        await stage.ben.phone.text(stage.phone.pn, "for signed devices")
        await stage.alice.heard("for signed devices", room=stage.room)
        await second.seen(lambda event: event["room"] == stage.room and event["sender"] != second.user)
        assert not [one for one in second.events if one["content"].get("body") == "for signed devices"]
        await second.say(stage.room, "unsigned")
        await stage.alice.heard("a session that is not verified", room=stage.room)
    await stage.alice.say(stage.room, "signed")
    assert await stage.read() == "signed"


async def _verified_only(stage: Stage) -> None:
    """A client that gives keys to verified devices only: who writes is told why, and how it is mended."""
    alice = stage.alice
    await alice.ask("blacklist", on=True)
    await alice.ask("rotate", room=stage.room)
    await alice.say(stage.room, "for verified devices")
    await alice.heard("does not give its keys to the bridge", room=stage.room)
    await stage.ben.phone.text(stage.phone.pn, "it reads as before")
    await alice.heard("it reads as before", room=stage.room)
    await alice.ask("verify", user=BOT)
    await alice.say(stage.room, "to a verified device")
    assert await stage.read() == "to a verified device"
    await alice.ask("blacklist", on=False)


async def _burst(stage: Stage) -> None:
    sent = [f"burst {number}" for number in range(BURST)]

    async def write() -> None:
        for body in sent:
            await stage.alice.say(stage.room, body)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        read = [await stage.read() for _ in sent]
    assert read == sent
    start = len(stage.alice.events)
    for body in sent:
        await stage.ben.phone.text(stage.phone.pn, f"back {body}")
    # Patience is for what comes next, not for all of it.
    for body in [*sent[::50], sent[-1]]:
        await stage.alice.heard(f"back {body}", start=start)
    bodies = [str(event["content"].get("body")) for event in stage.alice.events[start:]]
    assert [body for body in bodies if body.startswith("back")] == [f"back {body}" for body in sent]


async def _old_backup(stage: Stage) -> None:
    await stage.bridge.stop()
    backup = {path.name: path.read_bytes() for path in stage.bridge.folder.glob("crypto.db*")}
    await stage.bridge.start()
    await stage.ben.phone.text(stage.phone.pn, "after the backup")
    await stage.alice.heard("after the backup", room=stage.room)
    await stage.bridge.stop()
    for path in stage.bridge.folder.glob("crypto.db*"):
        path.unlink()
    for name, data in backup.items():
        (stage.bridge.folder / name).write_bytes(data)
    await stage.bridge.start()
    assert "the keys of encrypted rooms are from an old backup" in stage.bridge.output
    await stage.ben.phone.text(stage.phone.pn, "from the new device")
    await stage.alice.heard("from the new device", room=stage.room)


def _kinds_of(database: Path, rooms: tuple[str, ...]) -> set[str]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        marks = ", ".join("?" for _ in rooms)
        rows = connection.execute(f"SELECT DISTINCT type FROM events WHERE room_id IN ({marks})", rooms)
        return {str(row[0]) for row in rows}
