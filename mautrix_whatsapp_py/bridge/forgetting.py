"""Removes everything of a user who wants to be forgotten."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.bridge.closings import Closings
from mautrix_whatsapp_py.bridge.logins import Logins
from mautrix_whatsapp_py.bridge.portals import Portals
from mautrix_whatsapp_py.bridge.rooms import Rooms
from mautrix_whatsapp_py.errors import MatrixRefused, WhatsAppError
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, MxUserId
from mautrix_whatsapp_py.model.login import Login
from mautrix_whatsapp_py.model.portal import Portal
from mautrix_whatsapp_py.ports_chats import MatrixRooms
from mautrix_whatsapp_py.store.group_records import SpaceRecords
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.user_end import UserEnd

log = logging.getLogger(__name__)

GONE = "Removed at the wish of its user."


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingDeps:
    """What it works with."""

    store: Store
    logins: Logins
    portals: Portals
    chat_rooms: Rooms
    closings: Closings
    rooms: MatrixRooms
    stop_acting_as: Callable[[MxUserId], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What there is of somebody."""

    numbers: tuple[str, ...]
    own_rooms: int
    shared_rooms: int


class Forgetting:
    """Links first and rows last: what a crash interrupts is done again when it is asked for again."""

    def __init__(self, deps: ForgettingDeps) -> None:
        self._deps = deps
        self._end = UserEnd()

    async def look(self, user: MxUserId) -> Belongings:
        """What would be removed."""
        own, shared = await self._sort(user)
        numbers = tuple(login.number for login in self._deps.logins.of_user(user))
        return Belongings(numbers=numbers, own_rooms=len(own), shared_rooms=len(shared))

    async def forget(self, user: MxUserId) -> tuple[str, ...]:
        """Remove it all; the numbers whose phones could not be told that they are unlinked."""
        logins = self._deps.logins.of_user(user)
        own, shared = await self._sort(user)
        spaces = await self._find_spaces([login.id for login in logins])
        untold = tuple([login.number for login in logins if not await self._unlink(login)])
        for portal in own:
            await self._deps.closings.delete(portal, reason=GONE, drops_waiting=True)
        for portal in shared:
            await self._leave(portal, user)
        for space_id in spaces:
            await self._deps.closings.empty(space_id, reason=GONE)
        await self._deps.stop_acting_as(user)
        login_ids = [login.id for login in logins]
        await self._deps.store.write(lambda tx: self._end.remove(tx, user, login_ids))
        return untold

    async def _sort(self, user: MxUserId) -> tuple[list[Portal], list[Portal]]:
        """The chats that are this user's alone, and those that others have too."""
        logins = {login.id for login in self._deps.logins.of_user(user)}
        own: list[Portal] = []
        shared: list[Portal] = []
        for portal in await self._deps.portals.get_all():
            if portal.key.receiver is not None:
                own += [portal] if portal.key.receiver in logins else []
                continue
            sharers = await self._sharers(portal)
            if user in sharers:
                (shared if sharers - {user} else own).append(portal)
        return own, shared

    async def _sharers(self, portal: Portal) -> frozenset[MxUserId]:
        async with self._deps.store.reading() as tx:
            return await self._end.get_sharers(tx, portal.id)

    async def _find_spaces(self, login_ids: list[LoginId]) -> list[MxRoomId]:
        records = SpaceRecords()
        async with self._deps.store.reading() as tx:
            found = [await records.get(tx, login_id) for login_id in login_ids]
        return [MxRoomId(record.room_id) for record in found if record is not None]

    async def _unlink(self, login: Login) -> bool:
        try:
            return await self._deps.logins.logout(login)
        except WhatsAppError:
            # The phone cannot be told, but what is here goes all the same.
            await self._deps.logins.delete_session(login)
            return False

    async def _leave(self, portal: Portal, user: MxUserId) -> None:
        if portal.room_id is not None:
            try:
                await self._deps.rooms.remove_from(portal.room_id, user, reason=GONE)
            except MatrixRefused as error:
                log.info("a user stays in a shared room: %s", error.errcode)
        await self._deps.chat_rooms.forget_invite(portal.id, user)
