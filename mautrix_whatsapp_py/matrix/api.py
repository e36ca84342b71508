"""MatrixApi over the homeserver's client-server API."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mautrix.api import MediaPath, Method, Path, PathBuilder

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUri, MxUserId, decode_mx_user
from mautrix_whatsapp_py.matrix.encode import encode_notice, encode_picture
from mautrix_whatsapp_py.matrix.http import Json, Patience, RetryingHttp
from mautrix_whatsapp_py.model.mx import MxNotice, MxPicture, MxServerInfo

log = logging.getLogger(__name__)

DEVICE_ID = "WHATSAPPBRIDGE"
_GONE = frozenset({"M_FORBIDDEN", "M_NOT_FOUND", "M_UNKNOWN", "M_NOT_JOINED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BotProfile:
    """How the bot shall look; None leaves it as it is."""

    display_name: str | None = None
    avatar: MxUri | None = None


class HttpMatrixApi:
    """The homeserver, asked over HTTP with the application service's token."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId, appservice_id: str) -> None:
        self._http = http
        self._bot = bot
        self._appservice_id = appservice_id
        self._devices: dict[MxUserId, bool] = {}
        self._software: str | None = None

    def with_patience(self, patience: Patience) -> HttpMatrixApi:
        """The same homeserver with other deadlines."""
        return HttpMatrixApi(self._http.with_patience(patience), bot=self._bot, appservice_id=self._appservice_id)

    @property
    def bot(self) -> MxUserId:
        """The bridge's own user."""
        return self._bot

    async def ensure_bot(self) -> None:
        """Register the bot's user and give it a device; both may exist already."""
        await self._ensure_user(self._bot)
        await self._ensure_device(self._bot)

    async def ensure_profile(self, profile: BotProfile) -> None:
        """Set what differs from the bot's present profile."""
        path = Path.v3.profile[self._bot]
        present = await self._get_profile(self._bot)
        wanted = {"displayname": profile.display_name, "avatar_url": profile.avatar}
        for key, value in wanted.items():
            if value is not None and (present.get(key) or "") != value:
                await self._http.call(Method.PUT, path[key], {key: value}, query={"user_id": self._bot})

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        """Accept an invitation or join; joining twice is joining once."""
        await self._http.call(Method.POST, Path.v3.rooms[room_id].join, {}, query={"user_id": user})

    async def leave_room(self, room_id: MxRoomId, *, user: MxUserId, reason: str = "") -> None:
        """Leave or refuse an invitation; leaving twice is leaving once."""
        content = {"reason": reason} if reason else {}
        try:
            await self._http.call(Method.POST, Path.v3.rooms[room_id].leave, content, query={"user_id": user})
        except MatrixRefused as error:
            if error.errcode not in _GONE:
                raise

    async def send_notice(
        self, room_id: MxRoomId, notice: MxNotice, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        """Send or edit a notice; the same transaction id gives the same event."""
        path = Path.v3.rooms[room_id].send["m.room.message"][txn_id]
        answer = await self._put_once(path, encode_notice(notice), sender)
        return _require_event_id(answer)

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Redact an event."""
        path = Path.v3.rooms[room_id].redact[event_id][txn_id]
        await self._put_once(path, {"reason": reason} if reason else {}, sender)

    async def upload_media(self, data: bytes, *, mimetype: str, filename: str) -> MxUri:
        """Put a file into the homeserver's media store."""
        query = {"user_id": self._bot, "filename": filename}
        answer = await self._http.call(Method.POST, MediaPath.v3.upload, data, query=query, mimetype=mimetype)
        uri = answer.get("content_uri")
        if not isinstance(uri, str):
            raise MatrixRefused("The homeserver accepted a file without telling where it is.")
        return MxUri(uri)

    async def send_picture(
        self, room_id: MxRoomId, picture: MxPicture, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        """Send or edit a picture; the same transaction id gives the same event."""
        path = Path.v3.rooms[room_id].send["m.room.message"][txn_id]
        return _require_event_id(await self._put_once(path, encode_picture(picture), sender))

    async def fetch_is_encrypted(self, room_id: MxRoomId) -> bool:
        """Whether a room's messages are to be encrypted."""
        path = Path.v3.rooms[room_id].state["m.room.encryption"]
        try:
            await self._http.call(Method.GET, path, query={"user_id": self._bot})
        except MatrixRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def fetch_members(self, room_id: MxRoomId) -> frozenset[MxUserId]:
        """Who is joined or invited, the bot included."""
        answer = await self._http.call(Method.GET, Path.v3.rooms[room_id].members, query={"user_id": self._bot})
        chunk = answer.get("chunk")
        events = [event for event in chunk if isinstance(event, dict)] if isinstance(chunk, list) else []
        return frozenset(MxUserId(str(event.get("state_key"))) for event in events if _is_here(event))

    async def fetch_server_info(self) -> MxServerInfo:
        """Versions and features of the homeserver."""
        answer = await self._http.call(Method.GET, Path.versions)
        versions, unstable = answer.get("versions"), answer.get("unstable_features")
        if not isinstance(versions, list):
            raise MatrixRefused("The homeserver does not say which versions of Matrix it speaks.")
        if self._software is None:
            self._software = await self._fetch_software()
        features: Json = unstable if isinstance(unstable, dict) else {}
        return MxServerInfo(
            versions=tuple(str(version) for version in versions),
            unstable={key: value is True for key, value in features.items()},
            software=self._software or None,
        )

    async def fetch_whoami(self) -> MxUserId:
        """The user our token stands for."""
        answer = await self._http.call(Method.GET, Path.v3.account.whoami, query={"user_id": self._bot})
        return MxUserId(str(answer.get("user_id")))

    async def send_ping(self) -> float:
        """Have the homeserver call us back; the seconds it took."""
        started = time.monotonic()
        path = Path.v1.appservice[self._appservice_id].ping
        answer = await self._http.call(Method.POST, path, {"transaction_id": f"ping-{time.time_ns()}"})
        taken = answer.get("duration_ms")
        return taken / 1000 if isinstance(taken, int | float) else time.monotonic() - started

    async def _put_once(self, path: PathBuilder, content: Json, sender: MxUserId) -> Json:
        """PUT with a transaction id that the homeserver remembers across a restart of its own.

        Synapse keeps an application service's transaction ids in memory only, unless the request names a device.
        """
        await self._ensure_device(sender)
        try:
            return await self._http.call(Method.PUT, path, content, query=self._identity(sender))
        except MatrixRefused as error:
            if error.errcode != "M_UNKNOWN_DEVICE":
                raise
        self._devices.pop(sender)
        await self._ensure_device(sender)
        return await self._http.call(Method.PUT, path, content, query=self._identity(sender))

    def _identity(self, user: MxUserId) -> Mapping[str, str]:
        if self._devices.get(user):
            return {"user_id": user, "device_id": DEVICE_ID}
        return {"user_id": user}

    async def _ensure_user(self, user: MxUserId) -> None:
        localpart, _ = decode_mx_user(user)
        content = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._http.call(Method.POST, Path.v3.register, content)
        except MatrixRefused as error:
            if error.errcode != "M_USER_IN_USE":
                raise

    async def _ensure_device(self, user: MxUserId) -> None:
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

    async def _get_profile(self, user: MxUserId) -> Json:
        try:
            return await self._http.call(Method.GET, Path.v3.profile[user], query={"user_id": user})
        except MatrixRefused as error:
            if error.status == 404:
                return {}
            raise

    async def _fetch_software(self) -> str:
        """Name and version of the server program; empty where it does not tell."""
        for path, prefix in (
            ("_matrix/federation/v1/version", ""),
            ("_synapse/admin/v1/server_version", "Synapse"),
        ):
            try:
                answer = await self._http.call(Method.GET, path)
            except MatrixRefused:
                continue
            server = answer.get("server")
            found: Json = server if isinstance(server, dict) else {}
            name = found.get("name") or prefix
            version = found.get("version") or answer.get("server_version")
            if name and version:
                return f"{name} {version}"
        return ""


def _is_here(event: Json) -> bool:
    content = event.get("content")
    return isinstance(content, dict) and content.get("membership") in {"join", "invite"}


def _require_event_id(answer: Json) -> MxEventId:
    event_id = answer.get("event_id")
    if not isinstance(event_id, str):
        raise MatrixRefused("The homeserver accepted an event without telling its id.")
    return MxEventId(event_id)
