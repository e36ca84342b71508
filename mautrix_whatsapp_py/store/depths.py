"""How much waits in the database, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Executable, func, select

from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import inbox, outbox, portals


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What waits in one line."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """What there is."""

    inbox: Depth
    outbox: Depth
    rooms: int


async def get_depths(tx: Tx) -> Depths:
    """Count what waits."""
    waiting = select(func.count(), func.min(inbox.c.received_at_ms)).where(inbox.c.body.is_not(None))
    leaving = select(func.count(), func.min(outbox.c.created_at_ms)).select_from(outbox)
    rooms = select(func.count()).select_from(portals).where(portals.c.room_id.is_not(None))
    return Depths(
        inbox=await _get_depth(tx, waiting),
        outbox=await _get_depth(tx, leaving),
        rooms=int((await tx.execute(rooms)).scalar() or 0),
    )


async def _get_depth(tx: Tx, query: Executable) -> Depth:
    count, oldest_ms = tuple((await tx.execute(query)).one())
    oldest_at = None if oldest_ms is None else datetime.fromtimestamp(oldest_ms / 1000, UTC)
    return Depth(count=int(count), oldest_at=oldest_at)
