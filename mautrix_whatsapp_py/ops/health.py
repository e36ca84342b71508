"""Whether the bridge does its work, for `/_matrix/mau/ready` and `status`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mautrix_whatsapp_py.errors import MatrixError, StoreError
from mautrix_whatsapp_py.ports import Clock

CHECK_SECONDS = 2.0
REMEMBERED_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """What works."""

    is_started: bool
    is_homeserver_well: bool
    is_database_well: bool

    @property
    def is_ready(self) -> bool:
        """Whether messages get through."""
        return self.is_started and self.is_homeserver_well and self.is_database_well


class Health:
    """Asks homeserver and database, but not more often than every few seconds."""

    def __init__(
        self,
        *,
        check_homeserver: Callable[[], Awaitable[object]],
        check_database: Callable[[], Awaitable[object]],
        clock: Clock,
    ) -> None:
        self._check_homeserver = check_homeserver
        self._check_database = check_database
        self._clock = clock
        self._is_started = False
        self._last: HealthReport | None = None
        self._asked_at = 0.0
        self._asking = asyncio.Lock()

    def set_started(self, is_started: bool) -> None:
        """The start is complete, or the end has begun."""
        self._is_started = is_started
        self._last = None

    async def get_report(self) -> HealthReport:
        """What works now, or did a moment ago."""
        if not self._is_started:
            return HealthReport(is_started=False, is_homeserver_well=False, is_database_well=False)
        async with self._asking:
            if self._last is None or self._clock.monotonic() - self._asked_at > REMEMBERED_SECONDS:
                homeserver, database = await asyncio.gather(
                    _works(self._check_homeserver), _works(self._check_database)
                )
                self._asked_at = self._clock.monotonic()
                self._last = HealthReport(
                    is_started=True, is_homeserver_well=homeserver, is_database_well=database
                )
            return self._last

    async def is_ready(self) -> bool:
        """Whether messages get through."""
        return (await self.get_report()).is_ready


async def _works(check: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except (MatrixError, StoreError, TimeoutError):
        return False
    return True
