"""The homeserver's ceiling: the same people, rooms and joins, by a loop that does nothing else."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

_BASE = "/_matrix/client/v3"


@dataclass(slots=True, kw_only=True)
class Bare:
    """Makes rooms and has ghosts join them, as an application service that knows what it wants."""

    http: aiohttp.ClientSession
    url: str
    token: str
    user: str
    """Who is invited into every room."""
    bot: str = "@whatsappbot:localhost"
    _ghosts: set[str] = field(default_factory=set)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def make_all(self, rooms: Sequence[Sequence[str]], *, at_once: int) -> float:
        """Rooms with these members, so many at a time; the seconds it took."""
        waiting = iter(rooms)

        async def work() -> None:
            for members in waiting:
                await self.join_all(await self.make_room(), members)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        return time.perf_counter() - began

    async def make_room(self) -> str:
        """A room as the bridge makes them, with an alias and who bridges it."""
        number = next(self._numbers)
        bridge = {"bridgebot": self.bot, "protocol": {"id": "whatsapp"}, "channel": {"id": f"{number}"}}
        kinds = ("m.bridge", "uk.half-shot.bridge")
        body = {
            "preset": "private_chat",
            "room_alias_name": f"whatsapp_bare-{time.time_ns()}-{number}",
            "invite": [self.user],
            "name": f"Bare {number}",
            "initial_state": [{"type": kind, "state_key": "bare", "content": bridge} for kind in kinds],
        }
        answer = await self._call("POST", "/createRoom", self.bot, body)
        return str(answer["room_id"])

    async def join_all(self, room: str, members: Sequence[str]) -> None:
        """Have ghosts join, one after the other."""
        for member in members:
            await self._ensure(member)
            await self._call("POST", f"/rooms/{quote(room)}/invite", self.bot, {"user_id": member})
            await self._call("POST", f"/rooms/{quote(room)}/join", member, {})

    async def join_many(self, room: str, members: Sequence[str], *, at_once: int) -> float:
        """Have ghosts join, so many at a time; the seconds it took."""
        waiting = iter(members)

        async def work() -> None:
            for member in waiting:
                await self.join_all(room, [member])

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        return time.perf_counter() - began

    async def _ensure(self, ghost: str) -> None:
        if ghost in self._ghosts:
            return
        self._ghosts.add(ghost)
        name = ghost[1:].partition(":")[0]
        register = {"type": "m.login.application_service", "username": name, "inhibit_login": True}
        await self._call("POST", "/register", "", register)
        path = f"/profile/{quote(ghost)}/displayname"
        await self._call("PUT", path, ghost, {"displayname": f"{name} (WA)"})

    async def _call(self, method: str, path: str, user: str, body: dict[str, Any]) -> dict[str, Any]:
        query = {"user_id": user} if user else {}
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}{_BASE}{path}"
        async with self.http.request(method, url, json=body, params=query, headers=headers) as answer:
            document: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise RuntimeError(f"the homeserver answered {answer.status} to {path}: {document}")
            return document


@dataclass(frozen=True, slots=True)
class Rooms:
    """What there is, from the homeserver's own database."""

    database: Path

    def count_joined(self, pattern: str) -> dict[str, int]:
        """How many users with such names are in each room."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute(
                "SELECT room_id, count(*) FROM current_state_events"
                " WHERE type = 'm.room.member' AND membership = 'join' AND state_key GLOB ? GROUP BY room_id",
                (pattern,),
            ).fetchall()
        return dict(rows)

    def names(self) -> list[str]:
        """Names of rooms in the order in which they were made."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as connection:
            rows = connection.execute(
                "SELECT json ->> '$.content.name' FROM events JOIN event_json USING (event_id)"
                " WHERE type = 'm.room.name' ORDER BY stream_ordering"
            ).fetchall()
        return [row[0] for row in rows]
