"""What rooms say happened since a moment, asked of the homeserver instead of waited for."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence

from mautrix.api import Method, Path

from mautrix_whatsapp_py.errors import MatrixRefused
from mautrix_whatsapp_py.ids import MxUserId
from mautrix_whatsapp_py.matrix.fields import Fields, get_fields
from mautrix_whatsapp_py.matrix.http import Json, RetryingHttp, require_text
from mautrix_whatsapp_py.matrix.transaction import decode_stored
from mautrix_whatsapp_py.model.mx import MxMissed, MxStored

log = logging.getLogger(__name__)

SYNC_EVENTS = 100
"""As many events of a room as homeservers give by default at once."""
PAGE_EVENTS = 500
MAX_PAGES = 10
_QUIET: Json = {"types": [], "limit": 0}
_NO_ROOMS: Json = {"room": {"rooms": []}, "presence": _QUIET, "account_data": _QUIET}
_TIMELINES: Json = {
    "room": {
        "timeline": {"limit": SYNC_EVENTS},
        "state": {"types": []},
        "ephemeral": _QUIET,
        "account_data": _QUIET,
    },
    "presence": _QUIET,
    "account_data": _QUIET,
}


class MissedEvents:
    """Reads the bot's rooms as one of its clients would."""

    def __init__(self, http: RetryingHttp, *, bot: MxUserId) -> None:
        self._http = http
        self._bot = bot

    async def fetch_reachable(self) -> None:
        """Return when the homeserver answers; MatrixUnreachable when it does not."""
        await self._http.call(Method.GET, Path.versions)

    async def fetch_token(self) -> str:
        """Where the stream of events is now."""
        return require_text(await self._sync(_NO_ROOMS, None), "next_batch")

    async def fetch_since(self, token: str) -> MxMissed:
        """All events in the bot's rooms since then, each room's in its order, and invitations of the bot.

        A room with more than can be paged through is left to the homeserver: half of its events would come first.
        """
        answer = await self._sync(_uncached(_TIMELINES), token)
        rooms = get_fields(answer, "rooms")
        found: list[MxStored] = []
        for room_id, room in get_fields(rooms, "join").items():
            if isinstance(room, dict):
                found += await self._fetch_room(room_id, get_fields(room, "timeline"), token)
        for room_id, room in get_fields(rooms, "invite").items():
            if isinstance(room, dict):
                found += self._decode_invite(room_id, get_fields(room, "invite_state"))
        return MxMissed(events=tuple(found), token=require_text(answer, "next_batch"))

    async def _sync(self, wanted: Json, token: str | None) -> Json:
        query = {
            "user_id": self._bot,
            "filter": json.dumps(wanted, separators=(",", ":")),
            "timeout": "0",
            "set_presence": "offline",
        }
        return await self._http.call(Method.GET, Path.v3.sync, query=query | ({"since": token} if token else {}))

    async def _fetch_room(self, room_id: str, timeline: Fields, token: str) -> Sequence[MxStored]:
        events = list(_events(timeline.get("events")))
        before = timeline.get("prev_batch")
        if timeline.get("limited") is True and isinstance(before, str):
            earlier = await self._fetch_back(room_id, before, token)
            if earlier is None:
                log.warning("too much was said in a room while the homeserver was away; it is not looked through")
                return ()
            events = [*earlier, *events]
        return _decode(room_id, _after_join(events, self._bot))

    async def _fetch_back(self, room_id: str, before: str, token: str) -> list[Fields] | None:
        """The events between two points of the stream; None when they are too many."""
        path = Path.v3.rooms[room_id].messages
        events: list[Fields] = []
        for _ in range(MAX_PAGES):
            query = {"user_id": self._bot, "dir": "b", "from": before, "to": token, "limit": str(PAGE_EVENTS)}
            try:
                page = await self._http.call(Method.GET, path, query=query)
            except MatrixRefused:
                # The bot has no business there any more.
                return []
            events = [*reversed(list(_events(page.get("chunk")))), *events]
            end = page.get("end")
            if not isinstance(end, str) or not page.get("chunk"):
                return events
            before = end
        return None

    def _decode_invite(self, room_id: str, state: Fields) -> Sequence[MxStored]:
        """An invitation as an event of its own; what the homeserver shows of it has no id."""
        for event in _events(state.get("events")):
            if event.get("type") == "m.room.member" and event.get("state_key") == self._bot:
                sender = event.get("sender")
                return _decode(room_id, [{**event, "event_id": f"$invite of {sender} to {room_id}"}])
        return ()


def _uncached(wanted: Json) -> Json:
    """The same filter, but not the same to Synapse, which answers what it was asked before from memory."""
    room = wanted["room"]
    timeline = {**room["timeline"], "not_types": [f"asked.at.{time.time_ns()}"]}
    return {**wanted, "room": {**room, "timeline": timeline}}


def _events(events: object) -> Iterator[Fields]:
    yield from (event for event in events if isinstance(event, dict)) if isinstance(events, list) else ()


def _after_join(events: Sequence[Fields], bot: MxUserId) -> Sequence[Fields]:
    """What was said before the bot came was not said to it."""
    for index, event in enumerate(events):
        if event.get("type") == "m.room.member" and event.get("state_key") == bot and _is_join(event):
            return events[index:]
    return events


def _is_join(event: Fields) -> bool:
    content: Mapping[str, object] = get_fields(event, "content")
    before = get_fields(get_fields(event, "unsigned"), "prev_content")
    return content.get("membership") == "join" and before.get("membership") != "join"


def _decode(room_id: str, events: Sequence[Fields]) -> Sequence[MxStored]:
    raws = (json.dumps({**event, "room_id": room_id}).encode() for event in events)
    return [stored for stored in map(decode_stored, raws) if stored is not None]
