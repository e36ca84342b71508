"""The port MatrixRooms on the homeserver in memory."""

from __future__ import annotations

from collections.abc import Sequence

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.levels import MxLevels
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from tests.fakes.chats import FakeMatrixChats
from tests.fakes.matrix import BOT, FakeMatrixApi, FakeRoom


class FakeMatrixRooms:
    """Levels, names and removals; a chat's room loses its alias by being forgotten."""

    def __init__(self, homeserver: FakeMatrixApi, chats: FakeMatrixChats) -> None:
        self.homeserver = homeserver
        self.chats = chats
        self.names: dict[MxRoomId, str] = {}
        self.levels: dict[MxRoomId, MxLevels] = {}
        self.removed: list[tuple[MxRoomId, MxUserId]] = []
        self.made: list[MxRoomId] = []
        self.closed: set[MxRoomId] = set()
        """Rooms into which our users may invite nobody."""

    async def fetch_joined_rooms(self, user: MxUserId | None = None) -> Sequence[MxRoomId]:
        return [room_id for room_id, room in self.homeserver.rooms.items() if (user or BOT) in room.joined]

    async def fetch_name(self, room_id: MxRoomId) -> str:
        return self.names.get(room_id, "")

    async def fetch_levels(self, room_id: MxRoomId) -> MxLevels:
        return self.levels.get(room_id, MxLevels())

    async def set_level(self, room_id: MxRoomId, user: MxUserId, level: int) -> None:
        current = self.levels.get(room_id, MxLevels())
        if level > current.of(BOT):
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)
        self.levels[room_id] = MxLevels(users={**current.users, user: level})

    async def bring_bot(self, room_id: MxRoomId, *, by: MxUserId) -> None:
        room = self.homeserver.rooms[room_id]
        if by not in room.joined or (room_id in self.closed and BOT not in room.joined | room.invited):
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)
        room.joined.add(BOT)

    async def remove_from(self, room_id: MxRoomId, user: MxUserId, *, reason: str) -> None:
        room = self.homeserver.rooms[room_id]
        room.joined.discard(user)
        room.invited.discard(user)
        self.removed.append((room_id, user))

    async def remove_aliases(self, room_id: MxRoomId) -> None:
        room = self.chats.rooms.pop(room_id, None)
        if room is not None:
            self.chats.aliases.pop(room.alias, None)
            self.chats.given_up += 1

    async def create_direct_room(self, user: MxUserId, *, name: str) -> MxRoomId:
        room_id = MxRoomId(f"!direct{len(self.made)}:localhost")
        self.homeserver.rooms[room_id] = FakeRoom(joined={BOT}, invited={user})
        self.made.append(room_id)
        return room_id


def _fits_the_port(rooms: FakeMatrixRooms) -> MatrixRooms:
    return rooms
