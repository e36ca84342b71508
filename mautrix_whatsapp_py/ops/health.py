"""Whether the bridge does its work, for `/_matrix/mau/ready`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mautrix_whatsapp_py.errors import MatrixError, StoreError
from mautrix_whatsapp_py.ports import Clock

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[object]]
CHECK_SECONDS = 5.0
CHECK_EVERY_SECONDS = 10.0
START = "start"
HOMESERVER = "homeserver"


class Health:
    """Knows which parts work; asks each of them every few seconds once the start is complete."""

    def __init__(self, checks: Mapping[str, Check], *, clock: Clock) -> None:
        self._checks = dict(checks)
        self._clock = clock
        self._is_started = False
        self._ill: tuple[str, ...] = ()

    def start(self) -> None:
        """The start is complete, so all parts were well a moment ago."""
        self._is_started, self._ill = True, ()

    async def on_wait(self) -> None:
        """The start waits for the homeserver."""
        self._ill = (HOMESERVER,)

    def end(self) -> None:
        """The end has begun."""
        self._is_started = False

    def unready_parts(self) -> Sequence[str]:
        """What keeps messages from getting through."""
        return self._ill if self._is_started else (START, *self._ill)

    async def watch(self) -> None:
        """Ask for ever."""
        while True:
            await self._clock.sleep(CHECK_EVERY_SECONDS)
            await self.check()

    async def check(self) -> None:
        """Ask every part now."""
        answers = await asyncio.gather(*(_is_well(check) for check in self._checks.values()))
        ill = tuple(name for name, is_well in zip(self._checks, answers, strict=True) if not is_well)
        if ill != self._ill:
            log.warning("not working: %s", ", ".join(ill) or "nothing any more")
        self._ill = ill


async def _is_well(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except (MatrixError, StoreError, TimeoutError):
        return False
    return True
