"""MatrixGroups over the homeserver's client-server API."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aiohttp import ClientError, ClientTimeout
from mautrix.api import Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.ids import MxRoomId, MxUri, MxUserId
from mautrix_whatsapp_py.matrix.fields import get_fields
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp, require_text
from mautrix_whatsapp_py.model.mx_room import MxLevelsChange, MxNewSpace, MxRoomFace

log = logging.getLogger(__name__)

_LEVELS = "m.room.power_levels"
_FORBIDDEN = 403
_UNSEEN = frozenset({403, 404})
_DOWNLOAD_SECONDS = 30.0


class HttpMatrixGroups:
    """Implements MatrixGroups."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId, domain: str, federates: bool = True) -> None:
        self._http = http
        self._bot = bot
        self._domain = domain
        self._federates = federates

    async def set_room_name(self, room_id: MxRoomId, name: str, *, sender: MxUserId | None = None) -> None:
        """Name a room."""
        await self._put_as(room_id, "m.room.name", {"name": name}, sender)

    async def set_room_topic(self, room_id: MxRoomId, topic: str, *, sender: MxUserId | None = None) -> None:
        """Say what a room is about."""
        await self._put_as(room_id, "m.room.topic", {"topic": topic}, sender)

    async def set_room_avatar(
        self, room_id: MxRoomId, avatar: MxUri | None, *, sender: MxUserId | None = None
    ) -> None:
        """Give a room a picture, or none."""
        await self._put_as(room_id, "m.room.avatar", {"url": avatar} if avatar else {}, sender)

    async def fetch_face(self, room_id: MxRoomId) -> MxRoomFace:
        """What a room shows of itself now."""
        name = (await self._get_state(room_id, "m.room.name")).get("name")
        topic = (await self._get_state(room_id, "m.room.topic")).get("topic")
        url = (await self._get_state(room_id, "m.room.avatar")).get("url")
        return MxRoomFace(
            name=name if isinstance(name, str) else "",
            topic=topic if isinstance(topic, str) else "",
            avatar=MxUri(url) if isinstance(url, str) and url else None,
        )

    async def change_levels(self, room_id: MxRoomId, change: MxLevelsChange) -> bool:
        """Have levels hold; whether something had to be changed."""
        content = await self._get_state(room_id, _LEVELS)
        wanted = _merge(content, change)
        if wanted == content:
            return False
        await self._put_state(room_id, _LEVELS, "", wanted, self._bot)
        return True

    async def remove_ghost(
        self, room_id: MxRoomId, ghost: MxUserId, *, sender: MxUserId | None = None, reason: str = ""
    ) -> None:
        """Have a ghost leave; by `sender`, if that one may remove it."""
        content: Json = {"reason": reason} if reason else {}
        if sender not in (None, ghost):
            try:
                body = {**content, "user_id": ghost}
                await self._http.call(
                    Method.POST, Path.v3.rooms[room_id].kick, body, query={"user_id": str(sender)}
                )
                return
            except MatrixRefused as error:
                log.debug("a member could not be removed by whoever did it: %s", error.errcode)
        try:
            await self._http.call(Method.POST, Path.v3.rooms[room_id].leave, content, query={"user_id": ghost})
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise

    async def set_ghost_avatar(self, ghost: MxUserId, avatar: MxUri | None) -> None:
        """Give a ghost a picture, or none."""
        path = Path.v3.profile[ghost].avatar_url
        await self._http.call(Method.PUT, path, {"avatar_url": avatar or ""}, query={"user_id": ghost})

    async def download_media(self, uri: MxUri, *, limit_bytes: int) -> bytes:
        """A file of the homeserver; MatrixRefused when it is larger than that."""
        server, _, media_id = uri.removeprefix("mxc://").partition("/")
        if not server or not media_id or not uri.startswith("mxc://"):
            raise MatrixRefused(errcode="M_NOT_FOUND", status=404)
        url = self._http.base_url / "_matrix/client/v1/media/download" / server / media_id
        headers = {"Authorization": f"Bearer {self._http.token}"}
        try:
            async with self._http.session.get(
                url, headers=headers, timeout=ClientTimeout(total=_DOWNLOAD_SECONDS)
            ) as answer:
                if answer.status != 200:
                    raise MatrixRefused(errcode="M_NOT_FOUND", status=answer.status)
                body = await answer.content.read(limit_bytes + 1)
                while len(body) <= limit_bytes and (more := await answer.content.read(limit_bytes + 1)):
                    body += more
        except (ClientError, OSError, TimeoutError) as error:
            raise MatrixUnreachable from error
        if len(body) > limit_bytes:
            raise MatrixRefused(errcode="M_TOO_LARGE", status=413)
        return body

    async def create_space(self, space: MxNewSpace) -> MxRoomId:
        """Make a space; asking for the same alias again gives the space that is there."""
        alias = f"#{space.alias}:{self._domain}"
        found = await self._find_room(alias)
        if found is not None:
            return found
        try:
            return await self._make_space(space)
        except MatrixRefused:
            # Somebody was faster by a moment.
            found = await self._find_room(alias)
            if found is None:
                raise
            return found

    async def give_up_space(self, alias: str) -> None:
        """Have the next space of this alias be another one."""
        path = Path.v3.directory.room[f"#{alias}:{self._domain}"]
        try:
            await self._http.call(Method.DELETE, path, query=self._as_bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise

    async def _find_room(self, alias: str) -> MxRoomId | None:
        try:
            answer = await self._http.call(Method.GET, Path.v3.directory.room[alias], query=self._as_bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise
            return None
        return MxRoomId(require_text(answer, "room_id"))

    async def _make_space(self, space: MxNewSpace) -> MxRoomId:
        creation: Json = {"type": "m.space"}
        if not self._federates:
            creation["m.federate"] = False
        body: Json = {
            "preset": "private_chat",
            "visibility": "private",
            "name": space.name,
            "room_alias_name": space.alias,
            "invite": sorted(space.invites),
            "creation_content": creation,
            "power_level_content_override": {"events_default": 100},
        }
        if space.topic:
            body["topic"] = space.topic
        answer = await self._http.call(Method.POST, Path.v3.createRoom, body, query=self._as_bot)
        return MxRoomId(require_text(answer, "room_id"))

    async def set_child(self, space_id: MxRoomId, room_id: MxRoomId, *, is_child: bool) -> None:
        """Put a room into a space, or take it out; both rooms are told."""
        via: Json = {"via": [self._domain]} if is_child else {}
        await self._put_state(space_id, "m.space.child", room_id, via, self._bot)
        parent: Json = {**via, "canonical": True} if is_child else {}
        try:
            await self._put_state(room_id, "m.space.parent", space_id, parent, self._bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise
            log.info("a room could not be told of its space: %s", error.errcode)

    async def replace_room(self, room_id: MxRoomId, *, by: MxRoomId, text: str) -> None:
        """Send those who are in a room to another one; nothing where the room is gone already."""
        content: Json = {"body": text, "replacement_room": by}
        try:
            await self._put_state(room_id, "m.room.tombstone", "", content, self._bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise

    async def close_room(self, room_id: MxRoomId) -> None:
        """Have the bot leave a room of its own for good."""
        try:
            await self._http.call(Method.POST, Path.v3.rooms[room_id].leave, {}, query=self._as_bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise

    @property
    def _as_bot(self) -> Mapping[str, str]:
        return {"user_id": self._bot}

    async def _put_as(self, room_id: MxRoomId, kind: str, content: Json, sender: MxUserId | None) -> None:
        """Set state as somebody; as the bot where that one may not."""
        try:
            await self._put_state(room_id, kind, "", content, sender or self._bot)
        except MatrixRefused as error:
            if error.status != _FORBIDDEN or sender in (None, self._bot):
                raise
            await self._put_state(room_id, kind, "", content, self._bot)

    async def _put_state(self, room_id: MxRoomId, kind: str, key: str, content: Json, sender: MxUserId) -> None:
        path = Path.v3.rooms[room_id].state[kind][key]
        await self._http.call(Method.PUT, path, content, query={"user_id": sender})

    async def _get_state(self, room_id: MxRoomId, kind: str) -> Json:
        try:
            return await self._http.call(Method.GET, Path.v3.rooms[room_id].state[kind], query=self._as_bot)
        except MatrixRefused as error:
            if error.status not in _UNSEEN:
                raise
            return {}


def _merge(content: Json, change: MxLevelsChange) -> Json:
    users = dict(get_fields(content, "users")) | {str(user): level for user, level in change.users.items()}
    default = content.get("users_default", 0)
    wanted: Json = {
        **content,
        "users": {user: level for user, level in users.items() if level != default or user not in change.users},
        "events": dict(get_fields(content, "events")) | dict(change.events),
    }
    for key, level in (("events_default", change.events_default), ("invite", change.invite)):
        if level is not None and content.get(key, 0) != level:
            wanted[key] = level
    return wanted
