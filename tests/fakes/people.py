"""The port MatrixPeople on the homeserver in memory."""

from __future__ import annotations

from collections.abc import Mapping

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxUserId
from mautrix_whatsapp_py.ports_relay import MatrixPeople
from tests.fakes.chats import FakeMatrixChats
from tests.fakes.matrix import FakeMatrixApi, _end


class FakeMatrixPeople:
    """Names, and who wrote what."""

    def __init__(self, homeserver: FakeMatrixApi, chats: FakeMatrixChats) -> None:
        self.names: dict[MxUserId, str] = {}
        self.senders: dict[MxEventId, MxUserId] = {}
        """Who wrote what people wrote."""
        self._homeserver = homeserver
        self._chats = chats

    async def fetch_names(self, room_id: MxRoomId) -> Mapping[MxUserId, str]:
        fault = self._homeserver._begin("fetch_names")
        joined = self._homeserver._require_room(room_id).joined
        _end(fault)
        return {user: self.names.get(user, self._chats.names.get(user, "")) for user in joined}

    async def fetch_sender(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        fault = self._homeserver._begin("fetch_sender")
        found = {one.event_id: one.sender for one in self._chats.said if one.room_id == room_id}
        _end(fault)
        return {**found, **self.senders}.get(event_id)


def _fits_the_port(people: FakeMatrixPeople) -> MatrixPeople:
    return people
