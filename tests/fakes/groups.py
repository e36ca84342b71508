"""The ports of groups, on fakes in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from mautrix_whatsapp_py.errors import MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.ids import MxRoomId, MxUri, MxUserId, WaJid
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange, MxNewSpace, MxRoomFace
from mautrix_whatsapp_py.model.wa_group import WaMemberChange, WaMemberOutcome, WaPicture, WaPictureState
from mautrix_whatsapp_py.ports_groups import JpegMaker, MatrixGroups, WhatsAppGroups
from tests.fakes.matrix import BOT, FakeMatrixApi, FakeRoom


@dataclass(slots=True, kw_only=True)
class Shape:
    """What a room was made to look like."""

    name: str = ""
    topic: str = ""
    avatar: MxUri | None = None
    users: dict[MxUserId, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    events_default: int = 0
    invite: int = 0
    children: set[MxRoomId] = field(default_factory=set)


class FakeMatrixGroups:
    """Rooms' state; `calls` are the requests that were made."""

    def __init__(self, homeserver: FakeMatrixApi) -> None:
        self.homeserver = homeserver
        self.shapes: dict[MxRoomId, Shape] = {}
        self.calls: list[str] = []
        self.avatars: dict[MxUserId, MxUri | None] = {}
        self.media: dict[MxUri, bytes] = {}
        self.removed: list[tuple[MxRoomId, MxUserId]] = []
        self.spaces: dict[MxRoomId, MxNewSpace] = {}
        self.replaced: dict[MxRoomId, MxRoomId] = {}
        self.aliases: dict[str, MxRoomId] = {}

    def shape(self, room_id: MxRoomId) -> Shape:
        """What a room looks like."""
        return self.shapes.setdefault(room_id, Shape())

    async def set_room_name(self, room_id: MxRoomId, name: str, *, sender: MxUserId | None = None) -> None:
        self._begin("set_room_name", room_id)
        self.shape(room_id).name = name

    async def set_room_topic(self, room_id: MxRoomId, topic: str, *, sender: MxUserId | None = None) -> None:
        self._begin("set_room_topic", room_id)
        self.shape(room_id).topic = topic

    async def set_room_avatar(
        self, room_id: MxRoomId, avatar: MxUri | None, *, sender: MxUserId | None = None
    ) -> None:
        self._begin("set_room_avatar", room_id)
        self.shape(room_id).avatar = avatar

    async def fetch_face(self, room_id: MxRoomId) -> MxRoomFace:
        shape = self.shape(room_id)
        return MxRoomFace(name=shape.name, topic=shape.topic, avatar=shape.avatar)

    async def change_levels(self, room_id: MxRoomId, change: MxLevelsChange) -> bool:
        self._begin("change_levels", room_id)
        shape = self.shape(room_id)
        shape.users = {user: level for user, level in {**shape.users, **change.users}.items() if level}
        shape.events |= change.events
        shape.events_default = shape.events_default if change.events_default is None else change.events_default
        shape.invite = shape.invite if change.invite is None else change.invite
        return True

    async def remove_ghost(
        self, room_id: MxRoomId, ghost: MxUserId, *, sender: MxUserId | None = None, reason: str = ""
    ) -> None:
        self._begin("remove_ghost", room_id)
        room = self.homeserver.rooms[room_id]
        room.joined.discard(ghost)
        room.invited.discard(ghost)
        self.removed.append((room_id, ghost))

    async def set_ghost_avatar(self, ghost: MxUserId, avatar: MxUri | None) -> None:
        self.calls.append("set_ghost_avatar")
        self.avatars[ghost] = avatar

    async def download_media(self, uri: MxUri, *, limit_bytes: int) -> bytes:
        if uri not in self.media:
            raise MatrixRefused(errcode="M_NOT_FOUND", status=404)
        return self.media[uri]

    async def create_space(self, space: MxNewSpace) -> MxRoomId:
        self.calls.append("create_space")
        if space.alias in self.aliases:
            return self.aliases[space.alias]
        room_id = MxRoomId(f"!space{len(self.spaces)}:localhost")
        self.spaces[room_id] = space
        self.aliases[space.alias] = room_id
        self.shape(room_id).name = space.name
        self.homeserver.rooms[room_id] = FakeRoom(joined={BOT}, invited=set(space.invites))
        return room_id

    async def give_up_space(self, alias: str) -> None:
        self.aliases.pop(alias, None)

    async def set_child(self, space_id: MxRoomId, room_id: MxRoomId, *, is_child: bool) -> None:
        self._begin("set_child", space_id)
        children = self.shape(space_id).children
        if is_child:
            children.add(room_id)
        else:
            children.discard(room_id)

    async def replace_room(self, room_id: MxRoomId, *, by: MxRoomId, text: str) -> None:
        self._begin("replace_room", room_id)
        self.replaced[room_id] = by

    async def close_room(self, room_id: MxRoomId) -> None:
        self._begin("close_room", room_id)
        self.homeserver.rooms[room_id].joined.discard(BOT)

    def _begin(self, call: str, room_id: MxRoomId) -> None:
        self.calls.append(call)
        room = self.homeserver.rooms.get(room_id)
        if room is None or BOT not in room.joined:
            raise MatrixRefused(errcode="M_FORBIDDEN", status=403)


