"""What clients show of rooms, in memory: the port MatrixAccounts."""

from __future__ import annotations

from collections import defaultdict, deque

from mautrix_whatsapp_py.errors import MatrixError, MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.chat_marks import MxAccountNews
from mautrix_whatsapp_py.model.mx import MxReceipt
from mautrix_whatsapp_py.ports_doubles import MatrixAccounts
from tests.fakes.doubles import FakeMatrixDoubles


class FakeAccounts:
    """Everybody's tags, mutes and marks; what is changed by whomever is news."""

    def __init__(self, doubles: FakeMatrixDoubles) -> None:
        self._doubles = doubles
        self.tags: defaultdict[MxRoomId, set[str]] = defaultdict(set)
        self.muted: set[MxRoomId] = set()
        self.unread: dict[MxRoomId, bool] = {}
        self.read_up_to: dict[MxRoomId, MxEventId] = {}
        self.asked: list[str] = []
        self.faults: deque[MatrixError] = deque()
        self._changes: list[tuple[str, MxRoomId]] = []

    async def set_tag(self, room_id: MxRoomId, tag: str, *, is_set: bool, user: MxUserId) -> None:
        self._begin(f"{'tag' if is_set else 'untag'} {tag}", user)
        self.tag(room_id, tag, is_set=is_set)

    async def set_muted(self, room_id: MxRoomId, *, is_muted: bool, user: MxUserId) -> None:
        self._begin("mute" if is_muted else "unmute", user)
        self.mute(room_id, is_muted=is_muted)

    async def fetch_news(self, user: MxUserId, since: str | None, *, with_receipts: bool = False) -> MxAccountNews:
        if self.faults:
            raise self.faults.popleft()
        changes = self._changes[int(since or "0") :]
        kinds = ("tags", "muted", "unread", "read")
        rooms = {kind: {room for what, room in changes if what == kind} for kind in kinds}
        return MxAccountNews(
            batch=str(len(self._changes)),
            tags={room: frozenset(self.tags[room]) for room in rooms["tags"]},
            unread={room: self.unread[room] for room in rooms["unread"]},
            muted=frozenset(self.muted) if rooms["muted"] or since is None else None,
            read=[self._receipt(room, user) for room in rooms["read"] if with_receipts],
        )

    def tag(self, room_id: MxRoomId, tag: str, *, is_set: bool = True) -> None:
        """A user puts a room under a tag."""
        (self.tags[room_id].add if is_set else self.tags[room_id].discard)(tag)
        self._changes.append(("tags", room_id))

    def mute(self, room_id: MxRoomId, *, is_muted: bool = True) -> None:
        """A user mutes a room."""
        (self.muted.add if is_muted else self.muted.discard)(room_id)
        self._changes.append(("muted", room_id))

    def mark_unread(self, room_id: MxRoomId) -> None:
        """A user marks a room as unread."""
        self.unread[room_id] = True
        self._changes.append(("unread", room_id))

    def read(self, room_id: MxRoomId, event_id: MxEventId) -> None:
        """A user reads a room and tells nobody in it."""
        self.read_up_to[room_id] = event_id
        self._changes.append(("read", room_id))

    def _receipt(self, room_id: MxRoomId, user: MxUserId) -> MxReceipt:
        event_id = self.read_up_to[room_id]
        return MxReceipt(room_id=room_id, user=user, event_id=event_id, is_private=True, read_at=None)

    def _begin(self, call: str, user: MxUserId) -> None:
        self.asked.append(call)
        if self.faults:
            raise self.faults.popleft()
        if user in self._doubles.unaccepted:
            raise MatrixRefused(errcode="M_UNKNOWN_TOKEN", status=401)


def _fits_the_port(accounts: FakeAccounts) -> MatrixAccounts:
    return accounts
