"""The chats that have, or will have, a room."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from mautrix_whatsapp_py.ids import MxRoomId, PortalKey
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.store.portal_end import PortalEnd
from mautrix_whatsapp_py.store.portals import PortalRows
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.tx import Work

CACHE_SIZE = 2_000


class Portals:
    """Every room that is a portal is known; what else there is to know of one is loaded when it is asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = PortalRows()
        self._end = PortalEnd()
        self._by_room: dict[MxRoomId, PortalId] = {}
        self._by_id: OrderedDict[PortalId, Portal] = OrderedDict()
        self._by_key: dict[PortalKey, PortalId] = {}
        self._removals = 0
        """What was read before a portal was removed may be that portal, and must not be remembered."""

    async def load(self) -> None:
        """Read which rooms are portals; before the first event."""
        async with self._store.reading() as tx:
            self._by_room = dict(await self._rows.get_rooms(tx))

    def get_id(self, room_id: MxRoomId) -> PortalId | None:
        """The portal of a room."""
        return self._by_room.get(room_id)

    def get_known(self, key: PortalKey) -> Portal | None:
        """The portal of a chat, if that is known without asking the database."""
        portal_id = self._by_key.get(key)
        return None if portal_id is None else self._by_id.get(portal_id)

    def get_loaded(self, portal_id: PortalId) -> Portal | None:
        """One portal, if it is known without asking the database."""
        return self._by_id.get(portal_id)

    async def ensure(self, key: PortalKey) -> Portal:
        """The portal of a chat, made when there is none."""
        known = self.get_known(key)
        if known is not None:
            return known
        while True:
            removals = self._removals
            async with self._store.transaction() as tx:
                portal = await self._rows.ensure(tx, key)
            if removals == self._removals:
                return self._remember(portal)

    async def find(self, key: PortalKey) -> Portal | None:
        """The portal of a chat, if there is one."""
        known = self.get_known(key)
        if known is not None:
            return known
        return await self._read(lambda tx: self._rows.get(tx, key))

    async def get(self, portal_id: PortalId) -> Portal | None:
        """One portal as it is now."""
        known = self._by_id.get(portal_id)
        if known is not None:
            return known
        return await self._read(lambda tx: self._rows.get_by_id(tx, portal_id))

    async def put(self, portal: Portal) -> Portal:
        """Store what changed about a portal; one that was removed meanwhile stays removed."""
        removals = self._removals
        async with self._store.transaction() as tx:
            is_there = await self._rows.put(tx, portal)
        if not is_there:
            return portal
        if removals != self._removals:
            return await self._read(lambda tx: self._rows.get_by_id(tx, portal.id)) or portal
        return self._remember(portal)

    async def set_addressing(self, portal: Portal, *, is_lid_addressed: bool) -> Portal:
        """Remember how the chat addresses people."""
        if portal.is_lid_addressed == is_lid_addressed:
            return portal
        return await self.put(replace(portal, is_lid_addressed=is_lid_addressed))

    async def get_all(self) -> list[Portal]:
        """Every portal, with or without a room."""
        found = await self._store.read(self._rows.get_all)
        return [self._by_id.get(portal.id, portal) for portal in found]

    async def count_waiting(self, portal: Portal) -> int:
        """How many messages of a chat are on their way to WhatsApp."""
        async with self._store.reading() as tx:
            return await self._end.count_waiting(tx, portal.id)

    async def set_room(self, portal: Portal, room_id: MxRoomId) -> Portal:
        """Give a chat a room, instead of the one it may have."""
        self._drop_room(portal.id)
        return await self.put(replace(portal, room_id=room_id))

    async def clear_room(self, portal: Portal) -> Portal:
        """Take a chat's room away; the next thing that happens in it makes another one."""
        self._drop_room(portal.id)
        return await self.put(replace(portal, room_id=None))

    async def remove(self, portal: Portal) -> None:
        """Forget a chat; the next thing that happens in it makes it anew."""
        async with self._store.transaction() as tx:
            await self._end.remove(tx, portal.id)
        self._removals += 1
        self._drop_room(portal.id)
        self._by_id.pop(portal.id, None)
        self._by_key.pop(portal.key, None)

    async def _read(self, work: Work[Portal | None]) -> Portal | None:
        while True:
            removals = self._removals
            portal = await self._store.read(work)
            if portal is None:
                return None
            if removals == self._removals:
                return self._remember(portal)

    def _drop_room(self, portal_id: PortalId) -> None:
        for room_id in [room for room, known in self._by_room.items() if known == portal_id]:
            del self._by_room[room_id]

    def forget(self) -> None:
        """Read rows anew: others than this registry have changed them."""
        self._by_id.clear()
        self._by_key.clear()

    def _remember(self, portal: Portal) -> Portal:
        self._by_id[portal.id] = portal
        self._by_id.move_to_end(portal.id)
        self._by_key[portal.key] = portal.id
        if portal.room_id is not None:
            self._by_room[portal.room_id] = portal.id
        while len(self._by_id) > CACHE_SIZE:
            _, dropped = self._by_id.popitem(last=False)
            self._by_key.pop(dropped.key, None)
        return portal
