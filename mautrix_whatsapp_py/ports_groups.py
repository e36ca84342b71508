"""What groups, spaces and pictures need of the two networks; adapters implement it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUri, MxUserId, WaJid
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange, MxNewSpace, MxRoomFace
from mautrix_whatsapp_py.model.wa_group import WaMemberChange, WaMemberOutcome, WaPicture


class WhatsAppGroups(Protocol):
    """What one login can change about groups, and whose pictures it can see; errors are WhatsAppDirectory's."""

    async def set_name(self, chat: WaJid, name: str) -> None:
        """Name a group."""

    async def set_topic(self, chat: WaJid, topic: str, *, previous_id: str) -> None:
        """Give a group another topic, in place of the one with this id."""

    async def set_picture(self, chat: WaJid, jpeg: bytes) -> str:
        """Give a group a picture, or none for no bytes; the id of the picture."""

    async def set_announcement(self, chat: WaJid, *, is_announcement: bool) -> None:
        """Let only admins write, or everybody."""

    async def set_locked(self, chat: WaJid, *, is_locked: bool) -> None:
        """Let only admins change name, topic and picture, or everybody."""

    async def change_members(
        self, chat: WaJid, people: Sequence[WaJid], change: WaMemberChange
    ) -> Sequence[WaMemberOutcome]:
        """Add, remove, promote or demote people; what became of each."""

    async def fetch_picture(self, jid: WaJid, *, known_id: str = "", is_community: bool = False) -> WaPicture:
        """Somebody's picture, unless it is the known one."""

    async def fetch_blocked(self) -> Sequence[WaJid]:
        """Whom the account has blocked."""

    async def set_blocked(self, person: WaJid, *, is_blocked: bool) -> None:
        """Block somebody, or let them through again."""


OpenGroups: TypeAlias = Callable[[LoginId], WhatsAppGroups | None]
"""The group changes of a login; None when it has no session."""


class MatrixGroups(Protocol):
    """The homeserver as rooms of groups and spaces use it; deadlines, retries and errors are those of MatrixApi.

    What is set for somebody who may not is set by the bot.
    """

    async def set_room_name(self, room_id: MxRoomId, name: str, *, sender: MxUserId | None = None) -> None:
        """Name a room."""

    async def set_room_topic(self, room_id: MxRoomId, topic: str, *, sender: MxUserId | None = None) -> None:
        """Say what a room is about."""

    async def set_room_avatar(
        self, room_id: MxRoomId, avatar: MxUri | None, *, sender: MxUserId | None = None
    ) -> None:
        """Give a room a picture, or none."""

    async def fetch_face(self, room_id: MxRoomId) -> MxRoomFace:
        """What a room shows of itself now."""

    async def change_levels(self, room_id: MxRoomId, change: MxLevelsChange) -> bool:
        """Have levels hold; whether something had to be changed."""

    async def remove_ghost(
        self, room_id: MxRoomId, ghost: MxUserId, *, sender: MxUserId | None = None, reason: str = ""
    ) -> None:
        """Have a ghost leave; by `sender`, if that one may remove it."""

    async def set_ghost_avatar(self, ghost: MxUserId, avatar: MxUri | None) -> None:
        """Give a ghost a picture, or none."""

    async def download_media(self, uri: MxUri, *, limit_bytes: int) -> bytes:
        """A file of the homeserver; MatrixRefused when it is larger than that."""

    async def create_space(self, space: MxNewSpace) -> MxRoomId:
        """Make a space; asking for the same alias again gives the space that is there."""

    async def give_up_space(self, alias: str) -> None:
        """Have the next space of this alias be another one."""

    async def set_child(self, space_id: MxRoomId, room_id: MxRoomId, *, is_child: bool) -> None:
        """Put a room into a space, or take it out; both rooms are told."""

    async def replace_room(self, room_id: MxRoomId, *, by: MxRoomId, text: str) -> None:
        """Send those who are in a room to another one; nothing where the room is gone already."""

    async def close_room(self, room_id: MxRoomId) -> None:
        """Have the bot leave a room of its own for good."""


class JpegMaker(Protocol):
    """Turns pictures into what WhatsApp takes as a group's."""

    def to_square_jpeg(self, data: bytes) -> bytes:
        """A square JPEG of at most 640 pixels; ValueError when the data is no picture. Blocks."""
