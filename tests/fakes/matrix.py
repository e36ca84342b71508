"""A homeserver in memory: the port MatrixApi with rooms, members and a memory of transaction ids."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from mautrix_whatsapp_py.errors import MatrixError, MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUri, MxUserId
from mautrix_whatsapp_py.model.mx import MxNotice, MxPicture, MxServerInfo

BOT = MxUserId("@whatsappbot:localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A notice that reached a room."""

    room_id: MxRoomId
    event_id: MxEventId
    sender: MxUserId
    txn_id: MxTxnId
    notice: MxNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPicture:
    """A picture that reached a room."""

    room_id: MxRoomId
    event_id: MxEventId
    txn_id: MxTxnId
    picture: MxPicture
    data: bytes


@dataclass(slots=True, kw_only=True)
class FakeRoom:
    """Who is where."""

    is_encrypted: bool = False
    joined: set[MxUserId] = field(default_factory=set)
    invited: set[MxUserId] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    error: BaseException
    is_answer_lost: bool


class FakeMatrixApi:
    """The port MatrixApi."""

    def __init__(self) -> None:
        self.rooms: dict[MxRoomId, FakeRoom] = {}
        self.sent: list[Sent] = []
        self.pictures: list[SentPicture] = []
        self.uploads: dict[MxUri, bytes] = {}
        self.redacted: list[MxEventId] = []
        self.is_cut_off = False
        """Whether the bridge is dead: what it still tries has no effect."""
        self.is_cut_off_after_crash = False
        self.refusals: list[tuple[MxRoomId, str]] = []
        self.calls: list[str] = []
        self._called = asyncio.Event()
        self._events: dict[tuple[MxUserId, MxRoomId, MxTxnId], MxEventId] = {}
        self._faults: dict[str, deque[_Fault]] = {}

    @property
    def bot(self) -> MxUserId:
        return BOT

    def add_room(self, room_id: MxRoomId, *people: MxUserId) -> None:
        """A room with people in it and the bot invited."""
        self.rooms[room_id] = FakeRoom(joined=set(people), invited={BOT})

    def fail(self, call: str, error: MatrixError, *, times: int = 1, is_answer_lost: bool = False) -> None:
        """Make the next calls of a method raise, before they take effect or after it."""
        fault = _Fault(error=error, is_answer_lost=is_answer_lost)
        self._faults.setdefault(call, deque()).extend([fault] * times)

    def crash(self, call: str, *, is_answer_lost: bool) -> None:
        """Make the next call end as if the process had been killed, before it takes effect or after it."""
        self._faults.setdefault(call, deque()).append(_Fault(error=KilledError(), is_answer_lost=is_answer_lost))

    def bodies(self, room_id: MxRoomId) -> list[str]:
        """What stands in a room, in order."""
        return [one.notice.body for one in self.sent if one.room_id == room_id]

    async def wait_for_body(self, room_id: MxRoomId, part: str, *, count: int = 1) -> None:
        """Wait until so many notices in a room hold these words."""
        while sum(part in body for body in self.bodies(room_id)) < count:
            self._called.clear()
            await self._called.wait()

    async def wait_for_calls(self, call: str, count: int) -> None:
        """Wait until a method was called so many times."""
        while self.calls.count(call) < count:
            self._called.clear()
            await self._called.wait()

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        fault = self._begin("join_room")
        room = self._require_room(room_id)
        if user not in room.joined | room.invited:
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)
        room.invited.discard(user)
        room.joined.add(user)
        _end(fault)

    async def leave_room(self, room_id: MxRoomId, *, user: MxUserId, reason: str = "") -> None:
        fault = self._begin("leave_room")
        room = self._require_room(room_id)
        if user in room.joined | room.invited:
            self.refusals.append((room_id, reason))
        room.invited.discard(user)
        room.joined.discard(user)
        _end(fault)

    async def send_notice(
        self, room_id: MxRoomId, notice: MxNotice, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        fault = self._begin("send_notice")
        if sender not in self._require_room(room_id).joined:
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)
        key = (sender, room_id, txn_id)
        if key not in self._events:
            event_id = self._events[key] = MxEventId(f"$sent{len(self._events)}")
            self.sent.append(Sent(room_id=room_id, event_id=event_id, sender=sender, txn_id=txn_id, notice=notice))
            self._called.set()
        _end(fault)
        return self._events[key]

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        fault = self._begin("send_redaction")
        self.redacted.append(event_id)
        _end(fault)

    @property
    def reads_encrypted(self) -> bool:
        return False

    async def upload_media(
        self, data: bytes, *, mimetype: str, filename: str, room_id: MxRoomId | None = None
    ) -> MxUri:
        fault = self._begin("upload_media")
        uri = MxUri(f"mxc://localhost/file{len(self.uploads)}")
        self.uploads[uri] = data
        _end(fault)
        return uri

    async def send_picture(
        self, room_id: MxRoomId, picture: MxPicture, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        fault = self._begin("send_picture")
        if sender not in self._require_room(room_id).joined:
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)
        key = (sender, room_id, txn_id)
        if key not in self._events:
            event_id = self._events[key] = MxEventId(f"$sent{len(self._events)}")
            data = self.uploads[picture.uri]
            self.pictures.append(
                SentPicture(room_id=room_id, event_id=event_id, txn_id=txn_id, picture=picture, data=data)
            )
        _end(fault)
        return self._events[key]

    async def fetch_is_encrypted(self, room_id: MxRoomId) -> bool:
        fault = self._begin("fetch_is_encrypted")
        room = self._require_room(room_id)
        _end(fault)
        return room.is_encrypted

    async def fetch_members(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        fault = self._begin("fetch_members")
        room = self._require_room(room_id)
        _end(fault)
        return frozenset(room.joined | room.invited)

    async def fetch_server_info(self) -> MxServerInfo:
        _end(self._begin("fetch_server_info"))
        return MxServerInfo(versions=("v1.4", "v1.11"), unstable={}, software="Fake 1.0")

    async def fetch_whoami(self) -> MxUserId:
        return BOT

    async def send_ping(self) -> float:
        return 0.001

    def _begin(self, call: str) -> _Fault | None:
        if self.is_cut_off:
            raise KilledError
        self.calls.append(call)
        self._called.set()
        faults = self._faults.get(call)
        fault = faults.popleft() if faults else None
        if fault is not None and isinstance(fault.error, KilledError):
            self.is_cut_off = self.is_cut_off_after_crash
        if fault is not None and not fault.is_answer_lost:
            raise fault.error
        return fault

    def _require_room(self, room_id: MxRoomId) -> FakeRoom:
        if room_id not in self.rooms:
            raise MatrixRefused(errcode="M_NOT_FOUND", status=404)
        return self.rooms[room_id]


class KilledError(BaseException):
    """Ends a job like the end of the process would: no handler gets to clean up."""


def _end(fault: _Fault | None) -> None:
    if fault is not None:
        raise fault.error
