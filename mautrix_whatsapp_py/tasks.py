"""Ordered work per key, supervised tasks and back-off."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Job = Callable[[], Awaitable[None]]
WARN_AFTER_SECONDS = 30.0
DETACH_AFTER_SECONDS = 300.0


def spawn(
    coroutine: Coroutine[Any, Any, None],
    *,
    name: str,
    tasks: set[asyncio.Task[None]],
) -> asyncio.Task[None]:
    """Run a coroutine in the background; `tasks` keeps it alive, an unexpected end is logged with its name."""
    task = asyncio.create_task(coroutine, name=name)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(_log_failure)
    return task


async def end_all(tasks: Iterable[asyncio.Future[Any]], *, grace_seconds: float = 0.0) -> None:
    """Wait until they are over, cancelled after a while; how they end is of no interest."""
    under_way = tuple(tasks)
    if under_way and grace_seconds:
        await asyncio.wait(under_way, timeout=grace_seconds)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[None]], *, at_once: int) -> None:
    """Do something about every item, so many at a time, in order; the first failure ends all of it."""
    waiting = iter(items)

    async def run() -> None:
        for item in waiting:
            await work(item)

    workers = [asyncio.ensure_future(run()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background task %s failed", task.get_name(), exc_info=error)


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Delays that grow by a factor up to a cap, spread by jitter so that many callers do not march in step."""

    first_seconds: float = 1.0
    cap_seconds: float = 60.0
    factor: float = 2.0
    jitter: float = 0.25
    random: Callable[[], float] = random.random
    attempt: int = 0

    def next_seconds(self) -> float:
        """The delay before the next try."""
        base: float = min(self.cap_seconds, self.first_seconds * self.factor**self.attempt)
        self.attempt = min(self.attempt + 1, 64)
        return base * (1 + self.jitter * (2 * self.random() - 1))

    def reset(self) -> None:
        """Start over after a success."""
        self.attempt = 0


@dataclass(slots=True)
class _Lane:
    jobs: deque[Job] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None


class KeyedQueue(Generic[Key]):
    """Runs jobs one at a time and in order per key, different keys side by side; a key without work is gone."""

    def __init__(
        self,
        name: str,
        *,
        warn_after_seconds: float = WARN_AFTER_SECONDS,
        detach_after_seconds: float = DETACH_AFTER_SECONDS,
    ) -> None:
        self._name = name
        self._warn_after = warn_after_seconds
        self._detach_after = detach_after_seconds
        self._lanes: dict[Key, _Lane] = {}
        self._detached: set[asyncio.Task[None]] = set()
        self._all_idle = asyncio.Event()
        self._all_idle.set()
        self._stopped = False

    def put(self, key: Key, job: Job) -> None:
        """Append a job to its key's lane; never waits."""
        if self._stopped:
            return
        lane = self._lanes.setdefault(key, _Lane())
        lane.jobs.append(job)
        self._all_idle.clear()
        if lane.worker is None:
            lane.worker = asyncio.create_task(self._drain(key, lane), name=f"{self._name}:{key}")

    @property
    def depth(self) -> int:
        """Jobs waiting, those under way not counted."""
        return sum(len(lane.jobs) for lane in self._lanes.values())

    async def idle(self) -> None:
        """Wait until nothing waits and nothing runs, detached jobs aside."""
        await self._all_idle.wait()

    async def stop(self) -> None:
        """Take nothing more, drop what waits, cancel what runs."""
        self._stopped = True
        workers = [lane.worker for lane in self._lanes.values() if lane.worker is not None]
        running = [*workers, *self._detached]
        for lane in self._lanes.values():
            lane.jobs.clear()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # A worker cancelled before its first step has tidied nothing away.
        self._lanes.clear()
        self._all_idle.set()

    async def _drain(self, key: Key, lane: _Lane) -> None:
        try:
            while lane.jobs:
                await self._run(key, lane.jobs.popleft())
        finally:
            lane.worker = None
            self._lanes.pop(key, None)
            if not self._lanes:
                self._all_idle.set()

    async def _run(self, key: Key, job: Job) -> None:
        task = asyncio.create_task(self._guard(key, job), name=f"{self._name}:{key}:job")
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)
        waited = 0.0
        while waited < self._detach_after:
            step = min(self._warn_after, self._detach_after - waited)
            done, _ = await asyncio.wait({task}, timeout=step)
            if done:
                return
            waited += step
            log.warning("%s: a job of %s has been running for %.0f s", self._name, key, waited)
        # The chat must not stay wedged behind one job; that job may still finish.
        log.error("%s: a job of %s is left to itself after %.0f s", self._name, key, waited)

    async def _guard(self, key: Key, job: Job) -> None:
        try:
            await job()
        except Exception:
            log.exception("%s: a job of %s failed", self._name, key)


class Unfinished(Exception):
    """What was being written will never be whole."""


class Growth:
    """How much there is of something of a known size that somebody writes while somebody else reads it.

    The reader gets the last bytes only once the writer has found all of it to be right.
    """

    HELD_BYTES = 64

    def __init__(self, whole_bytes: int) -> None:
        self.whole_bytes = whole_bytes
        self._written = 0
        self._is_over = False
        self._news = asyncio.Event()

    def grew(self, written_bytes: int) -> None:
        """So much is written by now."""
        self._written = written_bytes
        self._news.set()

    def end(self) -> None:
        """All is written that ever will be, and right as far as it goes."""
        self._is_over = True
        self._news.set()

    async def wait_beyond(self, position: int) -> int:
        """Up to where the reader may read who has read so far. Raises Unfinished."""
        while True:
            self._news.clear()
            readable = self._written if self._is_over else min(self._written, self.whole_bytes - self.HELD_BYTES)
            if self._is_over and self._written != self.whole_bytes:
                raise Unfinished
            if readable > position or position >= self.whole_bytes:
                return readable
            await self._news.wait()
