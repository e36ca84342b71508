"""How much of the homeserver the past may take: most of it, and little as soon as somebody is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from mautrix_whatsapp_py.ports import Clock

MOST: Final = 8
"""More requests at once bring no more messages through Synapse, they only wait for each other."""
BESIDE_PEOPLE: Final = 2
PEOPLE_STAY_SECONDS: Final = 10.0


class Pace:
    """A place per request; there are fewer while people write."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live_until_s = clock.monotonic()
        self._used = 0
        self._changed = asyncio.Condition()

    @property
    def places(self) -> int:
        """How many requests may be under way."""
        return BESIDE_PEOPLE if self._clock.monotonic() < self._live_until_s else MOST

    def note_live(self) -> None:
        """Somebody does something now."""
        self._live_until_s = self._clock.monotonic() + PEOPLE_STAY_SECONDS

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """The right to make one request after the other."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._used < self.places)
            self._used += 1
        try:
            yield
        finally:
            async with self._changed:
                self._used -= 1
                self._changed.notify_all()
