"""Acting as real users: by a token of the application service that covers them, or by one of their own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mautrix.api import Method, Path, PathBuilder

from mautrix_whatsapp_py.errors import MatrixRefused, MatrixUnreachable
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId, decode_mx_user
from mautrix_whatsapp_py.matrix.fields import Fields
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp

SOURCE_KEY = "fi.mau.double_puppet_source"
SOURCE = "mautrix-whatsapp-py"
UNREAD_KIND = "m.marked_unread"
_SECRET_KIND = "as_token:"  # noqa: S105  says what follows


def is_own_doing(content: Fields) -> bool:
    """Whether the bridge sent an event as its user; the homeserver tells us of it like of all others."""
    return content.get(SOURCE_KEY) == SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """A way to act as one user."""

    user: MxUserId
    http: RetryingHttp = field(repr=False)
    query: Mapping[str, str]

    async def call(
        self,
        method: Method,
        path: PathBuilder,
        content: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """A request of theirs; a token that is not known any more is a refusal, not a homeserver that is away."""
        try:
            return await self.http.call(method, path, content, query={**self.query, **(query or {})})
        except MatrixUnreachable as error:
            if error.status != 401:
                raise
            raise MatrixRefused(errcode=error.errcode, status=401) from error

    async def put(self, path: PathBuilder, content: Json, query: Mapping[str, str]) -> Json:
        """Send an event that says whose doing it is."""
        return await self.call(Method.PUT, path, {**content, SOURCE_KEY: SOURCE}, query=query)


class HttpDoublePuppets:
    """Implements MatrixDoubles."""

    def __init__(
        self,
        http: RetryingHttp,
        *,
        bot: MxUserId,
        is_ours: Callable[[MxUserId], bool],
        domain: str,
        servers: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> None:
        self._http = http
        self._bot = bot
        self._is_ours = is_ours
        self._addresses = {**servers, domain: str(http.base_url)}
        self._secrets = {server: secret.removeprefix(_SECRET_KIND) for server, secret in secrets.items()}
        self._own: dict[MxUserId, Double] = {}
        self._automatic: dict[MxUserId, Double] = {}
        self._refused: set[MxUserId] = set()
        self._lists: defaultdict[MxUserId, asyncio.Lock] = defaultdict(asyncio.Lock)

    def get(self, user: MxUserId) -> Double | None:
        """The way to act as a user."""
        if user in self._own:
            return self._own[user]
        if user in self._refused or not self.is_automatic(user):
            return None
        if user not in self._automatic:
            token = self._secrets[_server_of(user)]
            self._automatic[user] = self._make(user, token, {"user_id": user})
        return self._automatic[user]

    def can_act_as(self, user: MxUserId) -> bool:
        """See MatrixDoubles."""
        return self.get(user) is not None

    def is_automatic(self, user: MxUserId) -> bool:
        """See MatrixDoubles."""
        return _server_of(user) in self._secrets and not self._is_ours(user)

    def use_token(self, user: MxUserId, token: str) -> None:
        """See MatrixDoubles."""
        self._own[user] = self._make(user, token, {})
        self._refused.discard(user)

    def use_automatic(self, user: MxUserId) -> None:
        """See MatrixDoubles."""
        self._own.pop(user, None)
        self._refused.discard(user)

    def stop_acting_as(self, user: MxUserId) -> None:
        """See MatrixDoubles."""
        self._own.pop(user, None)
        self._refused.add(user)

    async def fetch_owner(self, user: MxUserId, token: str) -> MxUserId | None:
        """See MatrixDoubles."""
        try:
            return await self._fetch_owner(self._make(user, token, {}))
        except MatrixRefused as error:
            if error.status in (401, 403):
                return None
            raise

    async def is_accepted(self, user: MxUserId) -> bool:
        """See MatrixDoubles."""
        try:
            return await self._fetch_owner(self._require(user)) == user
        except MatrixRefused:
            return False

    async def join_room(self, room_id: MxRoomId, *, user: MxUserId) -> None:
        """See MatrixDoubles."""
        await self._require(user).call(Method.POST, Path.v3.rooms[room_id].join, {})

    async def mark_read(self, room_id: MxRoomId, event_id: MxEventId, *, user: MxUserId) -> None:
        """See MatrixDoubles."""
        content = {"m.fully_read": event_id, "m.read": event_id}
        await self._require(user).call(Method.POST, Path.v3.rooms[room_id].read_markers, content)

    async def fetch_newest(self, room_id: MxRoomId, *, user: MxUserId) -> MxEventId | None:
        """See MatrixDoubles."""
        query = {"dir": "b", "limit": "1"}
        page = await self._require(user).call(Method.GET, Path.v3.rooms[room_id].messages, query=query)
        chunk = page.get("chunk")
        newest = chunk[0].get("event_id") if isinstance(chunk, list) and chunk else None
        return MxEventId(newest) if isinstance(newest, str) else None

    async def mark_unread(self, room_id: MxRoomId, *, is_unread: bool, user: MxUserId) -> None:
        """See MatrixDoubles."""
        path = Path.v3.user[user].rooms[room_id].account_data[UNREAD_KIND]
        await self._require(user).call(Method.PUT, path, {"unread": is_unread})

    async def add_direct_chat(self, room_id: MxRoomId, ghost: MxUserId, *, user: MxUserId) -> None:
        """See MatrixDoubles."""
        double, path = self._require(user), Path.v3.user[user].account_data["m.direct"]
        # Read, changed and written: two at once would lose one of the rooms.
        async with self._lists[user]:
            try:
                known = await double.call(Method.GET, path)
            except MatrixRefused as error:
                if error.status != 404:
                    raise
                known = {}
            rooms = known.get(ghost)
            listed = list(rooms) if isinstance(rooms, list) else []
            if room_id not in listed:
                await double.call(Method.PUT, path, {**known, ghost: [*listed, room_id]})

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, user: MxUserId, txn_id: MxTxnId
    ) -> None:
        """See MatrixDoubles."""
        await self._require(user).put(Path.v3.rooms[room_id].redact[event_id][txn_id], {}, {})

    async def fetch_author(self, room_id: MxRoomId, event_id: MxEventId) -> MxUserId | None:
        """See MatrixDoubles."""
        path = Path.v3.rooms[room_id].event[event_id]
        try:
            event = await self._http.call(Method.GET, path, query={"user_id": self._bot})
        except MatrixRefused as error:
            if error.status in (403, 404):
                return None
            raise
        sender = event.get("sender")
        return MxUserId(sender) if isinstance(sender, str) else None

    def _require(self, user: MxUserId) -> Double:
        double = self.get(user)
        if double is None:
            raise MatrixRefused("The bridge has no token of this user.")
        return double

    def _make(self, user: MxUserId, token: str, query: Mapping[str, str]) -> Double:
        address = self._addresses.get(_server_of(user))
        if address is None:
            raise MatrixRefused("The bridge does not know the address of this user's server.")
        return Double(user=user, http=self._http.with_token(token, base_url=address), query=query)

    async def _fetch_owner(self, double: Double) -> MxUserId:
        return MxUserId(str((await double.call(Method.GET, Path.v3.account.whoami)).get("user_id")))


def _server_of(user: MxUserId) -> str:
    try:
        return decode_mx_user(user)[1]
    except ValueError:
        return ""
