"""Standing by, leading, letting go: on a database in memory and a clock that moves when told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from mautrix_whatsapp_py.errors import ExitCode, StartupError, StoreUnavailable
from mautrix_whatsapp_py.ops.leadership import LEAD, Leadership, Term, WorkerIdentity, new_identity
from mautrix_whatsapp_py.store.leases import Claimed, Lease
from tests.fakes.clock import FakeClock

TTL_SECONDS = 10.0
DEADLINE_SECONDS = 20
FAR_SECONDS = 1e12
"""The time of the fake machine: no fence of a test strikes by itself."""


@dataclass(slots=True)
class Book:
    """Implements LeaseBook."""

    free: bool = True
    is_renewed: bool = True
    is_away: bool = False
    beats: list[bool | None] = field(default_factory=list)
    connections: int = 0
    said: list[str] = field(default_factory=list)

    async def beat(
        self, name: str, holder: str, *, version: str, ttl_seconds: float, weight: float
    ) -> bool | None:
        self._require()
        return self.beats.pop(0) if self.beats else False

    async def leave(self, name: str, holder: str) -> None:
        self._require()
        self.said.append(f"{name} leaves")

    async def claim(self, name: str, holder: str, *, ttl_seconds: float) -> Claimed | None:
        self._require()
        if not self.free:
            return None
        return Claimed(lease=Lease(name=name, holder=holder, epoch=7), former="former")

    async def renew(self, lease: Lease, *, ttl_seconds: float) -> bool:
        self._require()
        return self.is_renewed

    async def release(self, lease: Lease) -> None:
        self._require()
        self.said.append(f"{lease.name} released")

    async def cut_off(self, holder: str) -> int:
        self.connections -= 1
        self.said.append(f"{holder} cut off")
        return max(self.connections, 0)

    def _require(self) -> None:
        if self.is_away:
            raise StoreUnavailable


@dataclass(slots=True)
class Desk:
    """A worker and what is around it."""

    book: Book = field(default_factory=Book)
    clock: FakeClock = field(default_factory=FakeClock)
    machine: float = FAR_SECONDS
    ended: list[int] = field(default_factory=list)
    leadership: Leadership = field(init=False)

    def __post_init__(self) -> None:
        identity = WorkerIdentity(name="w1", version="1", holder="holder")
        self.leadership = Leadership(
            self.book,
            identity,
            ttl_seconds=TTL_SECONDS,
            clock=self.clock,
            now=lambda: self.machine,
            end=self.ended.append,
        )

    async def advance_until(self, task: asyncio.Task[object]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not task.done():
                self.clock.advance(1.0)
                await asyncio.sleep(0)

    async def beat(self, times: int = 1) -> None:
        """Let a leader's heart beat so often."""
        for _ in range(times):
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not self.clock.sleeping:
                    await asyncio.sleep(0)
            self.clock.advance(self.leadership.beat_seconds)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self.clock.sleeping and not self.ended:
                await asyncio.sleep(0)


async def lead(desk: Desk) -> Term:
    task = asyncio.ensure_future(desk.leadership.stand_by())
    await desk.advance_until(task)
    return task.result()


async def test_leads_once_nobody_else_does_and_ends_what_the_former_left() -> None:
    desk = Desk()
    desk.book.free, desk.book.connections = False, 3
    task = asyncio.ensure_future(desk.leadership.stand_by())
    await desk.beat(3)
    assert not task.done()
    desk.book.free = True
    await desk.advance_until(task)
    term = task.result()
    assert term.lease == Lease(name=LEAD, holder="holder", epoch=7)
    assert desk.book.said == ["former cut off"] * 3
    assert term.is_rescue
    assert desk.machine < term.fence.until < desk.machine + TTL_SECONDS
    await desk.leadership.step_down(term)
    assert desk.book.said[-1] == "bridge released"


async def test_stands_by_while_the_database_is_away_or_while_it_drains() -> None:
    desk = Desk()
    desk.book.is_away = True
    task = asyncio.ensure_future(desk.leadership.stand_by())
    await desk.beat(2)
    desk.book.is_away, desk.book.beats = False, [True, None]
    await desk.beat(2)
    assert not task.done()
    assert desk.book.said == []
    await desk.advance_until(task)


async def test_a_renewed_lease_moves_the_deadline_for_all_who_listen() -> None:
    desk = Desk()
    term = await lead(desk)
    heard: list[float] = []
    term.add_listener(heard.append)
    keeping = asyncio.ensure_future(desk.leadership.keep(term))
    desk.machine += 2
    await desk.beat()
    # Asked for before the answer came, it counts from then.
    assert heard == [heard[0], heard[0] + 2]
    desk.book.is_away = True
    desk.machine += 2
    await desk.beat()
    assert len(heard) == 2
    desk.book.is_away = False
    await desk.beat()
    assert heard[-1] == heard[0] + 4
    keeping.cancel()
    term.fence.open()


async def test_a_lost_lease_ends_the_process() -> None:
    desk = Desk()
    term = await lead(desk)
    keeping = asyncio.ensure_future(desk.leadership.keep(term))
    desk.book.is_renewed = False
    await desk.beat()
    await desk.advance_until(keeping)
    assert desk.ended == [ExitCode.LEASE_LOST]
    term.fence.open()


async def test_a_leader_that_is_to_drain_lets_go() -> None:
    desk = Desk()
    term = await lead(desk)
    keeping = asyncio.ensure_future(desk.leadership.keep(term))
    desk.book.beats = [True]
    await desk.beat()
    assert term.is_over.is_set()
    keeping.cancel()
    desk.book.is_away = True
    await desk.leadership.step_down(term)
    await desk.leadership.leave()


async def test_two_of_one_name_are_refused_only_if_the_other_lives_on() -> None:
    desk = Desk()
    desk.book.beats = [None, None, False]
    await desk.advance_until(asyncio.ensure_future(desk.leadership.join()))
    desk.book.beats = [None] * 100
    task = asyncio.ensure_future(desk.leadership.join())
    await desk.advance_until(task)
    with pytest.raises(StartupError, match="Another worker is called w1"):
        task.result()


def test_every_run_is_a_holder_of_its_own_that_fits_a_connection_s_name() -> None:
    first, second = new_identity("w" * 32, "1"), new_identity("w" * 32, "1")
    assert first.holder != second.holder
    assert len(first.holder) < 64
