"""Ghosts on their way into rooms: several at a time, and never more than the homeserver takes with ease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from mautrix_whatsapp_py.bridge.ghosts import Ghosts
from mautrix_whatsapp_py.errors import BridgeError, MatrixRefused
from mautrix_whatsapp_py.ids import MxRoomId, PersonId
from mautrix_whatsapp_py.model.people import Person
from mautrix_whatsapp_py.ports import MatrixChats

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Synapse lets an application service change ten memberships at a time; some are left to those who speak."""


class Joins:
    """Lets ghosts join, all rooms together so many at a time."""

    def __init__(self, *, chats: MatrixChats, ghosts: Ghosts) -> None:
        self._chats = chats
        self._ghosts = ghosts
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def join_all(
        self, room_id: MxRoomId, people: Sequence[Person]
    ) -> tuple[frozenset[PersonId], BridgeError | None]:
        """Who is done with, and what kept the others away."""
        ends = await asyncio.gather(*(self._join(room_id, person) for person in people), return_exceptions=True)
        done: set[PersonId] = set()
        problem: BridgeError | None = None
        for person, end in zip(people, ends, strict=True):
            if end is None:
                done.add(person.id)
            elif isinstance(end, BridgeError):
                problem = end
            else:
                raise end
        return frozenset(done), problem

    async def _join(self, room_id: MxRoomId, person: Person) -> None:
        async with self._gate:
            ghost = (await self._ghosts.ensure(person)).ghost
            try:
                await self._chats.ensure_joined(room_id, ghost)
            except MatrixRefused as error:
                # A ghost that was banned from the room, say: the others need not wait for it.
                log.info("a member could not join a group's room: %s %s", error.status, error.errcode)
