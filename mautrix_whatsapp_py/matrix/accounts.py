"""What clients of a user show of rooms, tags, mutes and marks of what is read, by the user's own requests."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mautrix.api import Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, MxUserId
from mautrix_whatsapp_py.matrix.decode import decode_receipts
from mautrix_whatsapp_py.matrix.double_puppet import UNREAD_KIND, Double, HttpDoublePuppets
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text, is_id
from mautrix_whatsapp_py.matrix.http import require_text
from mautrix_whatsapp_py.model.chat_marks import MxAccountNews
from mautrix_whatsapp_py.model.mx import MxReceipt

_TAGS, _RULES, _RECEIPT, _PRIVATE = "m.tag", "m.push_rules", "m.receipt", "m.read.private"
_NOTHING: dict[str, object] = {"types": []}
_ROOM_FILTER: dict[str, object] = {
    "account_data": {"types": [_TAGS, UNREAD_KIND]},
    "ephemeral": _NOTHING,
    "state": {**_NOTHING, "lazy_load_members": True},
    "timeline": {**_NOTHING, "limit": 1},
}
_ROOM, _OVERRIDE = "room", "override"
"""Kinds of push rules by which clients mute a room: all but mentions, or these too."""


class HttpMatrixAccounts:
    """Implements MatrixAccounts."""

    def __init__(self, doubles: HttpDoublePuppets) -> None:
        self._doubles = doubles

    async def set_tag(self, room_id: MxRoomId, tag: str, *, is_set: bool, user: MxUserId) -> None:
        """See MatrixAccounts."""
        double, path = self._require(user), Path.v3.user[user].rooms[room_id].tags[tag]
        if is_set:
            await double.call(Method.PUT, path, {})
        else:
            await double.call(Method.DELETE, path)

    async def set_muted(self, room_id: MxRoomId, *, is_muted: bool, user: MxUserId) -> None:
        """See MatrixAccounts."""
        double, rules = self._require(user), Path.v3.pushrules["global"]
        if is_muted:
            await double.call(Method.PUT, rules[_ROOM][room_id], {"actions": []})
            return
        for kind in (_ROOM, _OVERRIDE):
            try:
                await double.call(Method.DELETE, rules[kind][room_id])
            except MatrixRefused as error:
                if error.status != 404:
                    raise

    async def fetch_news(self, user: MxUserId, since: str | None, *, with_receipts: bool = False) -> MxAccountNews:
        """See MatrixAccounts."""
        query = {"filter": _filter(with_receipts=with_receipts), "timeout": "0", "set_presence": "offline"}
        if since is not None:
            query["since"] = since
        answer = await self._require(user).call(Method.GET, Path.v3.sync, query=query)
        return decode_news(answer, batch=require_text(answer, "next_batch"), user=user)

    def _require(self, user: MxUserId) -> Double:
        double = self._doubles.get(user)
        if double is None:
            raise MatrixRefused("The bridge has no token of this user.")
        return double


def _filter(*, with_receipts: bool) -> str:
    room = {**_ROOM_FILTER, "ephemeral": {"types": [_RECEIPT]}} if with_receipts else _ROOM_FILTER
    wanted = {"presence": _NOTHING, "account_data": {"types": [_RULES]}, "room": room}
    return json.dumps(wanted, separators=(",", ":"))


def decode_news(answer: Fields, *, batch: str, user: MxUserId) -> MxAccountNews:
    """What a client's synchronisation tells of rooms."""
    tags: dict[MxRoomId, frozenset[str]] = {}
    unread: dict[MxRoomId, bool] = {}
    read: list[MxReceipt] = []
    rooms = get_fields(answer, "rooms")
    for membership in ("join", "invite"):
        for room_id, fields in get_fields(rooms, membership).items():
            room = fields if isinstance(fields, dict) else {}
            read += _private_receipts(room, MxRoomId(room_id), user)
            for kind, content in _events(room):
                if kind == _TAGS:
                    tags[MxRoomId(room_id)] = frozenset(get_fields(content, "tags"))
                elif kind == UNREAD_KIND:
                    unread[MxRoomId(room_id)] = content.get("unread") is True
    rules = [get_fields(content, "global") for kind, content in _events(answer) if kind == _RULES]
    muted = _muted(rules[-1]) if rules else None
    return MxAccountNews(batch=batch, tags=tags, unread=unread, muted=muted, read=tuple(read))


def _private_receipts(room: Fields, room_id: MxRoomId, user: MxUserId) -> Iterator[MxReceipt]:
    for kind, content in _events(room, "ephemeral"):
        for receipt in decode_receipts(content, room_id) if kind == _RECEIPT else ():
            if receipt.is_private and receipt.user == user:
                yield receipt


def _events(holder: Fields, part: str = "account_data") -> Iterator[tuple[str, Fields]]:
    events = get_fields(holder, part).get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield get_text(event, "type") or "", get_fields(event, "content")


def _muted(rules: Fields) -> frozenset[MxRoomId]:
    found = set()
    for kind in (_ROOM, _OVERRIDE):
        listed = rules.get(kind)
        for rule in listed if isinstance(listed, list) else ():
            if not isinstance(rule, dict) or rule.get("enabled") is False:
                continue
            rule_id, actions = rule.get("rule_id"), rule.get("actions")
            is_silent = isinstance(actions, list) and "notify" not in actions
            if is_silent and is_id(rule_id) and rule_id.startswith("!"):
                found.add(MxRoomId(rule_id))
    return frozenset(found)
