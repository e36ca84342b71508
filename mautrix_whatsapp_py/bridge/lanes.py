"""Work in order per key, tried again until it is settled; other keys go on meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from mautrix_whatsapp_py.bridge.resting import rest
from mautrix_whatsapp_py.ports import Clock
from mautrix_whatsapp_py.tasks import Backoff, KeyedQueue

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Work = Callable[[], Awaitable[bool]]
"""A piece of work: whether it is settled, or must be tried again before anything behind it."""
STOP_SECONDS = 10.0


def retry_backoff() -> Backoff:
    """How long a lane rests before it tries again."""
    return Backoff(first_seconds=1.0, cap_seconds=60.0)


@dataclass(slots=True, kw_only=True)
class _Lane:
    """What waits under one key, the oldest first; it stays in front until it is settled."""

    works: deque[Work] = field(default_factory=deque)
    backoff: Backoff
    rest_seconds: float = 0.0


class Lanes(Generic[Key]):
    """One lane per key; a lane without work is gone."""

    def __init__(self, name: str, clock: Clock, *, make_backoff: Callable[[], Backoff] = retry_backoff) -> None:
        self._queue: KeyedQueue[Key] = KeyedQueue(name)
        self._clock = clock
        self._make_backoff = make_backoff
        self._lanes: dict[Key, _Lane] = {}
        self._stopping = asyncio.Event()

    @property
    def depth(self) -> int:
        """What waits, that under way not counted."""
        return sum(len(lane.works) for lane in self._lanes.values())

    def is_busy(self, key: Key) -> bool:
        """Whether anything waits or runs under a key."""
        return key in self._lanes

    def put(self, key: Key, work: Work) -> None:
        """Queue work behind all that waits under its key; never waits."""
        lane = self._open_lane(key)
        lane.works.append(work)
        self._queue_lane(key, lane)

    def put_first(self, key: Key, work: Work) -> None:
        """Queue work before all that waits under its key."""
        lane = self._open_lane(key)
        lane.works.appendleft(work)
        self._queue_lane(key, lane)

    async def idle(self) -> None:
        """Wait until everything is settled."""
        await self._queue.idle()

    async def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Let running work finish for a while; what waits is dropped."""
        self._stopping.set()
        try:
            async with asyncio.timeout(seconds):
                await self._queue.idle()
        except TimeoutError:
            log.warning("stopping with work under way; it is repeated at the next start")
        await self._queue.stop()

    def _open_lane(self, key: Key) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(backoff=self._make_backoff())
        return lane

    def _queue_lane(self, key: Key, lane: _Lane) -> None:
        self._queue.put(key, partial(self._advance, key, lane))

    async def _advance(self, key: Key, lane: _Lane) -> None:
        """Do the oldest work; when that must wait, it stays the oldest and gets another job."""
        if self._stopping.is_set() or not lane.works:
            return
        if lane.rest_seconds > 0:
            # A job of its own: resting must not count as being stuck.
            await rest(self._clock, lane.rest_seconds, self._stopping)
            lane.rest_seconds = 0.0
            self._queue_lane(key, lane)
            return
        work = lane.works.popleft()
        if await work():
            lane.backoff.reset()
            self._forget_if_empty(key, lane)
            return
        lane.works.appendleft(work)
        lane.rest_seconds = lane.backoff.next_seconds()
        self._queue_lane(key, lane)

    def _forget_if_empty(self, key: Key, lane: _Lane) -> None:
        if not lane.works and self._lanes.get(key) is lane:
            del self._lanes[key]