class FakeGroups:
    """What one account changes about groups."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.pictures: dict[WaJid, WaPicture] = {}
        self.blocked: list[WaJid] = []
        self.member_errors: dict[WaJid, int] = {}
        self._faults: deque[WhatsAppError] = deque()

    def fail(self, error: WhatsAppError, *, times: int = 1) -> None:
        """Make the next changes raise."""
        self._faults.extend([error] * times)

    async def set_name(self, chat: WaJid, name: str) -> None:
        self._begin("set_name", chat, name)

    async def set_topic(self, chat: WaJid, topic: str, *, previous_id: str) -> None:
        self._begin("set_topic", chat, topic, previous_id)

    async def set_picture(self, chat: WaJid, jpeg: bytes) -> str:
        self._begin("set_picture", chat, jpeg)
        return f"picture{len(self.calls)}" if jpeg else ""

    async def set_announcement(self, chat: WaJid, *, is_announcement: bool) -> None:
        self._begin("set_announcement", chat, is_announcement)

    async def set_locked(self, chat: WaJid, *, is_locked: bool) -> None:
        self._begin("set_locked", chat, is_locked)

    async def change_members(
        self, chat: WaJid, people: Sequence[WaJid], change: WaMemberChange
    ) -> Sequence[WaMemberOutcome]:
        self._begin("change_members", chat, tuple(people), change)
        return [WaMemberOutcome(jid=jid, error=self.member_errors.get(jid, 0)) for jid in people]

    async def fetch_picture(self, jid: WaJid, *, known_id: str = "", is_community: bool = False) -> WaPicture:
        picture = self.pictures.get(jid, WaPicture(state=WaPictureState.NONE))
        if picture.state is WaPictureState.FOUND and picture.picture_id == known_id:
            return WaPicture(state=WaPictureState.UNCHANGED, picture_id=known_id)
        return picture

    async def fetch_blocked(self) -> Sequence[WaJid]:
        return tuple(self.blocked)

    async def set_blocked(self, person: WaJid, *, is_blocked: bool) -> None:
        self._begin("set_blocked", person, is_blocked)
        if is_blocked:
            self.blocked.append(person)
        else:
            self.blocked.remove(person)

    def _begin(self, *call: object) -> None:
        self.calls.append(call)
        if self._faults:
            raise self._faults.popleft()


class FakeJpegs:
    """Takes everything but the word "bad" for a picture."""

    def to_square_jpeg(self, data: bytes) -> bytes:
        if data == b"bad":
            raise ValueError("no picture")
        return b"jpeg " + data


def _fits_the_ports(matrix: FakeMatrixGroups, whatsapp: FakeGroups, jpegs: FakeJpegs) -> None:
    _: tuple[MatrixGroups, WhatsAppGroups, JpegMaker] = (matrix, whatsapp, jpegs)
