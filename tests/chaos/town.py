"""An account with many groups and communities, and what a homeserver has of it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass

from tests.chaos.storm import is_long
from tests.flow.linking_stage import Stage
from tests.homeserver.request_log import NOTICE, RequestLog
from tests.simulator.api import Account, Direction
from tests.simulator.full_account import Filled, Sizes
from tests.simulator.groups import Group

SHORT = Sizes(contacts=13, groups=5, communities=1, linked=1, large=36, fewest=4, most=6, crew=2)
"""The large group has more members than join at once."""
SIZES = Sizes() if is_long() else SHORT
WAIT_SECONDS = 1800 if is_long() else 180
OWN_SPACE = "WhatsApp (+15550001111)"
WATCH = ("GET /_matrix/client/versions ", "GET /_matrix/client/v3/sync ")
"""Every second the bridge looks whether the homeserver is there, and marks where its stream is."""


@dataclass(slots=True, kw_only=True)
class Town:
    """Alice, the groups she is in, and everything that is asked of the homeserver."""

    stage: Stage
    log: RequestLog
    ben: Account
    """With whom she has a chat."""
    filled: Filled

    def state(self, kind: str) -> list[tuple[str, str, dict[str, object]]]:
        """Room, key and content of state, from the homeserver's own database."""
        return [
            (room, key, json.loads(event)["content"])
            for room, key, event in self._ask(
                "SELECT c.room_id, c.state_key, j.json FROM current_state_events c"
                " JOIN event_json j USING (event_id) WHERE c.type = ?",
                kind,
            )
        ]

    def names(self) -> dict[str, str]:
        """Rooms of chats and spaces by what they are called now."""
        rooms = {room for room, _, _ in self.state("m.bridge")} | set(self.spaces())
        return {room: str(content["name"]) for room, _, content in self.state("m.room.name") if room in rooms}

    def spaces(self) -> list[str]:
        """Every space there is."""
        return [room for room, _, content in self.state("m.room.create") if content.get("type") == "m.space"]

    def children(self) -> dict[str, list[str]]:
        """What each space holds, by name."""
        names = self.names()
        held: dict[str, list[str]] = {names[space]: [] for space in self.spaces() if space in names}
        for space, child, content in self.state("m.space.child"):
            if content:
                held[names[space]].append(names.get(child, child))
        return {name: sorted(children) for name, children in held.items()}

    def wanted_children(self) -> dict[str, list[str]]:
        """What each space is to hold."""
        communities, made = self.filled.communities, self.filled.groups
        free = [group.subject for group in made if group.parent is None]
        held = {one.subject: sorted(_names(made, one)) for one in communities}
        return {OWN_SPACE: sorted(["Ben", *free, *held]), **held}

    def joins(self) -> Counter[tuple[str, str]]:
        """How often each ghost came into each room."""
        rows = self._ask(
            "SELECT m.room_id, m.user_id FROM room_memberships m"
            " WHERE m.membership = ? AND m.user_id LIKE '@whatsapp\\_%' ESCAPE '\\'",
            "join",
        )
        return Counter((str(room), str(user)) for room, user in rows)

    def said(self, name: str) -> list[dict[str, object]]:
        """What was said in the room of this name, oldest first."""
        (room,) = [room for room, called in self.names().items() if called == name]
        rows = self._ask(
            "SELECT j.json FROM events e JOIN event_json j USING (event_id)"
            " WHERE e.type = 'm.room.message' AND e.room_id = ? ORDER BY e.stream_ordering",
            room,
        )
        return [json.loads(row[0])["content"] for row in rows]

    async def asks_for(self, command: str) -> list[str]:
        """What a command that finds everything up to date asks of the homeserver, and changes on WhatsApp."""
        log, trace = self.log.requests, self.stage.wa.trace
        seen, count = len(log), len(trace.entries)
        mark = self.stage.alice.client.mark()
        await self.stage.alice.client.send_text(self.stage.alice.room, command)
        said = await self.stage.alice.client.wait_for_message(
            self.stage.alice.room, contains="Synchronised", after=mark, deadline_seconds=WAIT_SECONDS
        )
        assert "everything was up to date" in said.body, said.body
        assert "⚠️" not in said.body
        news = [entry for entry in list(trace.entries)[count:] if entry.direction is Direction.IN]
        changes = [str(one.node) for one in news if one.node.tag == "iq" and one.node.get("type") == "set"]
        return changes + [line for line in log[seen:] if NOTICE not in line and not line.startswith(WATCH)]

    def _ask(self, statement: str, value: str) -> list[tuple[str, ...]]:
        database = self.stage.synapse.folder / "homeserver.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(statement, (value,)).fetchall()


def _names(made: Iterable[Group], community: Group) -> list[str]:
    return [group.subject for group in made if group.parent == community.jid]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the homeserver's database tells."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.1)
