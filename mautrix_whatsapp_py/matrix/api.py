"""MatrixApi over the homeserver's client-server API."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from mautrix.api import MediaPath, Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUri, MxUserId
from mautrix_whatsapp_py.matrix.attachment_crypto import MxEncryptor
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.encode import encode_notice, encode_picture
from mautrix_whatsapp_py.matrix.http import Json, Patience, RetryingHttp, require_text
from mautrix_whatsapp_py.matrix.senders import Senders
from mautrix_whatsapp_py.model.media import MxFileKey
from mautrix_whatsapp_py.model.mx import MxNotice, MxPicture, MxServerInfo

log = logging.getLogger(__name__)

MAX_KEYS = 20
_GONE = frozenset({"M_FORBIDDEN", "M_NOT_FOUND", "M_UNKNOWN", "M_NOT_JOINED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BotProfile:
    """How the bot shall look; None leaves it as it is."""

    display_name: str | None = None
    avatar: MxUri | None = None


class HttpMatrixApi:
    """The homeserver, asked over HTTP with the application service's token."""

    def __init__(
        self, http: RetryingHttp, *, bot: MxUserId, appservice_id: str, crypto: Crypto | None = None
    ) -> None:
        self._http = http
        self._bot = bot
        self._appservice_id = appservice_id
        self._crypto = crypto
        self._senders = Senders(http, crypto=crypto)
        self._software: str | None = None
        self._keys: dict[MxUri, MxFileKey] = {}
        """What opens pictures that were uploaded for encrypted rooms."""

    def with_patience(self, patience: Patience) -> HttpMatrixApi:
        """The same homeserver with other deadlines."""
        http = self._http.with_patience(patience)
        return HttpMatrixApi(http, bot=self._bot, appservice_id=self._appservice_id, crypto=self._crypto)

    @property
    def bot(self) -> MxUserId:
        """The bridge's own user."""
        return self._bot

    async def ensure_bot(self) -> None:
        """Register the bot's user and give it a device; both may exist already."""
        await self._senders.ensure_user(self._bot)
        await self._senders.ensure_device(self._bot)

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
        said = encode_notice(notice)
        answer = await self._senders.send_event(room_id, "m.room.message", txn_id, said, sender)
        return MxEventId(require_text(answer, "event_id"))

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Redact an event."""
        path = Path.v3.rooms[room_id].redact[event_id][txn_id]
        await self._senders.put_once(path, {"reason": reason} if reason else {}, sender)

    @property
    def reads_encrypted(self) -> bool:
        """Whether the bridge can read and write in encrypted rooms."""
        return self._crypto is not None

    async def upload_media(
        self, data: bytes, *, mimetype: str, filename: str, room_id: MxRoomId | None = None
    ) -> MxUri:
        """Put a file into the homeserver's media store; one for a room that is encrypted goes there encrypted."""
        if room_id is not None and self._crypto is not None and await self._crypto.is_encrypted(room_id):
            encryptor = MxEncryptor()
            sealed = encryptor.update(data)
            uri = await self._upload(sealed, mimetype="application/octet-stream", filename="")
            # Pictures follow their upload at once; a few of them are enough.
            self._keys = {**dict(list(self._keys.items())[-MAX_KEYS:]), uri: encryptor.key}
            return uri
        return await self._upload(data, mimetype=mimetype, filename=filename)

    async def _upload(self, data: bytes, *, mimetype: str, filename: str) -> MxUri:
        query = {"user_id": self._bot, "filename": filename}
        answer = await self._http.call(Method.POST, MediaPath.v3.upload, data, query=query, mimetype=mimetype)
        return MxUri(require_text(answer, "content_uri"))

    async def send_picture(
        self, room_id: MxRoomId, picture: MxPicture, *, sender: MxUserId, txn_id: MxTxnId
    ) -> MxEventId:
        """Send or edit a picture; the same transaction id gives the same event."""
        said = encode_picture(picture, self._keys.get(picture.uri))
        answer = await self._senders.send_event(room_id, "m.room.message", txn_id, said, sender)
        return MxEventId(require_text(answer, "event_id"))

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
