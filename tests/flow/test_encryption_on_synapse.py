"""Encrypted rooms: real homeserver, real bridge, a client of another make, simulated phones."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from nio import Api
from ruamel.yaml import YAML

from mautrix_whatsapp_py.config.document import parse_yaml
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.encrypted_client import EncryptedClient, link
from tests.flow.encrypted_kinds import Talk, cross_from_whatsapp, cross_to_whatsapp
from tests.homeserver import BridgeProcess, PortPool, Registration, Synapse
from tests.homeserver.runner import run_program
from tests.homeserver.synapse import PASSWORD
from tests.postgres import Postgres
from tests.simulator.api import Account, Simulator, host_command, simulator

pytestmark = [
    pytest.mark.synapse,
    pytest.mark.neonize,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

BOT = "@whatsappbot:localhost"
WAIT_SECONDS = 60


@pytest.fixture
def own_database(postgres: Postgres) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    postgres.create_database(name)
    yield name
    postgres.drop_database(name)


@dataclass(slots=True, kw_only=True)
class Stage:
    wa: Simulator
    synapse: Synapse
    bridge: BridgeProcess
    alice: EncryptedClient
    phone: Account
    ben: Account


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
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"proxy": wa.proxy_url},
            "encryption": {"allow": True, "default": True, "require": True, "self_sign": True},
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        await synapse.create_user("alice")
        alice = await EncryptedClient.log_in(synapse.url, "@alice:localhost", PASSWORD, tmp_path / "nio")
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Ben")
        yield Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone, ben=ben)
        await alice.aclose()
        await bridge.stop()
        assert "Traceback" not in bridge.output, bridge.output


async def test_everything_is_said_in_secret(
    stage: Stage,
    postgres: Postgres,
    own_database: str,
) -> None:
    """Linking by a QR code, talk both ways with quotes, a rotated key while the bridge is down, a lost store."""
    alice, ben = stage.alice, stage.ben.phone
    dm = await alice.open_dm(BOT)
    await alice.heard("management room")
    await link(alice, stage.phone, dm)

    await ben.text(stage.phone.pn, "hello")
    hello = await alice.heard("hello")
    room = hello.source["room_id"]
    await alice.say(room, "hi Ben")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "hi Ben"
    await alice.say(room, "an answer", **{"m.relates_to": {"m.in_reply_to": {"event_id": hello.event_id}}})
    answer = await ben.receive_next(timeout_seconds=WAIT_SECONDS)
    assert "hello" in str(answer.message.extendedTextMessage.contextInfo.quotedMessage)

    talk = Talk(wa=stage.wa, alice=alice, phone=stage.phone, ben=stage.ben, room=room)
    await cross_from_whatsapp(talk)
    await cross_to_whatsapp(talk)
    photo = await alice.saw_file(room=room, after=0)
    await alice.say(room, "who is it?", **{"m.relates_to": {"m.in_reply_to": {"event_id": photo.event_id}}})
    asked = await talk.received("extendedTextMessage")
    assert asked.contextInfo.quotedMessage.imageMessage.JPEGThumbnail.startswith(b"\xff\xd8\xff")

    await _forge(stage, room)
    await _add_device(stage, room, "early")

    # the key goes to the device while nobody is there; keys of before go along to another database, and back
    for uri in (postgres.url(own_database), f"sqlite:///{stage.bridge.folder / 'bridge.db'}"):
        await stage.bridge.stop()
        await alice.say(room, "with a key of before")
        alice.rotate(room)
        await alice.say(room, "while you were away")
        await _move(stage, uri)
        await stage.bridge.start()
        for words in ("with a key of before", "while you were away"):
            assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == words
    assert "new device" not in stage.bridge.output
    await ben.text(stage.phone.pn, "welcome back")
    await alice.heard("welcome back")

    await _restore_backup(stage, talk)
    await _lose_store(stage, talk, hello.event_id)
    await _keys_with_transactions(stage, talk)
    types = await asyncio.to_thread(_kinds_of, stage.synapse.folder / "homeserver.db", (dm, room))
    assert "m.room.message" not in types
    assert "m.room.encrypted" in types
    # what was repeated and forged by people is all that could not be read
    assert {event.sender for event in alice.unreadable} <= {"@alice:localhost", "@mallory:localhost"}


async def _move(stage: Stage, uri: str) -> None:
    """The bridge goes on with another database; the one it had is not there any more."""
    path, folder = stage.bridge.config_path, stage.bridge.folder
    old = parse_yaml(path.read_text())["database"]["uri"]
    files = [*folder.glob("bridge.db*"), *folder.glob("crypto.db*")]
    await run_program("db", "copy", "-c", str(path), "--to", uri)
    for file in files:
        file.unlink()
    path.write_text(path.read_text().replace(old, uri))


async def _restore_backup(stage: Stage, talk: Talk) -> None:
    """A store from an old backup is noticed, and what was said with newer keys is read all the same."""
    alice, ben, room = stage.alice, stage.ben.phone, talk.room
    await stage.bridge.stop()
    backup = _copy(stage.bridge.folder)
    before = _used_keys(stage.bridge.folder)
    await stage.bridge.start()
    for number in range(3):
        alice.rotate(room)
        await alice.say(room, f"later {number}")
        assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == f"later {number}"
        await alice.say(room, "!wa discard-megolm-session")
        await ben.text(stage.phone.pn, f"answer {number}")
        await alice.heard(f"answer {number}")
    await _add_device(stage, room, "after the backup")
    await alice.say(room, "the last before")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "the last before"
    await stage.bridge.stop()
    after = _used_keys(stage.bridge.folder)
    # both sides have changed the keys of the room, and a new device has used a key for first contacts
    assert len(after.megolm - before.megolm) >= 6
    assert len(after.olm) > len(before.olm)
    assert after.account != before.account
    await alice.say(room, "with a key from after the backup")
    alice.rotate(room)
    await alice.say(room, "with a key that only the old device was sent")
    _restore(stage.bridge.folder, backup)
    await stage.bridge.start()
    assert "the keys of encrypted rooms are from an old backup" in stage.bridge.output
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "with a key from after the backup"
    await alice.heard("hasn't received the decryption keys", room=room)
    await _talk_to_new_device(stage, room, "after a backup")


async def _lose_store(stage: Stage, talk: Talk, hello: str) -> None:
    """Without the store, but with what opens it: the keys come back, and the bot is who it was."""
    alice, room = stage.alice, talk.room
    identity = await _identity_of_bot(stage)
    await stage.bridge.stop()
    for path in stage.bridge.folder.glob("crypto.db*"):
        path.unlink()
    await alice.say(room, "while there is no store", **{"m.relates_to": {"m.in_reply_to": {"event_id": hello}}})
    await stage.bridge.start()
    assert "the keys of encrypted rooms are lost" in stage.bridge.output
    answer = (await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).message.extendedTextMessage
    assert answer.text == "while there is no store"
    assert "hello" in str(answer.contextInfo.quotedMessage)
    assert await _identity_of_bot(stage) == identity
    await _talk_to_new_device(stage, room, "after a loss")


async def _keys_with_transactions(stage: Stage, talk: Talk) -> None:
    """The same with keys that come as events do: new keys, new devices, and no sync."""
    await stage.bridge.stop()
    config = YAML(typ="safe").load(stage.bridge.config_path)
    config["encryption"]["appservice"] = True
    stage.bridge.config_path.write_text(json.dumps(config))
    synced = _sync_token(stage.bridge.folder)
    await stage.bridge.start()
    # Synapse leaves keys out of what it sends until it knows that the bridge is up again.
    for words in ("are you there", "and now"):
        await stage.alice.say(talk.room, words)
        assert (await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == words
    stage.alice.rotate(talk.room)
    await stage.alice.say(talk.room, "with a transaction")
    assert (await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == "with a transaction"
    await _add_device(stage, talk.room, "without a sync")
    assert _sync_token(stage.bridge.folder) == synced


async def _talk_to_new_device(stage: Stage, room: str, when: str) -> None:
    stage.alice.rotate(room)
    await _until_there_is_a_new_device(stage)
    await stage.alice.say(room, f"to the new device {when}")
    assert (await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)).text == f"to the new device {when}"
    await stage.ben.phone.text(stage.phone.pn, f"from the new device {when}")
    await stage.alice.heard(f"from the new device {when}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedKeys:
    """What a store of keys holds, as far as it changes with use."""

    megolm: frozenset[str]
    olm: frozenset[str]
    account: bytes


def _used_keys(folder: Path) -> UsedKeys:
    with closing(sqlite3.connect(folder / "crypto.db")) as database:

        def names(query: str) -> frozenset[str]:
            return frozenset(str(row[0]) for row in database.execute(query))

        return UsedKeys(
            megolm=names("SELECT session_id FROM crypto_megolm_inbound_session"),
            olm=names("SELECT session_id FROM crypto_olm_session"),
            account=bytes(database.execute("SELECT account FROM crypto_account").fetchone()[0]),
        )


def _sync_token(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "crypto.db")) as database:
        return str(database.execute("SELECT sync_token FROM crypto_account").fetchone()[0])


async def _identity_of_bot(stage: Stage) -> dict[str, str]:
    method, path, data = Api.keys_query(stage.alice.client.access_token, {BOT})
    answer = await (await stage.alice.client.send(method, path, data)).json()
    keys: dict[str, str] = answer["master_keys"][BOT]["keys"]
    assert keys
    return keys


async def _forge(stage: Stage, room: str) -> None:
    """What was said once is not said again, neither by whoever repeats it nor as another's."""
    alice, ben = stage.alice, stage.ben.phone
    event_id = await alice.say(room, "only once")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "only once"
    sealed, forged = await alice.fetch_sealed(room, event_id), alice.seal(room, "as if alice said it")
    await alice.send_plain(room, "m.room.encrypted", sealed)
    await alice.heard("several messages with the same key", room=room)
    mallory = await stage.synapse.create_client("mallory")
    await alice.client.room_invite(room, mallory.user_id)
    await mallory.join(room)
    await mallory.send(room, "m.room.encrypted", forged)
    await alice.heard("a session that your account does not have", room=room)
    # the copy came first, and the original is read all the same
    await alice.send_plain(room, "m.room.encrypted", forged)
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "as if alice said it"
    await _claim(stage, room)
    for words in ("before the claim", "with a key that mallory claims"):
        assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == words
    # what says that the bridge wrote it, and what is not encrypted, is not bridged either
    claim = {"msgtype": "m.text", "body": "claimed", "fi.mau.double_puppet_source": "mautrix-whatsapp-py"}
    await mallory.send(room, "m.room.message", claim)
    await mallory.send_text(room, "in the clear")
    await alice.heard("not encrypted, which this bridge requires", room=room)
    await mallory.leave(room)
    await alice.say(room, "and then this")
    assert (await ben.receive_next(timeout_seconds=WAIT_SECONDS)).text == "and then this"


