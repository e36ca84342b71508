"""Files that could not be brought over, until they are or it is too late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from mautrix_whatsapp_py.ids import LoginId, MxEventId
from mautrix_whatsapp_py.model.missing import MissingFile
from mautrix_whatsapp_py.model.portal import PortalId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import missing_files


class MissingFileRows:
    """The table `missing_files`."""

    async def add(self, tx: Tx, file: MissingFile) -> None:
        """Remember a file; one that is known stays as it is."""
        await tx.execute(tx.insert(missing_files).on_conflict_do_nothing(), [_encode(file)])

    async def get(self, tx: Tx, event_id: MxEventId) -> MissingFile | None:
        """The file whose place an event keeps."""
        statement = select(missing_files).where(missing_files.c.event_id == event_id)
        row = (await tx.execute(statement)).first()
        return None if row is None else _decode(row)

    async def get_due(self, tx: Tx, now: datetime, *, limit: int) -> Sequence[MissingFile]:
        """Files whose time has come, the longest overdue first."""
        statement = (
            select(missing_files)
            .where(missing_files.c.next_at_ms <= _ms(now))
            .order_by(missing_files.c.next_at_ms)
            .limit(limit)
        )
        return [_decode(row) for row in await tx.execute(statement)]

    async def set_next(
        self, tx: Tx, event_id: MxEventId, next_at: datetime | None, *, attempts: int, is_asked: bool
    ) -> None:
        """When a file is tried again."""
        next_at_ms = None if next_at is None else _ms(next_at)
        values = {"next_at_ms": next_at_ms, "attempts": attempts, "is_asked": is_asked}
        await tx.execute(update(missing_files).where(missing_files.c.event_id == event_id).values(values))

    async def remove(self, tx: Tx, event_id: MxEventId) -> None:
        """It is there, or gone for good."""
        await tx.execute(delete(missing_files).where(missing_files.c.event_id == event_id))

    async def remove_older(self, tx: Tx, than: datetime) -> None:
        """Forget what WhatsApp has forgotten."""
        await tx.execute(delete(missing_files).where(missing_files.c.created_at_ms < _ms(than)))


def _encode(file: MissingFile) -> dict[str, object]:
    return {
        "event_id": file.event_id,
        "portal_id": file.portal_id,
        "login_id": file.login_id,
        "message": file.message,
        "attempts": file.attempts,
        "is_asked": file.is_asked,
        "next_at_ms": None if file.next_at is None else _ms(file.next_at),
        "created_at_ms": _ms(file.created_at),
    }


def _decode(row: Row[Any]) -> MissingFile:
    return MissingFile(
        event_id=MxEventId(row.event_id),
        portal_id=PortalId(row.portal_id),
        login_id=LoginId(row.login_id),
        message=bytes(row.message),
        attempts=row.attempts,
        is_asked=bool(row.is_asked),
        next_at=None if row.next_at_ms is None else datetime.fromtimestamp(row.next_at_ms / 1000, UTC),
        created_at=datetime.fromtimestamp(row.created_at_ms / 1000, UTC),
    )


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
