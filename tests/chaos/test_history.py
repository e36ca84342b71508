"""The past of an account comes into rooms whole, in order and once, while the bridge dies again and again."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.past import GOING, LOST, OldChat, Scale, Writer, chunks_of, count_in, damaged, said_in
from tests.chaos.storm import how_many, is_long, new_seed
from tests.conftest import MakeBridge, MakeSynapse
from tests.flow.linking_stage import Seat, Stage
from tests.homeserver import PortPool, Registration
from tests.homeserver.events import Event, Kind, Mark
from tests.simulator.api import Account, Device, host_command, simulator
from tests.simulator.protobufs import companion

pytestmark = [pytest.mark.synapse, pytest.mark.neonize]

SHORT = Scale(chats=6, messages=24, kills=2, live=6)
LONG = Scale(chats=how_many("CHAOS_CHATS", 200), messages=100, kills=10, live=60)
SCALE = LONG if is_long() else SHORT
BEN_NUMBER = "15550002222"
BOT = "@whatsappbot:localhost"
_SYNC: dict[str, object] = {
    "dispatch_wait": "2s",
    "request_full_sync": True,
    "full_sync_config": {"days_limit": 90, "size_mb_limit": 70, "storage_quota_mb": 80},
}
WAIT_SECONDS = 1800 if is_long() else 240


@dataclass(slots=True, kw_only=True)
class Scene:
    """Alice, linked, with a past that has just been handed over."""

    stage: Stage
    ben: Account
    device: Device
    chats: list[OldChat]
    writer: Writer
    mark: Mark

    @property
    def alice(self) -> Seat:
        return self.stage.alice

    async def summary(self, *, after: Mark) -> str:
        """What the bot says when it is done."""

        def fits(event: Event) -> bool:
            new = event.content.get("m.new_content", event.content)
            return event.room_id == self.alice.room and "Brought over" in str(new.get("body"))

        event = await self.alice.client.wait_for(fits, after=after, deadline_seconds=WAIT_SECONDS)
        return str(event.content.get("m.new_content", event.content)["body"])

    def count_told(self, words: str) -> int:
        """How often the bot has said something."""
        said = [event.content for event in self.alice.client.events if event.sender == BOT and event.is_message]
        return sum(str(content.get("m.new_content", content)["body"]).count(words) for content in said)

    async def rooms(self) -> dict[str, str]:
        """The rooms alice was invited to, joined, by the name of their chat."""
        found: dict[str, str] = {}
        invites = [event for event in self.alice.client.events if _is_invite(event, self.alice.client.user_id)]
        for room_id in dict.fromkeys(event.room_id for event in invites):
            await self.alice.client.join(room_id)
            for event in await self.alice.client.messages(room_id):
                name = event.body.splitlines()[-1].split(" ")[0] if event.is_message and event.body else ""
                if name.startswith("c") and name[1:].isdigit():
                    found[name] = room_id
                    break
        return found


def _is_invite(event: Event, user: str) -> bool:
    return event.kind is Kind.INVITE and event.type == "m.room.member" and event.state_key == user


@asynccontextmanager
async def scene(
    folder: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Scene]:
    async with simulator(folder / "wa") as wa:
        monkeypatch.setenv("SSL_CERT_FILE", str(wa.authority.ca_file))
        port = ports.reserve()
        registration = Registration(url=f"http://127.0.0.1:{port}")
        synapse = await make_synapse(registration)
        sections: dict[str, dict[str, object]] = {
            "whatsapp": {"host_command": list(host_command(wa))},
            "network": {"proxy": wa.proxy_url, "history_sync": _SYNC},
            "backfill": {"enabled": True, "max_initial_messages": -1},
            "bridge": {
                "personal_filtering_spaces": False,
                "permissions": {"*": "relay", "localhost": "user"},
            },
        }
        bridge = make_bridge(synapse.url, registration, port=port, sections=sections)
        await bridge.start()
        alice = await Seat.take(await synapse.create_client("alice"), bridge)
        phone, ben = wa.add_account("15550001111", "Alice"), wa.add_account(BEN_NUMBER, "Ben")
        stage = Stage(wa=wa, synapse=synapse, bridge=bridge, alice=alice, phone=phone)
        mark = alice.client.mark()
        writer = Writer(wa, phone, random.Random(new_seed()))
        chats = writer.make_chats(SCALE, ben)
        device = await alice.scan(phone)
        await alice.until_connected()
        yield Scene(stage=stage, ben=ben, device=device, chats=chats, writer=writer, mark=mark)
        await bridge.stop()
        assert "Traceback" not in bridge.output
        assert BEN_NUMBER not in bridge.output


async def test_the_past_comes_whole_in_order_and_once(
    tmp_path: Path,
    make_synapse: MakeSynapse,
    make_bridge: MakeBridge,
    ports: PortPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bridges that are killed meanwhile, people who write meanwhile, a chunk that comes twice, a second link."""
    async with scene(tmp_path, make_synapse, make_bridge, ports, monkeypatch) as it:
        asked = companion.DeviceProps.FromString(it.device.props)
        limits = asked.historySyncConfig
        assert asked.requireFullSync
        assert (limits.fullSyncDaysLimit, limits.fullSyncSizeMbLimit, limits.storageQuotaMb) == (90, 70, 80)
        chunks = chunks_of(it.chats)
        for chunk in (*damaged(), *chunks, chunks[0]):
            await it.stage.phone.phone.send_history(it.device, chunk)
        writing = asyncio.create_task(_write_live(it))
        await _kill_at_points(it)
        await writing
        said = await it.summary(after=it.mark)
        assert f"{len(it.chats)} chats" in said
        # What was no chunk is told of; what came twice is in the log.
        assert it.count_told("it could not be fetched or read") == len(damaged())
        assert "it came before" in it.stage.bridge.output
        await it.alice.ask("status", answer=f"{len(it.chats)} chats with ")
        rooms = await it.rooms()
        assert sorted(rooms) == sorted(chat.name for chat in it.chats)
        for chat in it.chats:
            await _check_chat(it, chat, rooms[chat.name])
            await _check_order(it, chat, rooms[chat.name])
        await _check_live(it, rooms[it.chats[-1].name])
        await _check_unread(it, dict.fromkeys(rooms.values(), 0))
        await _retry_lost(it, rooms[it.chats[-1].name])
        await _recreate(it, it.chats[-1], rooms)
        await _link_again(it, rooms)


