"""The homeserver seen from outside: a loop that only sends, a reader of its clock, a client that syncs."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import aiohttp

DEADLINE_SECONDS = 120.0
_FILTER = json.dumps(
    {
        "presence": {"types": []},
        "account_data": {"types": []},
        "room": {
            "timeline": {"limit": 500, "types": ["m.room.message"]},
            "state": {"types": [], "lazy_load_members": True},
            "ephemeral": {"types": []},
            "account_data": {"types": []},
        },
    }
)


@dataclass(slots=True, kw_only=True)
class Sender:
    """Sends plain texts: as the application service does for a ghost, or as a person does."""

    http: aiohttp.ClientSession
    url: str
    token: str
    user: str = ""
    """Whom the application service sends as; empty for a person."""
    _count: int = 0

    async def send(self, room: str, body: str, *, at_s: int | None = None) -> None:
        """One message, sent when the homeserver says so, or as if it were from then."""
        self._count += 1
        path = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/{time.time_ns()}-{self._count}"
        query: dict[str, str] = {}
        if self.user:
            at_ms = time.time_ns() // 1_000_000 if at_s is None else at_s * 1000
            query = {"user_id": self.user, "device_id": "WHATSAPPBRIDGE", "ts": str(at_ms)}
        headers = {"Authorization": f"Bearer {self.token}"}
        content = {"msgtype": "m.text", "body": body, "m.mentions": {}}
        async with self.http.put(f"{self.url}{path}", json=content, params=query, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"the homeserver answered {answer.status}: {await answer.text()}")
            await answer.read()


@dataclass(frozen=True, slots=True)
class Ledger:
    """When the homeserver took what, from its own database: the same clock for every way of sending."""

    database: Path

    def get_times(self, mark: str) -> list[float]:
        """Seconds at which messages were stored whose text begins with the mark, in order."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute(
                "SELECT received_ts FROM events JOIN event_json USING (event_id)"
                " WHERE stream_ordering > (SELECT max(stream_ordering) - 6000 FROM events)"
                " AND type = 'm.room.message' AND json ->> '$.content.body' LIKE ? || '%'"
                " ORDER BY stream_ordering",
                (mark,),
            ).fetchall()
        return [row[0] / 1000 for row in rows]

    def get_rooms(self, mark: str) -> dict[str, list[float]]:
        """The same by room, and when each room was made, which is the first of its times."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute(
                "SELECT room_id, received_ts FROM events JOIN event_json USING (event_id, room_id)"
                " WHERE type = 'm.room.create' OR"
                " (type = 'm.room.message' AND json ->> '$.content.body' LIKE ? || '%')"
                " ORDER BY stream_ordering",
                (mark,),
            ).fetchall()
        found: dict[str, list[float]] = {}
        for room, received_ms in rows:
            found.setdefault(room, []).append(received_ms / 1000)
        return {room: times for room, times in found.items() if len(times) > 1}

    async def wait_for(self, mark: str, count: int, *, every_seconds: float = 0.25) -> list[float]:
        """The times, once there are so many; looked at rarely, so as not to be in the way."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found := await asyncio.to_thread(self.get_times, mark)) < count:  # noqa: ASYNC110 another process writes
                await asyncio.sleep(every_seconds)
        if len(found) != count:
            raise RuntimeError(f"{len(found)} messages instead of {count}")
        return found


@dataclass(slots=True, kw_only=True)
class Watcher:
    """A client that syncs and notes when it saw what."""

    http: aiohttp.ClientSession
    url: str
    token: str
    _seen: dict[str, float] = field(default_factory=dict)
    _waiting: dict[str, asyncio.Future[float]] = field(default_factory=dict)

    async def saw(self, body: str) -> float:
        """When it saw a message with this text."""
        if body in self._seen:
            return self._seen[body]
        future = self._waiting[body] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await future

    async def watch(self, ready: asyncio.Event) -> None:
        """Sync until cancelled; `ready` is set when everything from now on is seen."""
        since = await self._sync("", 0)
        ready.set()
        while True:
            since = await self._sync(since, 30_000)

    async def _sync(self, since: str, patience_ms: int) -> str:
        query = {"filter": _FILTER, "timeout": str(patience_ms), **({"since": since} if since else {})}
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.get(f"{self.url}/_matrix/client/v3/sync", params=query, headers=headers) as answer:
            document = await answer.json()
        now = time.perf_counter()
        for room in document.get("rooms", {}).get("join", {}).values():
            for event in room["timeline"]["events"]:
                self._note(str(event["content"].get("body", "")), now)
        return str(document["next_batch"])

    def _note(self, body: str, now: float) -> None:
        self._seen.setdefault(body, now)
        future = self._waiting.pop(body, None)
        if future is not None and not future.done():
            future.set_result(now)


def rate(times: Sequence[float]) -> float:
    """Messages per second between the first and the last."""
    return (len(times) - 1) / max(times[-1] - times[0], 1e-3)


def steady_rate(rooms: Sequence[Sequence[float]]) -> float:
    """Messages per second while all rooms were being written in: from the last to begin to the first to end."""
    began, ended = max(times[0] for times in rooms), min(times[-1] for times in rooms)
    count = sum(began < at <= ended for times in rooms for at in times)
    if ended <= began:
        raise RuntimeError("there was no moment at which all rooms were being written in")
    return count / (ended - began)
