"""Encrypted events are read in their order, wait for late keys, and nobody is left without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from mautrix_whatsapp_py.bridge.from_matrix.unsealing import ANSWER_SECONDS, KEEP_SECONDS
from mautrix_whatsapp_py.commands.ciphers import cipher_commands
from mautrix_whatsapp_py.convert import notices
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.content import MxMentions, MxMessageContent, WaText
from mautrix_whatsapp_py.model.mx import MxEncrypted, MxEvent, MxMessage
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyMissing, KeyName, OpenFailure
from mautrix_whatsapp_py.ports_ciphers import Ciphers
from tests.flow.chat import Chat
from tests.flow.world import ALICE, DEADLINE_SECONDS, DM, World

SESSION = "session"


@dataclass(slots=True, kw_only=True)
class FakeCiphers:
    """Opens what it has the key of."""

    has_key: bool = True
    is_refused: bool = False
    said: dict[MxEventId, str] = field(default_factory=dict)
    broken: dict[MxEventId, OpenFailure] = field(default_factory=dict)
    requests: list[MxUserId] = field(default_factory=list)
    discarded: list[MxRoomId] = field(default_factory=list)
    listeners: list[Callable[[str], None]] = field(default_factory=list)

    async def decrypt(self, event: MxEncrypted, *, patience_seconds: float) -> MxEvent:
        origin = event.origin
        if origin.event_id in self.broken:
            raise CannotOpen(self.broken[origin.event_id])
        if not self.has_key:
            name = KeyName(
                room_id=origin.room_id, session=SESSION, device="D", sender_key="K", is_refused=self.is_refused
            )
            raise KeyMissing(name)
        content = MxMessageContent(body=self.said[origin.event_id], mentions=MxMentions())
        return MxMessage(origin=replace(origin, was_encrypted=True), content=content)

    def request_key(self, user: MxUserId, name: KeyName) -> None:
        self.requests.append(user)

    def add_listener(self, listener: Callable[[str], None]) -> None:
        self.listeners.append(listener)

    async def discard(self, room_id: MxRoomId) -> None:
        self.discarded.append(room_id)

    def give_key(self) -> None:
        self.has_key = True
        for listener in self.listeners:
            listener(SESSION)


def _is_ciphers(ciphers: FakeCiphers) -> Ciphers:
    return ciphers


@dataclass(slots=True, kw_only=True)
class Stage:
    """A chat in an encrypted room."""

    chat: Chat
    ciphers: FakeCiphers

    @property
    def world(self) -> World:
        return self.chat.world

    @property
    def sent(self) -> list[str]:
        """What has gone to WhatsApp."""
        sends = self.chat.client.messages
        return [send.content.body for send in sends if isinstance(send.content, WaText)]

    @property
    def room(self) -> MxRoomId:
        return self.chat.room_id

    def notices(self, room_id: MxRoomId | None = None) -> list[str]:
        return self.world.matrix.bodies(room_id or self.room)

    async def say(self, body: str, *, room_id: MxRoomId | None = None) -> MxEventId:
        event = self.world.encrypted(room_id=room_id or self.room, sender=ALICE)
        self.ciphers.said[event.origin.event_id] = body
        await self.world.deliver(event)
        await self.world.settled()
        return event.origin.event_id

    async def pass_time(self, seconds: float) -> None:
        await self.world.until(lambda: self.world.clock.sleeping > 0)
        self.world.clock.advance(seconds)
        for _ in range(20):
            await self.world.settled()


@pytest.fixture
async def stage(world: World) -> Stage:
    ciphers = FakeCiphers()
    world.ciphers = ciphers
    world.more_commands = lambda _talk: cipher_commands(ciphers)
    await world.restart()
    world.matrix.rooms.clear()
    await world.open_dm()
    chat = await Chat.open(world)
    await chat.hear("hello")
    return Stage(chat=chat, ciphers=ciphers)


async def test_what_is_encrypted_is_bridged_and_obeyed(stage: Stage) -> None:
    await stage.say("one")
    await stage.say("two")
    assert stage.sent == ["one", "two"]
    await stage.say("version", room_id=DM)
    assert "mautrix-whatsapp-py" in stage.notices(DM)[-1]
    assert not await stage.world.pending()


async def test_a_late_key_brings_what_waited_in_its_order(stage: Stage) -> None:
    stage.ciphers.has_key = False
    await stage.say("one")
    await stage.say("two")
    await stage.world.heard("goes on trying", room_id=stage.room, count=2)
    assert stage.sent == []
    assert set(stage.ciphers.requests) == {ALICE}
    assert len(await stage.world.pending()) == 2
    stage.ciphers.give_key()
    await stage.world.settled()
    await stage.world.until(lambda: len(stage.world.matrix.redacted) == 2)
    assert stage.sent == ["one", "two"]
    assert not await stage.world.pending()


async def test_others_go_on_while_one_waits(stage: Stage) -> None:
    stage.ciphers.has_key = False
    await stage.say("one")
    await stage.chat.hear("still here")
    assert stage.chat.texts[-1] == "still here"


async def test_a_key_that_does_not_come_is_told_of_and_comes_after_a_restart(stage: Stage) -> None:
    stage.ciphers.has_key = False
    await stage.say("one")
    await stage.world.heard("goes on trying", room_id=stage.room)
    await stage.pass_time(ANSWER_SECONDS + 1)
    await stage.world.heard("send it again", room_id=stage.room)
    edit = stage.world.matrix.sent[-1].notice
    assert edit.edits is not None
    stage.ciphers.listeners.clear()
    await stage.chat.restart()
    assert stage.sent == []
    stage.ciphers.give_key()
    await stage.world.settled()
    assert stage.sent == ["one"]


async def test_a_key_that_somebody_refuses_is_told_of_at_once(stage: Stage) -> None:
    stage.ciphers.has_key, stage.ciphers.is_refused = False, True
    await stage.say("one")
    await stage.world.heard("does not give its keys to the bridge", room_id=stage.room)
    # it may be given after all
    stage.ciphers.give_key()
    await stage.world.settled()
    assert stage.sent == ["one"]


async def test_an_event_is_given_up_after_a_day(stage: Stage) -> None:
    stage.ciphers.has_key = False
    await stage.say("one")
    await stage.world.heard("goes on trying", room_id=stage.room)
    await stage.pass_time(ANSWER_SECONDS + 1)
    await stage.world.heard("send it again", room_id=stage.room)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await stage.world.pending():
            # Again and again: the notice is seen before the bridge begins to wait.
            stage.world.clock.advance(KEEP_SECONDS + 1)
            await asyncio.sleep(0.001)
    assert not await stage.world.pending()
    stage.ciphers.give_key()
    await stage.world.settled()
    assert stage.sent == []


async def test_what_was_taken_back_meanwhile_is_not_bridged(stage: Stage) -> None:
    stage.ciphers.has_key = False
    first, _ = await stage.say("never mind"), await stage.say("this one")
    await stage.world.heard("goes on trying", room_id=stage.room, count=2)
    await stage.chat.redact(first)
    stage.ciphers.give_key()
    await stage.world.settled()
    assert stage.sent == ["this one"]


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (OpenFailure.UNKNOWN_KIND, notices.UNKNOWN_CIPHER),
        (OpenFailure.CORRUPT, notices.NOT_DECRYPTABLE),
        (OpenFailure.REPEATED, notices.REPEATED_CIPHER),
        (OpenFailure.UNKNOWN_DEVICE, notices.UNKNOWN_SESSION),
    ],
)
async def test_what_nobody_can_read_is_refused_with_the_reason(
    failure: OpenFailure, text: str, stage: Stage
) -> None:
    event = stage.world.encrypted(room_id=stage.room)
    stage.ciphers.broken[event.origin.event_id] = failure
    await stage.world.deliver(event)
    await stage.world.settled()
    assert text in stage.notices()[-1]
    assert not await stage.world.pending()


async def test_nobody_is_bothered_where_the_bot_is_a_guest(stage: Stage) -> None:
    elsewhere = MxRoomId("!elsewhere:localhost")
    stage.world.matrix.add_room(elsewhere, ALICE)
    stage.ciphers.has_key = False
    await stage.say("to others", room_id=elsewhere)
    assert stage.notices(elsewhere) == []


async def test_plain_messages_are_refused_where_that_is_asked_for(stage: Stage) -> None:
    stage.world.requires_encryption = True
    await stage.chat.restart()
    await stage.chat.say("in the open")
    assert stage.sent == []
    assert notices.NOT_ENCRYPTED in stage.chat.texts[-1]
    await stage.say("in secret")
    assert stage.sent == ["in secret"]


async def test_a_room_gets_a_new_key_when_asked(stage: Stage) -> None:
    await stage.say("!wa discard-megolm-session")
    assert stage.ciphers.discarded == [stage.room]
