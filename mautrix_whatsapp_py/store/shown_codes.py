"""QR codes on show in rooms."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.store.store import Store
from mautrix_whatsapp_py.store.tables import shown_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCode:
    """A picture in a room that must not outlive its login attempt."""

    event_id: MxEventId
    room_id: MxRoomId
    user: MxUserId


class ShownCodes:
    """The table `shown_codes`; each call is one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, code: ShownCode) -> None:
        """Remember a code before anybody can see it for long."""
        row = {"event_id": code.event_id, "room_id": code.room_id, "mxid": code.user}
        async with self._store.transaction() as tx:
            await tx.execute(tx.insert(shown_codes).on_conflict_do_nothing(), row)

    async def remove(self, event_id: MxEventId) -> None:
        """Forget a code that is gone from its room."""
        async with self._store.transaction() as tx:
            await tx.execute(delete(shown_codes).where(shown_codes.c.event_id == event_id))

    async def get_all(self) -> list[ShownCode]:
        """Codes nobody has taken away yet."""
        async with self._store.reading() as tx:
            rows = await tx.execute(select(shown_codes))
            return [
                ShownCode(event_id=MxEventId(row.event_id), room_id=MxRoomId(row.room_id), user=MxUserId(row.mxid))
                for row in rows
            ]
