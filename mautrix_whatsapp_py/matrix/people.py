"""MatrixPeople over the homeserver's client-server API."""

from __future__ import annotations

from collections.abc import Mapping

from mautrix.api import Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.fields import get_fields
from mautrix_whatsapp_py.matrix.http import RetryingHttp

_UNSEEN = frozenset({403, 404})


class HttpMatrixPeople:
    """Who is in a room and who wrote what, as the bot sees it."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId) -> None:
        self._http = http
        self._query = {"user_id": bot}

    async def fetch_names(self, room_id: MxRoomId) -> Mapping[MxUserId, str]:
        """The names of those who are in a room; empty for who has none."""
        answer = await self._http.call(Method.GET, Path.v3.rooms[room_id].joined_members, query=self._query)
        names: dict[MxUserId, str] = {}
        joined = get_fields(answer, "joined")
        for user in joined:
            name = get_fields(joined, user).get("display_name")
            names[MxUserId(user)] = name if isinstance(name, str) else ""
        return names

    async def fetch_sender(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        """Who sent an event, taken back or not; None when it is not to be seen."""
        try:
            event = await self._http.call(Method.GET, Path.v3.rooms[room_id].event[event_id], query=self._query)
        except MatrixRefused as error:
            if error.status in _UNSEEN:
                return None
            raise
        sender = event.get("sender")
        return MxUserId(sender) if isinstance(sender, str) else None
