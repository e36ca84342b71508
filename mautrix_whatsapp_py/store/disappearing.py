"""Events that are to disappear, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import delete, select

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId
from mautrix_whatsapp_py.model.portal import DisappearingEvent
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import disappearing


class DisappearingRows:
    """The table `disappearing`."""

    async def add(self, tx: Tx, events: Sequence[DisappearingEvent]) -> None:
        """Have events disappear; what is known keeps its time."""
        rows = [
            {
                "event_id": event.event_id,
                "room_id": event.room_id,
                "due_at_ms": int(event.due_at.timestamp() * 1000),
            }
            for event in events
        ]
        if rows:
            await tx.execute(tx.insert(disappearing).on_conflict_do_nothing(), rows)

    async def get_due(self, tx: Tx, now: datetime, *, limit: int) -> list[DisappearingEvent]:
        """Events whose time has come, the longest overdue first."""
        where = disappearing.c.due_at_ms <= int(now.timestamp() * 1000)
        statement = select(disappearing).where(where).order_by(disappearing.c.due_at_ms).limit(limit)
        return [
            DisappearingEvent(
                event_id=MxEventId(row.event_id),
                room_id=MxRoomId(row.room_id),
                due_at=datetime.fromtimestamp(row.due_at_ms / 1000, UTC),
            )
            for row in await tx.execute(statement)
        ]

    async def remove(self, tx: Tx, event_ids: Sequence[MxEventId]) -> None:
        """They are gone."""
        if event_ids:
            await tx.execute(delete(disappearing).where(disappearing.c.event_id.in_(event_ids)))
