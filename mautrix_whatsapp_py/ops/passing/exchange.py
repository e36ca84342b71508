"""All lines of one worker: it looks for letters when it is told of some, and while it waits for any."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from mautrix_whatsapp_py.errors import StoreError
from mautrix_whatsapp_py.ops.passing.letters import Beat, Content, Letter, PostOffice, decode, encode
from mautrix_whatsapp_py.ops.passing.line import Line

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
BEAT_SECONDS = 2.0
SILENCE_SECONDS = 12.0
"""After so long without a letter the other end is taken for gone."""
_BEATS = ""
"""The line of beats, which are not numbered."""

Wait = Callable[[float], Awaitable[bool]]
"""Waits for news, at most so many seconds; whether there are any."""
OnNew = Callable[[Letter, Content], None]
"""Told of a letter of no line there is."""


def _do_nothing() -> None:
    """It is being closed."""


def _ignore(_letter: Letter, _content: Content) -> None:
    """Of a line that is over."""


class Exchange:
    """A worker that has no line open asks the database nothing."""

    def __init__(
        self,
        post: PostOffice,
        me: str,
        *,
        wait: Wait,
        now: Callable[[], float],
        leader: str | None = None,
        on_new: OnNew = _ignore,
    ) -> None:
        """`leader` is who leads where that is us; else it is the one at the other end."""
        self._post = post
        self._me = me
        self._leader = leader
        self._wait = wait
        self.now = now
        self._on_new = on_new
        self.lines: dict[str, Line] = {}
        self._beat_at = 0.0

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            has_news = await self._wait(LOOK_SECONDS)
            if not has_news and not self.lines:
                continue
            try:
                await self.look()
            except StoreError as error:
                log.info("requests that are passed on wait: %s", type(error).__name__)
            self._break_silent()

    async def look(self) -> None:
        """Deliver what has come, and show that we are there."""
        for letter in await self._post.take(self._me):
            self._deliver(letter)
        now = self.now()
        if now - self._beat_at >= BEAT_SECONDS and self.lines:
            self._beat_at = now
            for peer in {line.peer for line in self.lines.values()} - {""}:
                await self._beat(peer)

    def open(self, name: str, peer: str) -> Line:
        """Begin a line."""
        line = self.lines[name] = Line(name, peer, self._put, heard_at=self.now())
        return line

    async def close(self, line: Line, last: Content | None = None) -> None:
        """End a line; when it ends before it should, with a last letter instead of all that was not taken."""
        if self.lines.pop(line.name, None) is None:
            return
        was_broken, line.on_broken = line.is_broken, _do_nothing
        line.break_off()
        if last is None and not was_broken:
            return
        try:
            await self._post.drop(line.name)
            if last is not None and line.peer:
                await self._put(line.peer, line.name, encode(line.sent + 1, last))
        except StoreError as error:
            log.info("a request that ended could not be tidied up: %s", type(error).__name__)

    def break_all(self) -> None:
        """End all lines at once."""
        for line in tuple(self.lines.values()):
            line.break_off()

    async def _put(self, peer: str, line: str, body: bytes) -> bool:
        return await self._post.put(peer, line, body, sender=self._me, leader=self._leader or peer)

    def _deliver(self, letter: Letter) -> None:
        decoded = decode(letter.body)
        line = self.lines.get(letter.line)
        if decoded is None:
            # Numbers go on without it, which breaks the line.
            return
        number, content = decoded
        if isinstance(content, Beat):
            self._note_beat(letter.sender, content)
        elif line is None:
            self._on_new(letter, content)
        elif line.peer in ("", letter.sender):
            line.deliver(number, content, now=self.now())

    def _note_beat(self, sender: str, beat: Beat) -> None:
        for name, sent in beat.sent.items():
            line = self.lines.get(name)
            if line is not None and line.peer == sender:
                line.note_beat(sent, now=self.now())

    async def _beat(self, peer: str) -> None:
        theirs = [line for line in self.lines.values() if line.peer == peer]
        beat = Beat(sent={line.name: line.sent for line in theirs})
        if not await self._put(peer, _BEATS, encode(0, beat)):
            for line in theirs:
                line.break_off()

    def _break_silent(self) -> None:
        now = self.now()
        for line in self.lines.values():
            if now - line.heard_at > SILENCE_SECONDS:
                line.break_off()
