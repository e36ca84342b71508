"""The direct chat in which the bot tells a user news; made anew when it is missing."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.people import Users
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms

log = logging.getLogger(__name__)

NAME = "WhatsApp bridge bot"


class ManagementRooms:
    """Every user has one as soon as there is something to tell."""

    def __init__(self, *, users: Users, matrix: MatrixApi, rooms: MatrixRooms) -> None:
        self._users = users
        self._matrix = matrix
        self._rooms = rooms

    async def ensure(self, user: MxUserId) -> MxRoomId:
        """The room where a user can be told something; they are invited to it when it is new."""
        known = await self._users.get_management_room(user)
        if known is not None and await self._holds(known, user):
            return known
        room_id = await self._rooms.create_direct_room(user, name=NAME)
        await self._users.set_management_room(user, room_id)
        log.info("%s has a new management room", user)
        return room_id

    async def _holds(self, room_id: MxRoomId, user: MxUserId) -> bool:
        """Whether somebody is in a room, or invited, and the bot too."""
        try:
            members = await self._matrix.fetch_members(room_id)
        except MatrixRefused:
            return False
        return user in members and self._matrix.bot in members
