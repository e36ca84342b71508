"""Rooms of chats, made with the requests with which the bridge makes them, by a loop that does nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import aiohttp

from bench.talk.homeserver import Sender
from mautrix_whatsapp_py.ids import LoginId, MxUserId
from mautrix_whatsapp_py.matrix.encode_room import Identity, Json, encode_room
from mautrix_whatsapp_py.model.mx import MxNewRoom
from tests.homeserver import Registration

_DEVICE = "WHATSAPPBRIDGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomMaker:
    """Makes direct chats of ghosts nobody has met."""

    http: aiohttp.ClientSession
    url: str
    registration: Registration
    login: str
    own_ghost: str

    @property
    def _bot(self) -> str:
        return f"@{self.registration.bot_localpart}:{self.registration.server_name}"

    async def make(self, name: str) -> tuple[str, Sender]:
        """A room, and how its ghost speaks there."""
        localpart = f"{self.registration.ghost_prefix}{name}"
        ghost = f"@{localpart}:{self.registration.server_name}"
        login = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        await self._call("POST", "register", login)
        await self._call("PUT", f"profile/{quote(ghost)}/displayname", {"displayname": f"{name} (WA)"}, ghost)
        body = encode_room(self._describe(name, ghost), self._identity())
        room = str((await self._call("POST", "createRoom", body, self._bot))["room_id"])
        await self._call("POST", f"rooms/{quote(room)}/join", {}, ghost)
        await self._call("PUT", f"devices/{_DEVICE}", {"display_name": "WhatsApp bridge"}, ghost)
        return room, Sender(http=self.http, url=self.url, token=self.registration.as_token, user=ghost)

    async def call_user(self, room: str, user: str) -> None:
        """Invite somebody."""
        path = f"rooms/{quote(room)}/state/m.room.member/{quote(user)}"
        await self._call("PUT", path, {"membership": "invite", "is_direct": True}, self._bot)

    def _identity(self) -> Identity:
        return Identity(
            bot=MxUserId(self._bot), domain=self.registration.server_name, appservice_id=self.registration.id
        )

    def _describe(self, name: str, ghost: str) -> MxNewRoom:
        return MxNewRoom(
            alias=f"{self.registration.ghost_prefix}chat-{name}",
            chat_id=f"{name}@lid",
            login=LoginId(self.login),
            topic="WhatsApp private chat",
            is_direct=True,
            members=(MxUserId(ghost),),
            service_members=(MxUserId(self.own_ghost),),
        )

    async def _call(self, method: str, path: str, body: Json, user: str = "") -> Json:
        headers = {"Authorization": f"Bearer {self.registration.as_token}"}
        url = f"{self.url}/_matrix/client/v3/{path}"
        query = {"user_id": user} if user else {}
        async with self.http.request(method, url, json=body, params=query, headers=headers) as answer:
            document: Json = await answer.json()
            if not answer.ok:
                raise RuntimeError(f"the homeserver answered {answer.status}: {document}")
            return document
