"""Tells in the room of a large group how many of its members have come, in one notice that is edited."""

from __future__ import annotations

import logging

from mautrix_whatsapp_py.bridge.group_rooms import GroupRooms
from mautrix_whatsapp_py.convert.bot_text import to_notice
from mautrix_whatsapp_py.errors import MatrixError
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId
from mautrix_whatsapp_py.model.mx import MxNotice
from mautrix_whatsapp_py.ports import Clock, MatrixApi
from mautrix_whatsapp_py.store.group_records import FillingNotes

log = logging.getLogger(__name__)

LARGE = 100
"""Smaller groups are full before anybody would have read how far they are."""
SHOW_EVERY_SECONDS = 30.0


class Filling:
    """One notice per room; it outlives restarts, and is edited for the last time when everybody is there."""

    def __init__(self, *, rooms: GroupRooms, matrix: MatrixApi, clock: Clock) -> None:
        self._rooms = rooms
        self._matrix = matrix
        self._clock = clock
        self._notes = FillingNotes()
        self._next_s: dict[MxRoomId, float] = {}

    async def show(self, room_id: MxRoomId) -> None:
        """Say how far a room is, if it is time for that; whether it can be said is nobody's concern."""
        is_early = self._clock.monotonic() < self._next_s.get(room_id, 0.0)
        if is_early and room_id in await self._rooms.get_filling():
            return
        total = len((await self._rooms.get(room_id)).facts.roles)
        if total < LARGE:
            return
        missing = await self._rooms.count_missing(room_id)
        self._next_s[room_id] = self._clock.monotonic() + SHOW_EVERY_SECONDS
        try:
            await self._show(room_id, total, missing)
        except MatrixError as error:
            log.info("how many members of a group have come was not shown: %s", error.errcode)

    async def _show(self, room_id: MxRoomId, total: int, missing: int) -> None:
        store = self._rooms.deps.store
        shown = await store.read(lambda tx: self._notes.get(tx, room_id))
        if not missing and shown is None:
            return
        text = _sentence(total, missing)
        base = to_notice(text)
        notice = MxNotice(body=base.body, html=base.html, edits=MxEventId(shown) if shown else None)
        # The first one is the same in every run: a crash before it is noted makes no second.
        txn_id = MxTxnId(f"filling-{room_id}-{total}" + (f"-{missing}" if shown else ""))
        event_id = await self._matrix.send_notice(room_id, notice, sender=self._matrix.bot, txn_id=txn_id)
        if not missing:
            self._next_s.pop(room_id, None)
            await store.write(lambda tx: self._notes.drop(tx, room_id))
        elif shown is None:
            await store.write(lambda tx: self._notes.put(tx, room_id, event_id))


def _sentence(total: int, missing: int) -> str:
    if not missing:
        return f"All {total:,} members of this group are here."
    return (
        f"{total - missing:,} of {total:,} members of this group are here. The others join little by little; "
        "whoever writes comes at once."
    )
