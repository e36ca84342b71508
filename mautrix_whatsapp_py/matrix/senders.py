"""Acting as the bot and as ghosts: users, devices, and requests that take effect once."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from mautrix.api import Method, Path, PathBuilder

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxTxnId, MxUserId, decode_mx_user
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.double_puppet import HttpDoublePuppets
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp

log = logging.getLogger(__name__)

DEVICE_ID = "WHATSAPPBRIDGE"


class Senders:
    """The users an application service acts as."""

    def __init__(
        self, http: RetryingHttp, doubles: HttpDoublePuppets | None = None, crypto: Crypto | None = None
    ) -> None:
        self._http = http
        self._crypto = crypto
        self._doubles = doubles
        self._devices: dict[MxUserId, bool] = {}

    async def send_event(
        self,
        room_id: MxRoomId,
        kind: str,
        txn_id: MxTxnId,
        content: Json,
        sender: MxUserId,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """Send an event once, encrypted where its room is."""
        sealed = await self._crypto.encrypt(room_id, kind, content) if self._crypto is not None else None
        if sealed is not None:
            kind, content = "m.room.encrypted", sealed
        return await self.put_once(Path.v3.rooms[room_id].send[kind][txn_id], content, sender, query=query)

    async def put_once(
        self,
        path: PathBuilder,
        content: Json,
        sender: MxUserId,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """PUT with a transaction id that the homeserver remembers across a restart of its own.

        Synapse keeps an application service's transaction ids in memory only, unless the request names a device.
        """
        more = query or {}
        double = self._doubles.get(sender) if self._doubles is not None else None
        if double is not None:
            return await double.put(path, content, more)
        await self.ensure_device(sender)
        try:
            return await self._http.call(Method.PUT, path, content, query={**self._identity(sender), **more})
        except MatrixRefused as error:
            if error.errcode != "M_UNKNOWN_DEVICE":
                raise
        self._devices.pop(sender)
        await self.ensure_device(sender)
        return await self._http.call(Method.PUT, path, content, query={**self._identity(sender), **more})

    def _identity(self, user: MxUserId) -> Mapping[str, str]:
        if self._devices.get(user):
            return {"user_id": user, "device_id": DEVICE_ID}
        return {"user_id": user}

    async def ensure_user(self, user: MxUserId) -> None:
        """Register a user; it may exist already."""
        localpart, _ = decode_mx_user(user)
        content = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._http.call(Method.POST, Path.v3.register, content)
        except MatrixRefused as error:
            if error.errcode != "M_USER_IN_USE":
                raise

    async def ensure_device(self, user: MxUserId) -> None:
        """Give a user the device that its requests name."""
        if user in self._devices:
            return
        query, content = {"user_id": user}, {"display_name": "WhatsApp bridge"}
        try:
            await self._http.call(Method.PUT, Path.v3.devices[DEVICE_ID], content, query=query)
        except MatrixRefused:
            self._devices[user] = await self._has_logged_in(user)
        else:
            self._devices[user] = True

    async def _has_logged_in(self, user: MxUserId) -> bool:
        """The way to a device on homeservers without MSC4190; the access token is not used."""
        content = {
            "type": "m.login.application_service",
            "identifier": {"type": "m.id.user", "user": user},
            "device_id": DEVICE_ID,
            "initial_device_display_name": "WhatsApp bridge",
        }
        try:
            await self._http.call(Method.POST, Path.v3.login, content)
        except MatrixRefused as error:
            log.warning(
                "the homeserver gives the bridge no device (%s): a restart of both may double a reply",
                error.errcode,
            )
            return False
        return True
