"""Letters about requests, in memory."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mautrix_whatsapp_py.errors import StoreUnavailable

LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeLetter:
    """Implements Letter."""

    sender: str
    line: str
    body: bytes


class FakeHttpPost:
    """Implements PostOffice."""

    def __init__(self) -> None:
        self.leader: str | None = None
        self.is_away = False
        self.letters: dict[str, list[FakeLetter]] = {}
        self.calls: Counter[str] = Counter()
        self.most = 0
        """How many letters have lain there at once."""
        self.lose_next = 0
        self._news: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def wait(self, recipient: str) -> bool:
        """Wait a little for news."""
        news = self._news[recipient]
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await news.wait()
        has_news = news.is_set()
        news.clear()
        return has_news

    @property
    def is_empty(self) -> bool:
        return not any(self.letters.values())

    async def ask(self, line: str, body: bytes, *, sender: str) -> str | None:
        """See HttpPost."""
        await self._begin("ask")
        if self.leader is not None:
            self._put(self.leader, line, body, sender)
        return self.leader

    async def put(self, recipient: str, line: str, body: bytes, *, sender: str, leader: str) -> bool:
        """See HttpPost."""
        await self._begin("put")
        if leader != self.leader:
            return False
        self._put(recipient, line, body, sender)
        return True

    async def take(self, recipient: str) -> Sequence[FakeLetter]:
        """See HttpPost."""
        await self._begin("take")
        return self.letters.pop(recipient, [])

    async def withdraw(self, recipient: str, line: str) -> bool:
        """See HttpPost."""
        await self._begin("withdraw")
        before = self.letters.get(recipient, [])
        self.letters[recipient] = [letter for letter in before if letter.line != line]
        return len(self.letters[recipient]) < len(before)

    async def drop(self, line: str) -> None:
        """See HttpPost."""
        for recipient in tuple(self.letters):
            await self.withdraw(recipient, line)

    async def tidy(self, leader: str) -> None:
        """See HttpPost."""
        await self._begin("tidy")
        self.letters = {recipient: letters for recipient, letters in self.letters.items() if recipient == leader}

    async def _begin(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable

    def _put(self, recipient: str, line: str, body: bytes, sender: str) -> None:
        if line and self.lose_next:
            self.lose_next -= 1
            return
        self.letters.setdefault(recipient, []).append(FakeLetter(sender=sender, line=line, body=body))
        self.most = max(self.most, len(self.letters[recipient]))
        self._news[recipient].set()
