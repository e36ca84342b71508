"""The port MatrixDoubles on the homeserver in memory."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from mautrix_whatsapp_py.bridge.talk import Talk
from mautrix_whatsapp_py.commands.ciphers import cipher_commands
from mautrix_whatsapp_py.commands.doctor import doctor_command
from mautrix_whatsapp_py.commands.doubles import DoubleDoor, double_commands
from mautrix_whatsapp_py.commands.spec import Command
from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.ops.findings import Finding
from mautrix_whatsapp_py.ports_doubles import MatrixDoubles
from tests.fakes.chats import FakeMatrixChats
from tests.fakes.matrix import FakeMatrixApi


class FakeMatrixDoubles:
    """Tokens and whose they are; the homeserver may stop accepting them."""

    def __init__(self, homeserver: FakeMatrixApi, chats: FakeMatrixChats) -> None:
        self.homeserver = homeserver
        self.chats = chats
        self.owners: dict[str, MxUserId] = {}
        self.automatic: set[MxUserId] = set()
        self.unaccepted: set[MxUserId] = set()
        self.read: list[tuple[MxRoomId, MxEventId, MxUserId]] = []
        self.unread: dict[tuple[MxUserId, MxRoomId], bool] = {}
        self.direct: dict[MxUserId, list[tuple[MxUserId, MxRoomId]]] = {}
        self.redacted: list[tuple[MxEventId, MxUserId]] = []
        self._tokens: dict[MxUserId, str] = {}
        self._refused: set[MxUserId] = set()
        self._lost: set[MxUserId] = set()

    def can_act_as(self, user: MxUserId) -> bool:
        return user in self._tokens or (user in self.automatic and user not in self._refused)

    def is_automatic(self, user: MxUserId) -> bool:
        return user in self.automatic

    def use_token(self, user: MxUserId, token: str) -> None:
        if user.endswith(":elsewhere"):
            raise MatrixRefused("unknown server")
        self._tokens[user] = token

    def use_automatic(self, user: MxUserId) -> None:
        self._tokens.pop(user, None)
        self._refused.discard(user)
        if user in self._lost:
            self._lost.discard(user)
            self.unaccepted.discard(user)
            self.chats.unaccepted.discard(user)

    def stop_acting_as(self, user: MxUserId) -> None:
        self._tokens.pop(user, None)
        self._refused.add(user)

    async def fetch_owner(self, user: MxUserId, token: str) -> MxUserId | None:
        if user.endswith(":elsewhere"):
            raise MatrixRefused("unknown server")
        return self.owners.get(token)

    async def is_accepted(self, user: MxUserId) -> bool:
        return self.can_act_as(user) and user not in self.unaccepted

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        self._require_accepted(user)
        await self.homeserver.join_room(room_id, user=user)

    async def mark_read(self, room_id: MxRoomId, event_id: MxEventId, *, user: MxUserId) -> None:
        self._require_accepted(user)
        self.read.append((room_id, event_id, user))

    async def fetch_newest(self, room_id: MxRoomId, *, user: MxUserId) -> MxEventId | None:
        self._require_accepted(user)
        return MxEventId(f"$join of {user}") if user in self.homeserver.rooms[room_id].joined else None

    async def mark_unread(self, room_id: MxRoomId, *, is_unread: bool, user: MxUserId) -> None:
        self._require_accepted(user)
        self.unread[user, room_id] = is_unread

    async def add_direct_chat(self, room_id: MxRoomId, ghost: MxUserId, *, user: MxUserId) -> None:
        self._require_accepted(user)
        self.direct.setdefault(user, []).append((ghost, room_id))

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, user: MxUserId, txn_id: MxTxnId
    ) -> None:
        self._require_accepted(user)
        self.redacted.append((event_id, user))

    async def fetch_author(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        return next((one.sender for one in self.chats.said if one.event_id == event_id), None)

    def refuse(self, user: MxUserId) -> None:
        """The homeserver knows the token of a user no more."""
        self.unaccepted.add(user)
        self.chats.unaccepted.add(user)

    def refuse_token(self, user: MxUserId) -> None:
        """The same, of the token the user gave; what is automatic goes on."""
        self.refuse(user)
        self._lost.add(user)

    def _require_accepted(self, user: MxUserId) -> None:
        if user in self.unaccepted:
            raise MatrixRefused(errcode="M_UNKNOWN_TOKEN", status=401)


class ClosedDoor:
    """Nobody can be acted as."""

    async def log_in(self, user: MxUserId, token: str) -> bool:
        return False

    async def log_in_automatically(self, user: MxUserId) -> bool:
        return False

    async def log_out(self, user: MxUserId) -> bool:
        return False

    async def is_on(self, user: MxUserId) -> bool:
        return False

    async def hide(self, room_id: MxRoomId, event_id: MxEventId, user: MxUserId) -> bool:
        return False

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        work.close()


def usual_commands(talk: Talk) -> tuple[Command, ...]:
    """Commands that lead nowhere, for the help."""
    return (*double_commands(ClosedDoor(), talk), *cipher_commands(None), doctor_command(_find_nothing))


async def _find_nothing() -> tuple[Finding, ...]:
    return ()


def _is_a_door(door: ClosedDoor) -> DoubleDoor:
    return door


def _fits_the_port(doubles: FakeMatrixDoubles) -> MatrixDoubles:
    return doubles
