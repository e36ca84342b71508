"""Chats and their rooms."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select, update

from mautrix_whatsapp_py.ids import LoginId, MxRoomId, PortalKey, WaJid, decode_jid
from mautrix_whatsapp_py.model.portal import Portal, PortalId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import portals

MAX_SECONDS = 2**31 - 1
"""What the column holds; WhatsApp's own timers end at 90 days."""


class PortalRows:
    """The table `portals`."""

    async def ensure(self, tx: Tx, key: PortalKey) -> Portal:
        """The portal of a chat, made when there is none."""
        row = {
            "chat": str(key.chat),
            "receiver": key.receiver or "",
            "name": "",
            "disappearing_seconds": 0,
            "is_lid_addressed": False,
        }
        await tx.execute(tx.insert(portals).on_conflict_do_nothing(), row)
        found = await self.get(tx, key)
        assert found is not None
        return found

    async def get(self, tx: Tx, key: PortalKey) -> Portal | None:
        """The portal of a chat."""
        where = (portals.c.chat == str(key.chat), portals.c.receiver == (key.receiver or ""))
        row = (await tx.execute(select(portals).where(*where))).first()
        return None if row is None else _decode(row)

    async def get_by_id(self, tx: Tx, portal_id: PortalId) -> Portal | None:
        """One portal."""
        row = (await tx.execute(select(portals).where(portals.c.id == portal_id))).first()
        return None if row is None else _decode(row)

    async def get_all(self, tx: Tx) -> list[Portal]:
        """Every portal, the oldest first."""
        return [_decode(row) for row in await tx.execute(select(portals).order_by(portals.c.id))]

    async def get_rooms(self, tx: Tx) -> list[tuple[MxRoomId, PortalId]]:
        """Every room that is a portal."""
        rows = await tx.execute(select(portals.c.room_id, portals.c.id).where(portals.c.room_id.is_not(None)))
        return [(MxRoomId(row.room_id), PortalId(row.id)) for row in rows]

    async def get_rooms_of(self, tx: Tx, chat: WaJid) -> list[MxRoomId]:
        """The rooms of a chat, one for each login that has it."""
        where = (portals.c.chat == str(chat), portals.c.room_id.is_not(None))
        return [MxRoomId(row.room_id) for row in await tx.execute(select(portals.c.room_id).where(*where))]

    async def put(self, tx: Tx, portal: Portal) -> bool:
        """Store what changed about a portal; False when it is gone."""
        values = {
            "room_id": portal.room_id,
            "name": portal.name,
            "disappearing_seconds": min(portal.disappearing_seconds, MAX_SECONDS),
            "is_lid_addressed": portal.is_lid_addressed,
        }
        changed = await tx.execute(update(portals).where(portals.c.id == portal.id).values(values))
        return changed.rowcount > 0


def _decode(row: Row[Any]) -> Portal:
    return Portal(
        id=PortalId(row.id),
        key=PortalKey(chat=decode_jid(row.chat), receiver=LoginId(row.receiver) if row.receiver else None),
        room_id=MxRoomId(row.room_id) if row.room_id is not None else None,
        name=row.name,
        disappearing_seconds=row.disappearing_seconds,
        is_lid_addressed=bool(row.is_lid_addressed),
    )