async def _kill_at_points(it: Scene) -> None:
    """The bridge dies in the middle of it, whatever time it takes, each time somewhere else."""
    total = sum(len(chat.messages) for chat in it.chats)
    for point in sorted(it.writer.random.sample(range(1, total * 9 // 10), SCALE.kills)):
        async with asyncio.timeout(WAIT_SECONDS):
            while _count_come(it.stage.bridge.folder / "bridge.db") < point:
                await asyncio.sleep(0.05)
        await it.stage.bridge.kill()
        await it.stage.bridge.start()


def _count_come(database: Path) -> int:
    """How many messages the bridge has counted."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        row = connection.execute("SELECT max(messages_done) FROM backfill_runs").fetchone()
    return int(row[0] or 0)


async def _write_live(it: Scene) -> None:
    for number in range(SCALE.live):
        await it.ben.phone.text(it.stage.phone.pn, f"live {number}")
        await asyncio.sleep(0.5)


async def _check_chat(it: Scene, chat: OldChat, room_id: str) -> None:
    events = await it.alice.client.messages(room_id)
    assert said_in(events, f"{chat.name} m") == chat.expected
    assert said_in(events, GOING) == chat.answers
    seen, told = count_in(events), chat.counts
    for kind in ("reaction", "image", "document", "edit", "poll", "event", "location"):
        assert (kind, seen[kind]) == (kind, told[kind])
    assert seen["vote"] == 2 * told["poll"]


async def _check_order(it: Scene, chat: OldChat, room_id: str) -> None:
    """What was read on the phone came before alice was called, the rest after it."""
    events = await it.alice.client.messages(room_id)
    place = next(index for index, event in enumerate(events) if event.state_key == it.alice.client.user_id)
    assert [body for body, _ in said_in(events[place:], f"{chat.name} m")] == chat.unread_words


async def _check_live(it: Scene, room_id: str) -> None:
    """What was written meanwhile stands once and in order, behind all that was before."""
    bodies: list[str] = []
    async with asyncio.timeout(WAIT_SECONDS):
        while f"live {SCALE.live - 1}" not in bodies:
            bodies = [event.body for event in await it.alice.client.messages(room_id) if event.is_message]
    live = [body for body in bodies if body.startswith("live ")]
    assert live == [f"live {number}" for number in range(SCALE.live)]
    last_old = max(bodies.index(body) for body, _ in it.chats[-1].expected if body in bodies)
    assert last_old < bodies.index("live 0")


async def _check_unread(it: Scene, rooms: dict[str, int]) -> None:
    """How much counts as unread in rooms that alice is in."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            answer = await it.alice.client.request("GET", "/sync", query={"timeout": "0"})
            joined = answer["rooms"]["join"]
            counts = {
                room_id: joined[room_id]["unread_notifications"].get("notification_count", 0)
                for room_id in rooms
                if room_id in joined
            }
            if counts == rooms:
                return


async def _retry_lost(it: Scene, room_id: str) -> None:
    """A file that WhatsApp has deleted is told of, and tried again when somebody wants it."""
    client = it.alice.client

    def said() -> list[Event]:
        return [event for event in events if event.is_message and event.body.endswith(LOST)]

    events = await client.messages(room_id)
    first, notice = said()
    assert "no longer have it" in notice.body
    assert "🔁" in notice.body
    it.stage.wa.media.blobs.update(it.writer.lost)
    about = {"rel_type": "m.annotation", "event_id": first.event_id, "key": "🔁"}
    await client.send(room_id, "m.reaction", {"m.relates_to": about})
    async with asyncio.timeout(WAIT_SECONDS):
        while len(said()) < 3:
            events = await client.messages(room_id)
    assert said()[-1].content["m.new_content"]["msgtype"] == "m.image"
    it.chats[-1].counts.update(["image", "reaction"])


async def _recreate(it: Scene, chat: OldChat, rooms: dict[str, str]) -> None:
    """Older messages take their place in a new room, before all that was in the one that is closed."""
    client, old = it.alice.client, rooms[chat.name]
    mine = await client.send_text(old, "own words")
    sent = (await it.ben.phone.receive_next(30)).message_id
    said = await it.alice.ask(f"doin {old} backfill", answer="2 older messages")
    assert "--recreate" in said
    mark = client.mark()
    await it.alice.ask(f"doin {old} backfill all --recreate", answer="Making a new room with 2 older messages")
    invite = await client.wait_for_invite(after=mark, deadline_seconds=WAIT_SECONDS)
    rooms[chat.name] = new = invite.room_id
    assert new != old
    await client.join(new)
    await it.ben.phone.text(it.stage.phone.pn, "in the new room")
    await client.wait_for_message(new, contains="in the new room", deadline_seconds=WAIT_SECONDS)
    before, after = await client.messages(old), await client.messages(new)
    is_said = [event for event in after if event.is_message and event.sender != BOT]
    assert [event.body for event in is_said[:2]] == ["older 0", "older 1"]
    assert is_said[0].origin_server_ts == (it.writer.start_s - 40 * 86_400) * 1000
    bodies = [event.body for event in is_said]
    assert bodies[-2:] == ["own words", "in the new room"]
    await _check_chat(it, chat, new)
    (tombstone,) = [event for event in before if event.type == "m.room.tombstone"]
    assert tombstone.content["replacement_room"] == new
    # What is about a message from before reaches WhatsApp by its copy.
    copy = next(event for event in is_said if event.body == "own words")
    assert copy.event_id != mine
    about = {"rel_type": "m.annotation", "event_id": copy.event_id, "key": "👍"}
    await client.send(new, "m.reaction", {"m.relates_to": about})
    reaction = (await it.ben.phone.receive_next(30)).message.reactionMessage
    assert (reaction.text, reaction.key.ID) == ("👍", sent)


async def _link_again(it: Scene, rooms: dict[str, str]) -> None:
    """The same account once more: its phone hands everything over again, and a little more.

    This time alice lets the bridge act for her: she is in new rooms at once, and what she has read is read.
    """
    await it.alice.ask("logout", answer="Unlinked")
    assert not list(it.stage.bridge.folder.rglob("history.db*"))
    device = await it.alice.scan(it.stage.phone)
    await it.alice.until_connected()
    session = await it.stage.synapse.login("alice")
    await it.alice.ask(f"login-matrix {session.access_token}", answer="appears as done by yourself")
    mark = it.alice.client.mark()
    more = it.chats[:2]
    for chat in more:
        at_s = it.writer.start_s + 86_400 + SCALE.messages * 60
        it.writer.write(chat, len(chat.messages), at_s, None)
    # Of one chat the phone hands over nothing from before.
    known = it.chats[3]
    late = OldChat(name=known.name, jid=known.jid, sender=known.sender)
    it.writer.write(late, 9004, at_s, None)
    new = [it.writer.make_texts("c8000", 8000, unread=0), it.writer.make_texts("c8001", 8001, unread=3)]
    for chunk in chunks_of([*(chat for chat in it.chats if chat is not known), late, *new]):
        await it.stage.phone.phone.send_history(device, chunk)
    assert "5 chats with 13 messages" in await it.summary(after=mark)
    direct = await it.alice.client.request("GET", f"/user/{it.alice.client.user_id}/account_data/m.direct")
    for chat in new:
        (rooms[chat.name],) = direct[f"@whatsapp_lid-{chat.jid.user}:localhost"]
    for chat in (*more, it.chats[-2], *new):
        await _check_chat(it, chat, rooms[chat.name])
    await _check_unread(it, {rooms[chat.name]: chat.unread for chat in new})
    said = [event for event in await it.alice.client.messages(rooms[known.name]) if event.is_message]
    assert [event.body for event in said].count(f"{known.name} m9004") == 1
    (gap,) = [event for event in said if event.sender == BOT]
    assert "may be missing here" in gap.body
    assert said[-2] == gap
