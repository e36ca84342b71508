"""Conversation for flow tests: alice's account, those who write to her, and a journal that repeats itself."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from mautrix_whatsapp_py.ids import (
    JournalSeq,
    LoginId,
    MxEventId,
    MxRoomId,
    MxUserId,
    WaJid,
    WaMessageId,
)
from mautrix_whatsapp_py.model.content import (
    MxEdit,
    MxMentions,
    MxMessageContent,
    MxReactionContent,
    MxRedactionContent,
    MxRelation,
    MxReply,
    WaContent,
    WaMessageRef,
    WaText,
)
from mautrix_whatsapp_py.model.mx import MxMessage, MxReaction, MxReceipt, MxRedaction
from mautrix_whatsapp_py.model.wa import WaEvent, WaMessage, WaReceipt, WaReceiptKind, WaSource, WaTyping
from mautrix_whatsapp_py.model.wa_link import WaState, WaStateKind
from tests.fakes.whatsapp import START, FakeClient, device_of
from tests.flow.world import ALICE, DEADLINE_SECONDS, World

LOGIN = LoginId("15550001111")
OWN = WaJid(user=LOGIN, server="s.whatsapp.net")
OWN_LID = WaJid(user="1000001", server="lid")
BEN = WaJid(user="15550002222", server="s.whatsapp.net")
BEN_LID = WaJid(user="1000002", server="lid")
CARLA = WaJid(user="15550003333", server="s.whatsapp.net")
CLUB = WaJid(user="12036300", server="g.us")
BEN_GHOST = MxUserId("@whatsapp_15550002222:localhost")
OWN_GHOST = MxUserId("@whatsapp_15550001111:localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event in the journal of a link."""

    login: LoginId
    seq: JournalSeq
    event: WaEvent


