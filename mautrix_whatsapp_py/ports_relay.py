"""What speaking for others needs of the homeserver; adapters implement it, the fakes of the tests too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId


class MatrixPeople(Protocol):
    """Who is in a room and who wrote what; deadlines, retries and errors are those of MatrixApi."""

    async def fetch_names(self, room_id: MxRoomId) -> Mapping[MxUserId, str]:
        """The names of those who are in a room; empty for who has none."""

    async def fetch_sender(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        """Who sent an event, taken back or not; None when it is not to be seen."""
