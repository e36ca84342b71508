"""What moving a chat to another room needs of the homeserver; an adapter implements it, the tests' fakes too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.model.spoken import MxSpoken, MxStretch


class MatrixCopies(Protocol):
    """Reads rooms and says the same elsewhere; deadlines, retries and errors are those of MatrixApi."""

    async def fetch_stretch(self, room_id: MxRoomId, after: str | None) -> MxStretch:
        """What people said in a room, from its beginning or after another stretch, and was not redacted."""

    async def send_copy(
        self,
        room_id: MxRoomId,
        event: MxSpoken,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        renamed: Mapping[MxEventId, MxEventId],
    ) -> MxEventId:
        """Say the same with the same time; what it is about is meant by its new id."""
