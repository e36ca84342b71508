"""How much waits in the database, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Executable, func, select

from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import backfill_runs, inbox, outbox, portals


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
    past: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How much of the past of all accounts is in its rooms."""

    what: str
    done: int
    total: int


async def get_depths(tx: Tx) -> Depths:
    """Count what waits."""
    waiting = select(func.count(), func.min(inbox.c.received_at_ms)).where(inbox.c.body.is_not(None))
    leaving = select(func.count(), func.min(outbox.c.created_at_ms)).select_from(outbox)
    rooms = select(func.count()).select_from(portals).where(portals.c.room_id.is_not(None))
    return Depths(
        inbox=await _get_depth(tx, waiting),
        outbox=await _get_depth(tx, leaving),
        rooms=int((await tx.execute(rooms)).scalar() or 0),
        past=await _get_past(tx),
    )


async def _get_past(tx: Tx) -> tuple[Share, ...]:
    runs = backfill_runs.c
    columns = {
        "chats": (runs.chats_done, runs.chats_total),
        "messages": (runs.messages_done, runs.messages_total),
        "files": (runs.files_done, runs.files_total),
    }
    sums = [func.coalesce(func.sum(column), 0) for pair in columns.values() for column in pair]
    values = [int(value) for value in (await tx.execute(select(*sums))).one()]
    return tuple(
        Share(what=what, done=values[2 * place], total=values[2 * place + 1]) for place, what in enumerate(columns)
    )


async def _get_depth(tx: Tx, query: Executable) -> Depth:
    count, oldest_ms = tuple((await tx.execute(query)).one())
    oldest_at = None if oldest_ms is None else datetime.fromtimestamp(oldest_ms / 1000, UTC)
    return Depth(count=int(count), oldest_at=oldest_at)
