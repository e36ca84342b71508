"""Ends portals: the room is let go, or emptied and closed; the chat on WhatsApp stays as it is."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.errors import CommandError, MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.ports import MatrixApi
from mautrix_whatsapp_py.ports_chats import MatrixRooms

log = logging.getLogger(__name__)

DELETED = "This chat is not bridged any more."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingDeps:
    """What ending a portal takes."""

    portals: Portals
    matrix: MatrixApi
    rooms: MatrixRooms
    is_ours: Callable[[MxUserId], bool]
    settled: Callable[[PortalId], Awaitable[None]]
    """Waits until what happened in a chat is recorded."""


class Closings:
    """The rooms first and the rows last, so that what a crash interrupts is done again."""

    def __init__(self, deps: ClosingDeps) -> None:
        self._deps = deps

    async def unbridge(self, portal: Portal) -> None:
        """Let go of a room: ghosts leave, people and the bot stay."""
        await self._require_sent(portal)
        if portal.room_id is not None:
            await self._remove_aliases(portal.room_id)
            await self._leave(portal.room_id)
        await self._deps.portals.remove(portal)

    async def delete(self, portal: Portal, *, reason: str = DELETED, drops_waiting: bool = False) -> None:
        """Empty a room: everybody leaves or is removed, the bot last.

        CommandError while messages of its are on their way to WhatsApp, unless those may be dropped.
        """
        if drops_waiting:
            await self._deps.settled(portal.id)
        else:
            await self._require_sent(portal)
        room_id = portal.room_id
        if room_id is not None:
            await self._remove_aliases(room_id)
            await self.empty(room_id, reason=reason)
        await self._deps.portals.remove(portal)

    async def empty(self, room_id: MxRoomId, *, reason: str = DELETED) -> None:
        """Have everybody leave a room, the bot last."""
        bot = self._deps.matrix.bot
        members = await self._members(room_id)
        for user in sorted(members):
            if not self._deps.is_ours(user):
                await self._deps.rooms.remove_from(room_id, user, reason=reason)
        await self._leave(room_id)
        await self._deps.matrix.leave_room(room_id, user=bot)

    async def _leave(self, room_id: MxRoomId) -> None:
        for user in sorted(await self._members(room_id)):
            if user != self._deps.matrix.bot and self._deps.is_ours(user):
                await self._deps.matrix.leave_room(room_id, user=user)

    async def _members(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        try:
            return await self._deps.matrix.fetch_members(room_id)
        except MatrixRefused as error:
            log.info("a room's members are not to be seen: %s", error.errcode)
            return frozenset()

    async def _require_sent(self, portal: Portal) -> None:
        await self._deps.settled(portal.id)
        waiting = await self._deps.portals.count_waiting(portal)
        if waiting:
            raise CommandError(
                f"{waiting} of this chat's messages are still on their way to WhatsApp. "
                "Wait until they are sent, or redact them, and try again."
            )

    async def _remove_aliases(self, room_id: MxRoomId) -> None:
        """Without them a new room can be made for the chat."""
        try:
            await self._deps.rooms.remove_aliases(room_id)
        except MatrixRefused as error:
            log.info("the aliases of a room stay: %s", error.errcode)
