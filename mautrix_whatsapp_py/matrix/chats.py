"""MatrixChats over the homeserver's client-server API."""

from __future__ import annotations

import logging
from datetime import datetime

from mautrix.api import Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.decode_content import decode_message
from mautrix_whatsapp_py.matrix.double_puppet import HttpDoublePuppets
from mautrix_whatsapp_py.matrix.encode_content import encode_message, encode_reaction
from mautrix_whatsapp_py.matrix.encode_room import Identity, encode_bridging, encode_room, with_levels
from mautrix_whatsapp_py.matrix.fields import NONE, Fields, get_fields
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp, require_text
from mautrix_whatsapp_py.matrix.poll_content import STARTS, decode_poll_start, encode_poll
from mautrix_whatsapp_py.matrix.senders import Senders
from mautrix_whatsapp_py.model.content import MxMessageContent, MxMsgType, MxReactionContent
from mautrix_whatsapp_py.model.mx import MxNewRoom, MxSendStatus
from mautrix_whatsapp_py.model.polls import MxPollEnd, MxPollStart, MxPollVote
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyMissing

log = logging.getLogger(__name__)

_VERSION_WITH_CREATORS = 12
_ALREADY_THERE = frozenset({"M_FORBIDDEN", "M_UNKNOWN"})


class HttpMatrixChats:
    """Portals' view of the homeserver."""

    def __init__(
        self,
        http: RetryingHttp,
        *,
        identity: Identity,
        doubles: HttpDoublePuppets | None = None,
        crypto: Crypto | None = None,
    ) -> None:
        self._http = http
        self._identity = identity
        self._crypto = crypto
        self._senders = Senders(http, doubles, crypto)
        self._registered: set[MxUserId] = set()
        self._has_listed_creators: bool | None = None

    async def ensure_ghost(self, ghost: MxUserId) -> None:
        """Register a ghost; it may exist already."""
        if ghost not in self._registered:
            await self._senders.ensure_user(ghost)
            self._registered.add(ghost)

    async def set_name(self, ghost: MxUserId, name: str) -> None:
        """Name a ghost."""
        path = Path.v3.profile[ghost].displayname
        await self._http.call(Method.PUT, path, {"displayname": name}, query={"user_id": ghost})

    async def create_room(self, room: MxNewRoom) -> MxRoomId:
        """Make a room; asking for the same alias again gives the room that is there."""
        bot, alias = self._identity.bot, f"#{room.alias}:{self._identity.domain}"
        found = await self._find_room(alias)
        if found is not None:
            return found
        body = encode_room(room, self._identity)
        if room.levels is not None:
            listed = await self._lists_creators()
            body = with_levels(body, room.levels, listed_creator=bot if listed else None)
        try:
            answer = await self._http.call(Method.POST, Path.v3.createRoom, body, query={"user_id": bot})
        except MatrixRefused:
            # Synapse has several ways to say that the alias was taken a moment ago.
            found = await self._find_room(alias)
            if found is None:
                raise
            return found
        return MxRoomId(require_text(answer, "room_id"))

    async def adopt_room(self, room_id: MxRoomId, room: MxNewRoom) -> None:
        """Have a room that somebody else made say what it bridges, as far as the bot may."""
        try:
            for state in encode_bridging(room, self._identity):
                path = Path.v3.rooms[room_id].state[state["type"]][state["state_key"]]
                await self._http.call(Method.PUT, path, state["content"], query={"user_id": self._identity.bot})
        except MatrixRefused as error:
            log.info("a room does not say what it bridges: %s", error.errcode)

    async def invite(self, room_id: MxRoomId, user: MxUserId, *, is_direct: bool = False) -> None:
        """Have the bot invite somebody, if direct to a chat of two; who is there or invited already stays so."""
        query = {"user_id": self._identity.bot}
        try:
            if is_direct:
                # The endpoint for invitations cannot say so.
                path = Path.v3.rooms[room_id].state["m.room.member"][user]
                await self._http.call(Method.PUT, path, {"membership": "invite", "is_direct": True}, query=query)
            else:
                await self._http.call(Method.POST, Path.v3.rooms[room_id].invite, {"user_id": user}, query=query)
        except MatrixRefused as error:
            # Whoever is there already cannot be invited; no other answer tells it apart.
            if error.errcode not in _ALREADY_THERE:
                raise

    async def ensure_joined(self, room_id: MxRoomId, user: MxUserId, *, is_invited: bool = False) -> None:
        """Have one of our users join, invited by the bot unless that was done."""
        path, query = Path.v3.rooms[room_id].join, {"user_id": user}
        if is_invited:
            try:
                await self._http.call(Method.POST, path, {}, query=query)
            except MatrixRefused as error:
                log.debug("an invitation is gone: %s", error.errcode)
            else:
                return
        await self.invite(room_id, user)
        await self._http.call(Method.POST, path, {}, query=query)

    async def send_message(
        self,
        room_id: MxRoomId,
        content: MxMessageContent,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        """Send a message or an edit, with the time it was sent at on the other side."""
        said = encode_message(content)
        kind = "m.room.message"
        if content.msgtype is MxMsgType.STICKER:
            kind = "m.sticker"
            del said["msgtype"]
        return await self._send(room_id, kind, said, sender, txn_id, sent_at)

    async def send_reaction(
        self,
        room_id: MxRoomId,
        content: MxReactionContent,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        """React to an event."""
        return await self._send(room_id, "m.reaction", encode_reaction(content), sender, txn_id, sent_at)

    async def send_redaction(
        self, room_id: MxRoomId, event_id: MxEventId, *, sender: MxUserId, txn_id: MxTxnId, reason: str = ""
    ) -> None:
        """Redact an event."""
        path = Path.v3.rooms[room_id].redact[event_id][txn_id]
        await self._senders.put_once(path, {"reason": reason} if reason else {}, sender)

    async def send_receipt(self, room_id: MxRoomId, event_id: MxEventId, *, reader: MxUserId) -> None:
        """Mark everything up to an event as read."""
        path = Path.v3.rooms[room_id].receipt["m.read"][event_id]
        await self._http.call(Method.POST, path, {}, query={"user_id": reader})

    async def set_timer(self, room_id: MxRoomId, seconds: int) -> None:
        """Show after how many seconds the messages of a room disappear; 0 is never."""
        content: Json = {"type": "after_send", "timer": seconds * 1000} if seconds > 0 else {}
        path = Path.v3.rooms[room_id].state["com.beeper.disappearing_timer"][""]
        await self._http.call(Method.PUT, path, content, query={"user_id": self._identity.bot})

    async def send_typing(self, room_id: MxRoomId, *, user: MxUserId, for_seconds: float) -> None:
        """Show that somebody types, for so long; 0 ends it."""
        content: Json = {"typing": for_seconds > 0}
        if for_seconds > 0:
            content["timeout"] = int(for_seconds * 1000)
        await self._http.call(Method.PUT, Path.v3.rooms[room_id].typing[user], content, query={"user_id": user})

    async def set_presence(self, user: MxUserId, *, is_online: bool) -> None:
        """Show one of our users online or not."""
        content: Json = {"presence": "online" if is_online else "offline"}
        await self._http.call(Method.PUT, Path.v3.presence[user].status, content, query={"user_id": user})

    async def fetch_message(self, room_id: MxRoomId, event_id: MxEventId) -> MxMessageContent | None:
        """What an event says now, edits included; None when it is gone or no message."""
        event = await self._fetch_event(room_id, event_id)
        if event is None:
            return None
        poll = decode_poll_start(get_fields(event, "content")) if event.get("type") in STARTS else None
        if poll is not None:
            return MxMessageContent(msgtype=MxMsgType.POLL, body=poll.question)
        relations = get_fields(get_fields(event, "unsigned"), "m.relations")
        edit = get_fields(
            await self._opened({"room_id": room_id, **get_fields(relations, "m.replace")}), "content"
        )
        is_sticker = event.get("type") == "m.sticker"
        return decode_message(edit or get_fields(event, "content"), is_sticker=is_sticker)

    async def _opened(self, event: Fields) -> Fields:
        """An event as its sender meant it; nothing when nobody can tell."""
        if event.get("type") != "m.room.encrypted":
            return event
        if self._crypto is None:
            return NONE
        try:
            return await self._crypto.open_fields(event, patience_seconds=0)
        except (KeyMissing, CannotOpen):
            return NONE

    async def send_poll(
        self,
        room_id: MxRoomId,
        content: MxPollStart | MxPollVote | MxPollEnd,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None = None,
    ) -> MxEventId:
        """Make a poll, vote in one, or end one."""
        kind, said = encode_poll(content)
        return await self._send(room_id, kind, said, sender, txn_id, sent_at)

    async def fetch_poll(self, room_id: MxRoomId, event_id: MxEventId) -> MxPollStart | None:
        """The poll of an event; None when it is gone or none."""
        event = await self._fetch_event(room_id, event_id)
        return None if event is None else decode_poll_start(get_fields(event, "content"))

    async def set_pinned(self, room_id: MxRoomId, event_id: MxEventId, *, is_pinned: bool) -> None:
        """Have the bot pin an event, or no longer; the other pins stay."""
        path = Path.v3.rooms[room_id].state["m.room.pinned_events"]
        query = {"user_id": self._identity.bot}
        try:
            known = (await self._http.call(Method.GET, path, query=query)).get("pinned")
        except MatrixRefused as error:
            if error.status != 404:
                raise
            known = []
        pinned = known if isinstance(known, list) else []
        if (event_id in pinned) is not is_pinned:
            wanted = [one for one in pinned if one != event_id] + ([event_id] if is_pinned else [])
            await self._http.call(Method.PUT, path, {"pinned": wanted}, query=query)

    async def send_status(self, room_id: MxRoomId, status: MxSendStatus, *, txn_id: MxTxnId) -> None:
        """Tell clients what became of a message."""
        content: Json = {
            "network": "whatsapp",
            "m.relates_to": {"rel_type": "m.reference", "event_id": status.event_id},
            "status": status.outcome.value,
        }
        if status.reason:
            content |= {"reason": status.reason, "message": status.message}
        bot = self._identity.bot
        await self._send(room_id, "com.beeper.message_send_status", content, bot, txn_id, None)

    async def _send(
        self,
        room_id: MxRoomId,
        kind: str,
        content: Json,
        sender: MxUserId,
        txn_id: MxTxnId,
        sent_at: datetime | None,
    ) -> MxEventId:
        query = {"ts": str(int(sent_at.timestamp() * 1000))} if sent_at is not None else {}
        answer = await self._senders.send_event(room_id, kind, txn_id, content, sender, query=query)
        return MxEventId(require_text(answer, "event_id"))

    async def _lists_creators(self) -> bool:
        """Whether new rooms name their creator among the levels: those of versions before 12 do."""
        if self._has_listed_creators is None:
            answer = await self._http.call(Method.GET, Path.v3.capabilities, query={"user_id": self._identity.bot})
            versions = get_fields(get_fields(answer, "capabilities"), "m.room_versions")
            default = str(versions.get("default", "1"))
            self._has_listed_creators = not default.isdecimal() or int(default) < _VERSION_WITH_CREATORS
        return self._has_listed_creators

    async def _fetch_event(self, room_id: MxRoomId, event_id: MxEventId) -> Fields | None:
        path = Path.v3.rooms[room_id].event[event_id]
        try:
            event = await self._http.call(Method.GET, path, query={"user_id": self._identity.bot})
        except MatrixRefused as error:
            if error.status in (403, 404):
                return None
            raise
        return await self._opened(event)

    async def _find_room(self, alias: str) -> MxRoomId | None:
        try:
            answer = await self._http.call(
                Method.GET, Path.v3.directory.room[alias], query={"user_id": self._identity.bot}
            )
        except MatrixRefused as error:
            if error.status == 404:
                return None
            raise
        return MxRoomId(require_text(answer, "room_id"))
