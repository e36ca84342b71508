"""Events of a chat that now stand in another room, under other ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import update

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId
from mautrix_whatsapp_py.store.store import Tx
from mautrix_whatsapp_py.store.tables import disappearing, messages, missing_files, polls, reactions

_COLUMNS: Final = (
    messages.c.event_id,
    reactions.c.event_id,
    polls.c.event_id,
    polls.c.tally_event_id,
    missing_files.c.event_id,
    disappearing.c.event_id,
)


class MovedEvents:
    """The columns that name events."""

    async def rename(self, tx: Tx, renamed: Mapping[MxEventId, MxEventId], room_id: MxRoomId) -> None:
        """Have everything that stood for the old events stand for the new ones; repeating it changes nothing."""
        for old, new in renamed.items():
            for column in _COLUMNS:
                values: dict[str, str] = {column.name: new}
                if column.table is disappearing:
                    values["room_id"] = room_id
                await tx.execute(update(column.table).where(column == old).values(values))
