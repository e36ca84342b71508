"""A clock that moves when told to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """The port Clock; `sleep` ends when `advance` has gone far enough."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_seconds)

    def monotonic(self) -> float:
        return self._elapsed_seconds

    @property
    def sleeping(self) -> int:
        """How many wait for their time."""
        return sum(not future.done() for _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed_seconds + seconds, future))
        await future

    def advance(self, seconds: float) -> None:
        """Let time pass and wake whose time has come."""
        self._elapsed_seconds += seconds
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._elapsed_seconds]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper not in due]
        for _, future in sorted(due, key=lambda sleeper: sleeper[0]):
            if not future.done():
                future.set_result(None)
