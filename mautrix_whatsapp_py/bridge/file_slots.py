"""How many files may be under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

SMALL_BYTES: Final = 8 << 20


class ByteBudget:
    """Lets transfers go that somebody keeps whole in memory, as far as they fit in there together.

    Small ones go at once, so that nobody's photo waits for somebody's film.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._most = most_bytes
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taken(self, size_bytes: int) -> AsyncIterator[None]:
        """Hold that much of the budget; larger than all of it means alone."""
        if size_bytes <= SMALL_BYTES:
            yield
            return
        wanted = min(size_bytes, self._most)
        await self._take(wanted)
        try:
            yield
        finally:
            self._left += wanted
            self._call()

    async def _take(self, wanted: int) -> None:
        if not self._line and wanted <= self._left:
            self._left -= wanted
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((wanted, future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._left += wanted
            elif (wanted, future) in self._line:
                self._line.remove((wanted, future))
            self._call()
            raise

    def _call(self) -> None:
        while self._line and self._line[0][0] <= self._left:
            wanted, future = self._line.popleft()
            if not future.done():
                self._left -= wanted
                future.set_result(None)
