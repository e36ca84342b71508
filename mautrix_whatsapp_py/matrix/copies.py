"""MatrixCopies over the homeserver's client-server API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from mautrix.api import Method, Path

from mautrix_whatsapp_py.ids import MxEventId, MxRoomId, MxTxnId, MxUserId
from mautrix_whatsapp_py.matrix.crypto import Crypto
from mautrix_whatsapp_py.matrix.double_puppet import HttpDoublePuppets
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields, get_text
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp, require_text
from mautrix_whatsapp_py.matrix.senders import Senders
from mautrix_whatsapp_py.model.sealed import CannotOpen, KeyMissing
from mautrix_whatsapp_py.model.spoken import MxSpoken, MxStretch

PAGE_EVENTS: Final = 100
_SEALED: Final = "m.room.encrypted"
_SPOKEN: Final = frozenset(
    {
        "m.room.message",
        "m.sticker",
        "m.reaction",
        "m.poll.start",
        "m.poll.response",
        "m.poll.end",
        "org.matrix.msc3381.poll.start",
        "org.matrix.msc3381.poll.response",
        "org.matrix.msc3381.poll.end",
    }
)
_FILTER: Final = json.dumps({"types": sorted({*_SPOKEN, _SEALED})}, separators=(",", ":"))
_EVENT_ID: Final = re.compile(r"\$[\w-]{20,}(?::[\w.:-]+)?")


class HttpMatrixCopies:
    """Implements MatrixCopies, as the bot and as whoever speaks."""

    def __init__(
        self,
        http: RetryingHttp,
        *,
        bot: MxUserId,
        doubles: HttpDoublePuppets | None = None,
        crypto: Crypto | None = None,
    ) -> None:
        self._http = http
        self._bot = bot
        self._crypto = crypto
        self._senders = Senders(http, doubles, crypto)

    async def fetch_stretch(self, room_id: MxRoomId, after: str | None) -> MxStretch:
        """What people said in a room, from its beginning or after another stretch."""
        query = {"user_id": self._bot, "dir": "f", "limit": str(PAGE_EVENTS), "filter": _FILTER}
        if after is not None:
            query["from"] = after
        page = await self._http.call(Method.GET, Path.v3.rooms[room_id].messages, query=query)
        end, found, unreadable = page.get("end"), [], 0
        for event in _events(page.get("chunk")):
            opened = await self._opened({**event, "room_id": room_id})
            if opened is None:
                unreadable += 1
            elif (spoken := _decode(opened)) is not None:
                found.append(spoken)
        rest = end if isinstance(end, str) and end != after else None
        return MxStretch(events=tuple(found), rest=rest, unreadable=unreadable)

    async def send_copy(
        self,
        room_id: MxRoomId,
        event: MxSpoken,
        *,
        sender: MxUserId,
        txn_id: MxTxnId,
        renamed: Mapping[MxEventId, MxEventId],
    ) -> MxEventId:
        """Say the same with the same time; what it is about is meant by its new id."""
        text = _EVENT_ID.sub(lambda found: renamed.get(MxEventId(found[0]), found[0]), event.content)
        content: Json = json.loads(text)
        query = {"ts": str(int(event.sent_at.timestamp() * 1000))}
        answer = await self._senders.send_event(room_id, event.kind, txn_id, content, sender, query=query)
        return MxEventId(require_text(answer, "event_id"))

    async def _opened(self, event: Fields) -> Fields | None:
        """An event as its sender meant it; None when nobody can tell."""
        if event.get("type") != _SEALED or not get_fields(event, "content"):
            return event
        if self._crypto is None:
            return None
        try:
            return await self._crypto.open_fields(event, patience_seconds=0)
        except (KeyMissing, CannotOpen):
            return None


def _events(events: object) -> Iterator[Fields]:
    yield from (event for event in events if isinstance(event, dict)) if isinstance(events, list) else ()


def _decode(event: Fields) -> MxSpoken | None:
    event_id, sender, kind = (get_text(event, key) for key in ("event_id", "sender", "type"))
    content, at_ms = get_fields(event, "content"), event.get("origin_server_ts")
    if not event_id or not sender or kind not in _SPOKEN or not content or not isinstance(at_ms, int):
        return None
    return MxSpoken(
        event_id=MxEventId(event_id),
        sender=MxUserId(sender),
        kind=str(kind),
        content=json.dumps(content),
        sent_at=datetime.fromtimestamp(at_ms / 1000, UTC),
    )
