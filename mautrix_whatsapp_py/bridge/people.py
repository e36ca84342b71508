"""Matrix users of the bridge."""

from __future__ import annotations

from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.users import UserRows


class Users:
    """What the bridge remembers of its Matrix users; each call is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = UserRows()

    async def get_management_room(self, user: MxUserId) -> MxRoomId | None:
        """The room where the user's commands need no prefix."""
        async with self._store.reading() as tx:
            return await self._rows.get_management_room(tx, user)

    async def set_management_room(self, user: MxUserId, room_id: MxRoomId) -> None:
        """Make a room the user's management room; it replaces the one before."""
        async with self._store.transaction() as tx:
            await self._rows.set_management_room(tx, user, room_id)