class Chat:
    """A linked account and its journal."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal: list[Entry] = []
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, world: World) -> Chat:
        """Link alice's account."""
        chat = cls(world)
        await chat.link(ALICE, LOGIN, OWN_LID)
        return chat

    async def link(self, user: MxUserId, login: LoginId, lid: WaJid | None = None) -> None:
        """Link an account."""
        device = msgspec.structs.replace(device_of(login), lid=lid)
        self.world.network.link(device)
        await self.world.logins.add(user, device)

    @property
    def client(self) -> FakeClient:
        """Alice's client."""
        return self.world.network.clients[LOGIN]

    @property
    def room_id(self) -> MxRoomId:
        """The only room there is."""
        (room_id,) = self.world.chats.rooms
        return room_id

    @property
    def texts(self) -> list[str]:
        """What was said in the only room there is."""
        return self.world.chats.texts(self.room_id)

    async def receive(self, *events: WaEvent, login: LoginId = LOGIN) -> None:
        """WhatsApp has news; the bridge does what it does about them."""
        for event in events:
            entry = Entry(login=login, seq=JournalSeq(next(self._ids)), event=event)
            self.journal.append(entry)
            self.world.bridge.on_wa_event(login, entry.seq, event)
        await self.world.settled()

    async def hear(self, body: str) -> WaMessageId:
        """Ben writes a text; its id."""
        message = self.message(WaText(body=body))
        await self.receive(message)
        return message.message_id

    async def restart(self) -> None:
        """Another bridge takes over what is stored and what is not acknowledged."""
        await self.world.restart()
        await self.repeat()

    async def repeat(self) -> None:
        """The journal tells a new bridge what is not acknowledged."""
        for entry in self.journal:
            if entry.seq not in self.world.network.clients[entry.login].acknowledged:
                self.world.bridge.on_wa_event(entry.login, entry.seq, entry.event)
        await self.world.settled()

    def unacknowledged(self, login: LoginId = LOGIN) -> list[WaEvent]:
        """What would come again."""
        known = self.world.network.clients[login].acknowledged
        return [entry.event for entry in self.journal if entry.login == login and entry.seq not in known]

    def message(
        self,
        content: WaContent,
        *,
        sender: WaJid = BEN,
        alternate: WaJid | None = None,
        chat: WaJid | None = None,
        is_from_me: bool = False,
        message_id: str | None = None,
        at: datetime | None = None,
        push_name: str = "Ben",
    ) -> WaMessage:
        """A message as the host decodes it."""
        number = next(self._ids)
        return WaMessage(
            source=source_of(sender, alternate=alternate, chat=chat, is_from_me=is_from_me),
            message_id=WaMessageId(message_id or f"WA{number}"),
            timestamp=at or START + timedelta(seconds=number),
            content=content,
            push_name=push_name,
        )

    def receipt(self, *message_ids: WaMessageId, kind: WaReceiptKind = WaReceiptKind.READ) -> WaReceipt:
        """Ben has read something."""
        return WaReceipt(source=source_of(BEN), kind=kind, message_ids=message_ids, timestamp=START)

    def typing(self, *, is_typing: bool) -> WaTyping:
        """Ben types."""
        return WaTyping(source=source_of(BEN), is_typing=is_typing)

    async def say(self, body: str, *, relation: MxRelation | None = None, sender: MxUserId = ALICE) -> MxEventId:
        """Alice writes in the room; the id of what she wrote."""
        content = MxMessageContent(body=body, relation=relation, mentions=MxMentions())
        event = MxMessage(origin=self.world.origin(self.room_id, sender), content=content)
        self.world.chats.written[event.origin.event_id] = content
        await self.world.deliver(event)
        await self.world.settled()
        return event.origin.event_id

    async def reply(self, body: str, event_id: MxEventId) -> MxEventId:
        """Alice answers an event."""
        return await self.say(body, relation=MxReply(event_id=event_id))

    async def edit(self, body: str, event_id: MxEventId) -> MxEventId:
        """Alice edits an event."""
        return await self.say(body, relation=MxEdit(event_id=event_id))

    async def react(self, key: str, event_id: MxEventId, *, sender: MxUserId = ALICE) -> MxEventId:
        """Alice reacts, or another."""
        content = MxReactionContent(event_id=event_id, key=key)
        event = MxReaction(origin=self.world.origin(self.room_id, sender), content=content)
        await self.world.deliver(event)
        await self.world.settled()
        return event.origin.event_id

    async def read(self, event_id: MxEventId, *, is_private: bool = False) -> None:
        """Alice has read up to an event."""
        receipt = MxReceipt(
            room_id=self.room_id,
            user=ALICE,
            event_id=event_id,
            is_private=is_private,
            read_at=self.world.clock.now(),
        )
        self.world.bridge.on_mx_ephemeral(receipt)
        await self.world.settled()

    async def redact(self, event_id: MxEventId, *, sender: MxUserId = ALICE) -> None:
        """Alice takes something back, or another."""
        content = MxRedactionContent(top_level=event_id, in_content=event_id)
        await self.world.deliver(MxRedaction(origin=self.world.origin(self.room_id, sender), content=content))
        await self.world.settled()

    def go_offline(self) -> None:
        """WhatsApp cannot be reached."""
        state = WaState(kind=WaStateKind.TRANSIENT_DISCONNECT, since=START, error="wa-not-connected")
        self.world.network.set_state(LOGIN, state)

    async def go_online(self) -> None:
        """WhatsApp can be reached again."""
        self.world.network.set_state(LOGIN, WaState(kind=WaStateKind.CONNECTED, since=START))
        await self.world.settled()

    async def let_time_pass(self) -> None:
        """Run the bridge until it has nothing to do, waking whoever rests."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            idle = asyncio.ensure_future(self.world.bridge.idle())
            while not idle.done():
                self.world.clock.advance(5)
                await asyncio.wait({idle}, timeout=0.01)


def source_of(
    sender: WaJid, *, alternate: WaJid | None = None, chat: WaJid | None = None, is_from_me: bool = False
) -> WaSource:
    """Where something happened: in the chat with the sender unless another one is named."""
    place = chat or sender
    return WaSource(
        chat=place,
        sender=sender,
        sender_alt=alternate,
        is_from_me=is_from_me,
        is_group=place.is_group,
        is_lid_addressed="lid" in (place.server, sender.server),
    )


def ref(message_id: WaMessageId, sender: WaJid = BEN, chat: WaJid = BEN) -> WaMessageRef:
    """Names a message."""
    return WaMessageRef(chat=chat, message_id=message_id, sender=sender)
