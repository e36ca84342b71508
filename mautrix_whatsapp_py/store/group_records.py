"""What rooms of groups, and spaces, were last brought to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import MxRoomId
from mautrix_whatsapp_py.model.group import GroupRecord, SpaceRecord
from mautrix_whatsapp_py.store.kv import KvRows
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import kv

_GROUP = "group:"
_SPACE = "space:"
_FILLING = "filling:"
_FILLING_NOTE = "filling note:"


class GroupRecords:
    """Records by room: another room of the same group starts with none."""

    def __init__(self) -> None:
        self._kv = KvRows()

    async def get(self, tx: Tx, room_id: MxRoomId) -> GroupRecord:
        """The record of a room; an empty one when there is none."""
        text = await self._kv.get(tx, f"{_GROUP}{room_id}")
        return GroupRecord() if text is None else msgspec.json.decode(text, type=GroupRecord)

    async def put(self, tx: Tx, room_id: MxRoomId, record: GroupRecord) -> None:
        """Remember what a room was brought to."""
        await self._kv.put(tx, f"{_GROUP}{room_id}", msgspec.json.encode(record).decode())

    async def drop(self, tx: Tx, room_id: MxRoomId) -> None:
        """Forget a room."""
        keys = (f"{_GROUP}{room_id}", f"{_FILLING}{room_id}", f"{_FILLING_NOTE}{room_id}")
        await tx.execute(delete(kv).where(kv.c.key.in_(keys)))

    async def set_filling(self, tx: Tx, room_id: MxRoomId, *, is_filling: bool) -> None:
        """Remember that a room's members are still to join, or that they have."""
        key = f"{_FILLING}{room_id}"
        if is_filling:
            await self._kv.put(tx, key, "1")
        else:
            await self._kv.drop(tx, key)

    async def get_filling(self, tx: Tx) -> Sequence[MxRoomId]:
        """Rooms whose members are still to join."""
        rows = await tx.execute(select(kv.c.key).where(kv.c.key.startswith(_FILLING, autoescape=True)))
        return tuple(MxRoomId(row.key.removeprefix(_FILLING)) for row in rows)


class FillingNotes:
    """Notices about members that are still to join, by room."""

    def __init__(self) -> None:
        self._kv = KvRows()

    async def get(self, tx: Tx, room_id: MxRoomId) -> str | None:
        """The event of a room's notice."""
        return await self._kv.get(tx, f"{_FILLING_NOTE}{room_id}")

    async def put(self, tx: Tx, room_id: MxRoomId, event_id: str) -> None:
        """Remember the event to edit."""
        await self._kv.put(tx, f"{_FILLING_NOTE}{room_id}", event_id)

    async def drop(self, tx: Tx, room_id: MxRoomId) -> None:
        """There is nothing more to say."""
        await self._kv.drop(tx, f"{_FILLING_NOTE}{room_id}")


class SpaceRecords:
    """Spaces, by the login or community they stand for."""

    def __init__(self) -> None:
        self._kv = KvRows()

    async def get(self, tx: Tx, owner: str) -> SpaceRecord | None:
        """The space of an owner."""
        text = await self._kv.get(tx, f"{_SPACE}{owner}")
        return None if text is None else msgspec.json.decode(text, type=SpaceRecord)

    async def get_owners(self, tx: Tx) -> Sequence[str]:
        """Everything that has a space."""
        rows = await tx.execute(select(kv.c.key).where(kv.c.key.startswith(_SPACE, autoescape=True)))
        return tuple(row.key.removeprefix(_SPACE) for row in rows)

    async def put(self, tx: Tx, owner: str, record: SpaceRecord) -> None:
        """Remember a space."""
        await self._kv.put(tx, f"{_SPACE}{owner}", msgspec.json.encode(record).decode())

    async def drop(self, tx: Tx, owner: str) -> None:
        """Forget a space."""
        await self._kv.drop(tx, f"{_SPACE}{owner}")
