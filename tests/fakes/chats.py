"""The port MatrixChats on the homeserver in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.content import MxEdit, MxMessageContent, MxReactionContent
from mautrix_whatsapp_py.model.mx import MxNewRoom, MxSendStatus
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote
from mautrix_whatsapp_py.ports import MatrixChats
from tests.fakes.matrix import BOT, FakeMatrixApi, FakeRoom, _end


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An event of a portal room."""

    room_id: MxRoomId
    event_id: MxEventId
    sender: MxUserId
    content: MxMessageContent | MxReactionContent | MxPollStart | MxPollVote | MxPollEnd
    txn_id: MxTxnId
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """An event that was taken back."""

    event_id: MxEventId
    sender: MxUserId
    reason: str


class FakeMatrixChats:
    """Rooms, ghosts and a memory of transaction ids; faults are set on the homeserver."""

    def __init__(self, homeserver: FakeMatrixApi) -> None:
        self.homeserver = homeserver
        self.rooms: dict[MxRoomId, MxNewRoom] = {}
        self.aliases: dict[str, MxRoomId] = {}
        self.given_up = 0
        """How many rooms have lost their aliases."""
        self.names: dict[MxUserId, str] = {}
        self.ghosts: set[MxUserId] = set()
        self.direct_invites: set[tuple[MxRoomId, MxUserId]] = set()
        self.said: list[Said] = []
        self.redacted: list[Redacted] = []
        self.receipts: list[tuple[MxRoomId, MxEventId, MxUserId]] = []
        self.typing: list[tuple[MxRoomId, MxUserId, float]] = []
        self.presences: list[tuple[MxUserId, bool]] = []
        self.timers: dict[MxRoomId, int] = {}
        self.statuses: list[MxSendStatus] = []
        self.written: dict[MxEventId, MxMessageContent] = {}
        """What people wrote, for whoever quotes it."""
        self.polls: dict[MxEventId, MxPollStart] = {}
        """The polls that people made."""
        self.adopted: dict[MxRoomId, MxNewRoom] = {}
        self.pins: dict[MxRoomId, list[MxEventId]] = {}
        self.unaccepted: set[MxUserId] = set()
        """Senders whose token is not known any more."""
        self._events: dict[tuple[MxUserId, MxRoomId, MxTxnId], MxEventId] = {}
        self._redactions: set[MxTxnId] = set()

    def _suffix(self) -> str:
        return f".{self.given_up}" if self.given_up else ""

    def texts(self, room_id: MxRoomId) -> list[str]:
        """What was said in a room, edits left out."""
        return [
            one.content.body
            for one in self.said
            if one.room_id == room_id
            and isinstance(one.content, MxMessageContent)
            and not isinstance(one.content.relation, MxEdit)
        ]

    async def ensure_ghost(self, ghost: MxUserId) -> None:
        fault = self.homeserver._begin("ensure_ghost")
        self.ghosts.add(ghost)
        _end(fault)

    async def set_name(self, ghost: MxUserId, name: str) -> None:
        fault = self.homeserver._begin("set_name")
        self.names[ghost] = name
        _end(fault)

    async def create_room(self, room: MxNewRoom) -> MxRoomId:
        fault = self.homeserver._begin("create_room")
        room_id = self.aliases.get(room.alias) or MxRoomId(f"!{room.alias}{self._suffix()}:localhost")
        if room_id not in self.rooms:
            self.aliases[room.alias] = room_id
            self.rooms[room_id] = room
            self.homeserver.rooms[room_id] = FakeRoom(joined={BOT}, invited={*room.invites, *room.members})
        _end(fault)
        return room_id

    async def adopt_room(self, room_id: MxRoomId, room: MxNewRoom) -> None:
        self.adopted[room_id] = room

    async def invite(self, room_id: MxRoomId, user: MxUserId, *, is_direct: bool = False) -> None:
        fault = self.homeserver._begin("invite")
        room = self.homeserver._require_room(room_id)
        if user not in room.joined:
            room.invited.add(user)
            if is_direct:
                self.direct_invites.add((room_id, user))
        _end(fault)

    async def ensure_joined(self, room_id: MxRoomId, user: MxUserId, *, is_invited: bool = False) -> None:
        fault = self.homeserver._begin("ensure_joined")
        room = self.homeserver._require_room(room_id)
        room.invited.discard(user)
        room.joined.add(user)
        _end(fault)

    async def send_message(
        self,
        room_id: MxRoomId,
        content: MxMessageContent,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        fault = self.homeserver._begin("send_message")
        event_id = self._say(room_id, content, sender, txn_id, sent_at)
        _end(fault)
        return event_id

    async def send_reaction(
        self,
        room_id: MxRoomId,
        content: MxReactionContent,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        fault = self.homeserver._begin("send_reaction")
        event_id = self._say(room_id, content, sender, txn_id, sent_at)
        _end(fault)
        return event_id

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        fault = self.homeserver._begin("send_redaction")
        authors = {one.event_id: one.sender for one in self.said}
        if sender not in (BOT, authors.get(event_id)):
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)
        if txn_id not in self._redactions:
            self._redactions.add(txn_id)
            self.redacted.append(Redacted(event_id=event_id, sender=sender, reason=reason))
        _end(fault)

    async def send_receipt(self, room_id: MxRoomId, event_id: MxEventId, *, reader: MxUserId) -> None:
        fault = self.homeserver._begin("send_receipt")
        self._require_member(room_id, reader)
        self.receipts.append((room_id, event_id, reader))
        _end(fault)

    async def set_timer(self, room_id: MxRoomId, seconds: int) -> None:
        fault = self.homeserver._begin("set_timer")
        self.timers[room_id] = seconds
        _end(fault)

    async def send_typing(self, room_id: MxRoomId, *, user: MxUserId, for_seconds: float) -> None:
        fault = self.homeserver._begin("send_typing")
        self._require_member(room_id, user)
        self.typing.append((room_id, user, for_seconds))
        _end(fault)

    async def set_presence(self, user: MxUserId, *, is_online: bool) -> None:
        fault = self.homeserver._begin("set_presence")
        self.presences.append((user, is_online))
        _end(fault)

    async def fetch_message(self, room_id: MxRoomId, event_id: MxEventId) -> MxMessageContent | None:
        fault = self.homeserver._begin("fetch_message")
        found = self.written.get(event_id)
        for one in self.said:
            if one.event_id == event_id and isinstance(one.content, MxMessageContent):
                found = one.content
        _end(fault)
        return found

    async def send_poll(
        self,
        room_id: MxRoomId,
        content: MxPollStart | MxPollVote | MxPollEnd,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        fault = self.homeserver._begin("send_poll")
        event_id = self._say(room_id, content, sender, txn_id, sent_at)
        _end(fault)
        return event_id

    async def fetch_poll(self, room_id: MxRoomId, event_id: MxEventId) -> MxPollStart | None:
        fault = self.homeserver._begin("fetch_poll")
        found = self.polls.get(event_id)
        for one in self.said:
            if one.event_id == event_id and isinstance(one.content, MxPollStart):
                found = one.content
            elif one.event_id == event_id and isinstance(one.content, MxMessageContent):
                found = one.content.poll
        _end(fault)
        return found

    async def set_pinned(self, room_id: MxRoomId, event_id: MxEventId, *, is_pinned: bool) -> None:
        fault = self.homeserver._begin("set_pinned")
        pins = self.pins.setdefault(room_id, [])
        if event_id in pins:
            pins.remove(event_id)
        if is_pinned:
            pins.append(event_id)
        _end(fault)

    async def send_status(self, room_id: MxRoomId, status: MxSendStatus, *, txn_id: MxTxnId) -> None:
        fault = self.homeserver._begin("send_status")
        self.statuses.append(status)
        _end(fault)

    def _say(
        self,
        room_id: MxRoomId,
        content: MxMessageContent | MxReactionContent | MxPollStart | MxPollVote | MxPollEnd,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None,
    ) -> MxEventId:
        self._require_member(room_id, sender)
        key = (sender, room_id, txn_id)
        if key not in self._events:
            event_id = self._events[key] = MxEventId(f"$said{len(self._events)}")
            said = Said(
                room_id=room_id, event_id=event_id, sender=sender, content=content, txn_id=txn_id, sent_at=sent_at
            )
            self.said.append(said)
        return self._events[key]

    def _require_member(self, room_id: MxRoomId, user: MxUserId) -> None:
        if user in self.unaccepted:
            raise MatrixRefused(errcode="M_UNKNOWN_TOKEN", status=401)
        if user not in self.homeserver._require_room(room_id).joined:
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)


def _fits_the_port(chats: FakeMatrixChats) -> MatrixChats:
    return chats