async def _claim(stage: Stage, room: str) -> None:
    """Mallory says of the key that alice gave to all in the room that it is hers."""
    folder = stage.bridge.folder.parent / "mallory"
    mallory = await EncryptedClient.log_in(stage.synapse.url, "@mallory:localhost", PASSWORD, folder)
    alice, name = stage.alice, str(mallory.client.device_id)
    try:
        await alice.until(lambda: name in alice.client.device_store["@mallory:localhost"])
        await alice.say(room, "before the claim")
        key = alice.key_of(room)
        await mallory.give_key(BOT, room, key)
        await mallory.until(lambda: _count_claims(stage.bridge.folder, key[0]) == 2)
        await alice.say(room, "with a key that mallory claims")
        assert alice.key_of(room)[0] == key[0]
    finally:
        await mallory.aclose()


def _count_claims(folder: Path, session: str) -> int:
    with closing(sqlite3.connect(folder / "crypto.db")) as database:
        query = "SELECT count(*) FROM crypto_megolm_inbound_session WHERE session_id = ?"
        return int(database.execute(query, (session,)).fetchone()[0])


async def _add_device(stage: Stage, room: str, name: str) -> None:
    """A new device of alice's reads what comes, and what it writes is bridged."""
    folder = stage.bridge.folder.parent / name
    second = await EncryptedClient.log_in(stage.synapse.url, "@alice:localhost", PASSWORD, folder)
    try:
        # first, so that it begins with a key of the bridge's for first contacts
        await second.say(room, f"from the second {name}")
        heard = await stage.ben.phone.receive_next(timeout_seconds=WAIT_SECONDS)
        assert heard.text == f"from the second {name}"
        await stage.ben.phone.text(stage.phone.pn, f"to both {name}")
        await second.heard(f"to both {name}", room=room)
        await stage.alice.heard(f"to both {name}", room=room)
    finally:
        await second.aclose()


async def _until_there_is_a_new_device(stage: Stage) -> None:
    """Until alice's client knows of the bot's new device, as it does by its next sync."""
    known = set(stage.alice.client.device_store[BOT])
    devices = stage.alice.client.device_store

    def has_new() -> bool:
        alive = {device for device in devices[BOT] if not devices[BOT][device].deleted}
        return bool(alive - known) or len(alive) == 1

    await stage.alice.until(has_new)


def _copy(folder: Path) -> dict[str, bytes]:
    with sqlite3.connect(folder / "crypto.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {path.name: path.read_bytes() for path in folder.glob("crypto.db*")}


def _restore(folder: Path, backup: dict[str, bytes]) -> None:
    for path in folder.glob("crypto.db*"):
        path.unlink()
    for name, data in backup.items():
        (folder / name).write_bytes(data)


def _kinds_of(database: Path, rooms: tuple[str, ...]) -> set[str]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        marks = ", ".join("?" for _ in rooms)
        where = f"room_id IN ({marks}) AND sender != '@mallory:localhost'"
        rows = connection.execute(f"SELECT DISTINCT type FROM events WHERE {where}", rooms)
        return {str(row[0]) for row in rows}
