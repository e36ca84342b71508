"""Rooms as a whole: who may do what in them, who is to leave, by which names they are found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from mautrix.api import Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.decode_room import decode_levels
from mautrix_whatsapp_py.matrix.fields import get_fields
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp, require_text
from mautrix_whatsapp_py.model.levels import MxLevels

log = logging.getLogger(__name__)

_LEVELS = "m.room.power_levels"
_UNSEEN = frozenset({403, 404})
_VERSION_WITH_CREATORS = 12
_BOT_LEVEL = 100


class HttpMatrixRooms:
    """Implements MatrixRooms over the client-server API, as the bot."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId, encryption: Json | None = None) -> None:
        """`encryption` is how new rooms are encrypted, where they are."""
        self._http = http
        self._bot = bot
        self._encryption = encryption

    async def fetch_joined_rooms(self, user: MxUserId | None = None) -> Sequence[MxRoomId]:
        """The rooms one of our users is in, or the bot."""
        query = {"user_id": user or self._bot}
        try:
            answer = await self._http.call(Method.GET, Path.v3.joined_rooms, query=query)
        except MatrixRefused as error:
            # A ghost that was never registered, because it never spoke.
            if user is None or error.status not in _UNSEEN:
                raise
            return ()
        rooms = answer.get("joined_rooms")
        return tuple(MxRoomId(str(room)) for room in rooms) if isinstance(rooms, list) else ()

    async def fetch_name(self, room_id: MxRoomId) -> str:
        """What a room is called; empty when it has no name or is not to be seen."""
        name = (await self._get_state(room_id, "m.room.name")).get("name")
        return name if isinstance(name, str) else ""

    async def fetch_levels(self, room_id: MxRoomId) -> MxLevels:
        """Who may do what in a room."""
        levels = decode_levels(await self._get_state(room_id, _LEVELS))
        return replace(levels, creators=await self._fetch_creators(room_id))

    async def set_level(self, room_id: MxRoomId, user: MxUserId, level: int) -> None:
        """Give somebody a power level."""
        content = await self._get_state(room_id, _LEVELS)
        users = {**get_fields(content, "users"), user: level}
        path = Path.v3.rooms[room_id].state[_LEVELS][""]
        await self._http.call(Method.PUT, path, {**content, "users": users}, query=self._as_bot)

    async def bring_bot(self, room_id: MxRoomId, *, by: MxUserId) -> None:
        """Have one of our users, who is in a room, bring the bot there, with the power it can give away."""
        room, query = Path.v3.rooms[room_id], {"user_id": by}
        try:
            await self._http.call(Method.POST, room.invite, {"user_id": self._bot}, query=query)
        except MatrixRefused as error:
            log.debug("the bot is in a room already, or may not come: %s", error.errcode)
        await self._http.call(Method.POST, room.join, {}, query=self._as_bot)
        try:
            content = await self._http.call(Method.GET, room.state[_LEVELS], query=query)
            users = {**get_fields(content, "users"), self._bot: _BOT_LEVEL}
            await self._http.call(Method.PUT, room.state[_LEVELS][""], {**content, "users": users}, query=query)
        except MatrixRefused as error:
            log.info("the bot has no power in a room: %s", error.errcode)

    async def remove_from(self, room_id: MxRoomId, user: MxUserId, *, reason: str) -> None:
        """Have the bot remove somebody; who is not there stays away."""
        content = {"user_id": user, "reason": reason}
        try:
            await self._http.call(Method.POST, Path.v3.rooms[room_id].kick, content, query=self._as_bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise
            log.info("somebody could not be removed from a room: %s", error.errcode)

    async def remove_aliases(self, room_id: MxRoomId) -> None:
        """Take away the names by which the bridge finds a room."""
        answer = await self._http.call(Method.GET, Path.v3.rooms[room_id].aliases, query=self._as_bot)
        aliases = answer.get("aliases")
        for alias in aliases if isinstance(aliases, list) else ():
            try:
                await self._http.call(Method.DELETE, Path.v3.directory.room[str(alias)], query=self._as_bot)
            except MatrixRefused as error:
                log.info("an alias of a room stays: %s", error.errcode)

    async def create_direct_room(self, user: MxUserId, *, name: str) -> MxRoomId:
        """A direct chat between the bot and somebody, who is invited."""
        body: Json = {
            "preset": "trusted_private_chat",
            "visibility": "private",
            "is_direct": True,
            "name": name,
            "invite": [user],
        }
        if self._encryption is not None:
            state = {"type": "m.room.encryption", "state_key": "", "content": self._encryption}
            body["initial_state"] = [state]
        answer = await self._http.call(Method.POST, Path.v3.createRoom, body, query=self._as_bot)
        return MxRoomId(require_text(answer, "room_id"))

    async def _fetch_creators(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        """From version 12 on whoever made a room stands above its levels, and in none of them."""
        path, query = Path.v3.rooms[room_id].state["m.room.create"][""], {**self._as_bot, "format": "event"}
        try:
            event = await self._http.call(Method.GET, path, query=query)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise
            return frozenset()
        content, sender = get_fields(event, "content"), event.get("sender")
        version = str(content.get("room_version"))
        if not version.isdecimal() or int(version) < _VERSION_WITH_CREATORS:
            return frozenset()
        more = content.get("additional_creators")
        users = [sender, *(more if isinstance(more, list) else ())]
        return frozenset(MxUserId(user) for user in users if isinstance(user, str))

    @property
    def _as_bot(self) -> dict[str, str]:
        return {"user_id": self._bot}

    async def _get_state(self, room_id: MxRoomId, kind: str) -> Json:
        try:
            return await self._http.call(Method.GET, Path.v3.rooms[room_id].state[kind], query=self._as_bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise
            return {}
