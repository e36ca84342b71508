"""One request on its way: letters in order, and not more of them at once than the other end has read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.passing.letters import BodyPart, Content, Gone, Part, Read, encode

WINDOW_PARTS = 16
Put = Callable[[str, str, bytes], Awaitable[bool]]
"""Sends a letter to somebody, on a line; False when one of the two may not any more."""


def _do_nothing() -> None:
    """Nobody wants to know."""


class LineBroken(Exception):
    """The other end is gone, or letters are."""


class Line:
    """One end. Whatever goes wrong breaks it for good."""

    def __init__(self, name: str, peer: str, put: Put, *, heard_at: float) -> None:
        self.name = name
        self.peer = peer
        """Empty until it is known."""
        self.heard_at = heard_at
        self.sent = 0
        self.received = 0
        self.is_broken = False
        self.has_begun = False
        """Whether some of an answer that comes in pieces is there."""
        self.on_broken: Callable[[], object] = _do_nothing
        self._put = put
        self._turn = asyncio.Lock()
        self._waiting: deque[Content] = deque()
        self._news = asyncio.Event()
        self._under_way = 0
        self._unconfirmed = 0
        self._room = asyncio.Event()

    async def send(self, content: Content) -> None:
        """Send a letter. Raises LineBroken."""
        async with self._turn:
            if self.is_broken:
                raise LineBroken
            try:
                is_sent = await self._put(self.peer, self.name, encode(self.sent + 1, content))
            except StoreError:
                is_sent = False
            if not is_sent:
                self.break_off()
                raise LineBroken
            self.sent += 1

    async def send_part(self, content: Part | BodyPart) -> None:
        """Send a part of a body, when there is room for it. Raises LineBroken."""
        while self._under_way >= WINDOW_PARTS and not self.is_broken:
            self._room.clear()
            await self._room.wait()
        self._under_way += 1
        await self.send(content)

    async def receive(self) -> Content:
        """The next letter; what came before a break is still to be had. Raises LineBroken."""
        while not self._waiting:
            if self.is_broken:
                raise LineBroken
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    async def confirm(self) -> None:
        """A part was read: there is room for another. Raises LineBroken."""
        self._unconfirmed += 1
        if self._unconfirmed >= WINDOW_PARTS // 2:
            parts, self._unconfirmed = self._unconfirmed, 0
            await self.send(Read(parts=parts))

    def deliver(self, number: int, content: Content, *, now: float) -> None:
        """A letter has come."""
        self.heard_at = now
        self.received += 1
        if number != self.received or isinstance(content, Gone):
            self.break_off()
        elif isinstance(content, Read):
            self._under_way -= content.parts
            self._room.set()
        elif not self.is_broken:
            self._waiting.append(content)
            self._news.set()

    def note_beat(self, sent: int, *, now: float) -> None:
        """The other end is there, and has sent so many letters."""
        self.heard_at = now
        if sent > self.received:
            self.break_off()

    def break_off(self) -> None:
        """Nothing more comes or goes."""
        if self.is_broken:
            return
        self.is_broken = True
        self.on_broken()
        self._news.set()
        self._room.set()
