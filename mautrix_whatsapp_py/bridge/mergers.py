"""Two rows turned out to be one person: one ghost stays, and one room per chat."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import msgspec

from mautrix_whatsapp_py.bridge.persons import Merged
from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.errors import BridgeError
from mautrix_whatsapp_py.ids import LoginId, MxRoomId, PersonId, PortalKey
from mautrix_whatsapp_py.model.group import GroupRole
from mautrix_whatsapp_py.model.portal import Portal, direct_chat
from mautrix_whatsapp_py.store.mergers import MergerRecord, MergerRecords
from mautrix_whatsapp_py.tasks import end_all, spawn

log = logging.getLogger(__name__)

GOES_ON = "WhatsApp shows that this chat and another one are with the same person. It goes on there."


class Mergers:
    """Shows on Matrix what the database has merged; what a crash interrupts is done again at the next start."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._rows = MergerRecords()
        self._lock = asyncio.Lock()
        self._is_left_over = True
        """Whether there may be something to do: an earlier run may have left it."""
        self._tasks: set[asyncio.Task[None]] = set()
        talk.persons.add_listener(self._on_merged)

    def _start(self) -> None:
        spawn(self._work(), name="merge rooms", tasks=self._tasks)

    def retry(self) -> None:
        """Do what is left to do; not before the logins are known."""
        if self._is_left_over and not self._tasks:
            self._start()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Stop what is under way."""
        await end_all(self._tasks)

    def _on_merged(self, _merged: Merged) -> None:
        self._talk.portals.forget()
        self._start()

    async def _work(self) -> None:
        async with self._lock:
            try:
                async with self._talk.store.reading() as tx:
                    mergers = await self._rows.get_all(tx)
                for dropped, record in mergers.items():
                    await self._merge(dropped, record)
                    async with self._talk.store.transaction() as tx:
                        await self._rows.drop(tx, dropped)
                self._is_left_over = False
            except BridgeError as error:
                self._is_left_over = True
                log.info("rooms of one person are still two: %s", type(error).__name__)

    async def _merge(self, dropped: PersonId, record: MergerRecord) -> None:
        for portal in await self._talk.portals.get_all():
            if portal.key.chat == direct_chat(dropped):
                await self._talk.following.deps.turns.take(portal.id, partial(self._close, portal, record.kept))
        rooms = self._talk.following.deps.matrix_rooms
        for room_id in await rooms.fetch_joined_rooms(record.ghost):
            await self._replace_ghost(room_id, dropped, record)

    async def _close(self, portal: Portal, kept: PersonId) -> None:
        """Point from the room of a chat to that of the same chat, and let the first one go."""
        receiver = portal.key.receiver
        login = None if receiver is None else self._talk.logins.get(LoginId(receiver))
        if login is not None and portal.room_id is not None:
            key = PortalKey(chat=direct_chat(kept), receiver=receiver)
            goal = await self._talk.rooms.ensure_room(await self._talk.portals.ensure(key), login)
            await self._talk.chats.invite(goal, login.user)
            await self._talk.following.deps.rooms.deps.groups.replace_room(portal.room_id, by=goal, text=GOES_ON)
            self._talk.following.deps.spaces.want(login)
        await self._talk.recorded(portal.id)
        await self._talk.portals.remove(portal)

    async def _replace_ghost(self, room_id: MxRoomId, dropped: PersonId, record: MergerRecord) -> None:
        following = self._talk.following
        portal_id = self._talk.portals.get_id(room_id)
        portal = None if portal_id is None else await self._talk.portals.get(portal_id)
        if portal is not None and portal.key.chat.is_group:
            work = partial(self._adopt, portal, room_id, dropped, record.kept)
            await following.deps.turns.take(portal.id, work)
        await following.deps.matrix.leave_room(room_id, user=record.ghost)

    async def _adopt(self, portal: Portal, room_id: MxRoomId, dropped: PersonId, kept: PersonId) -> None:
        """Have one member of a group where there were two."""
        rooms = self._talk.following.deps.rooms
        record = await rooms.get(room_id)
        if dropped not in record.facts.roles:
            return
        roles = dict(record.facts.roles)
        role = roles.pop(dropped)
        roles[kept] = max(role, roles.get(kept, GroupRole.MEMBER))
        await rooms.apply(portal, room_id, msgspec.structs.replace(record.facts, roles=roles))
