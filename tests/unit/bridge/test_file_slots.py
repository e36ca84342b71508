from __future__ import annotations

import asyncio

from mautrix_whatsapp_py.bridge.file_slots import SMALL_BYTES, ByteBudget

LARGE = 10 * SMALL_BYTES


class Transfers:
    """Starts transfers, and ends them when told."""

    def __init__(self, budget: ByteBudget) -> None:
        self.running: list[str] = []
        self._budget = budget
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str, size: int) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._run(name, size))
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)

    async def _run(self, name: str, size: int) -> None:
        async with self._budget.taken(size):
            self.running.append(name)
            await self._ends[name].wait()
        self.running.remove(name)


async def test_large_ones_wait_for_each_other_and_small_ones_for_nobody() -> None:
    transfers = Transfers(ByteBudget(2 * LARGE))
    for name in ("one", "two", "three", "four"):
        await transfers.start(name, LARGE)
    await transfers.start("small", SMALL_BYTES)
    assert transfers.running == ["one", "two", "small"]
    await transfers.end("two")
    assert transfers.running == ["one", "small", "three"]
    for name in ("one", "three", "four", "small"):
        await transfers.end(name)
    assert not transfers.running


async def test_one_that_is_larger_than_all_goes_alone() -> None:
    transfers = Transfers(ByteBudget(LARGE))
    await transfers.start("huge", 3 * LARGE)
    await transfers.start("large", LARGE)
    assert transfers.running == ["huge"]
    await transfers.end("huge")
    assert transfers.running == ["large"]
    await transfers.end("large")


async def test_who_gives_up_waiting_takes_nothing_along() -> None:
    transfers = Transfers(ByteBudget(LARGE))
    for name in ("one", "two", "three"):
        await transfers.start(name, LARGE)
    transfers.tasks["two"].cancel()
    await asyncio.gather(transfers.tasks["two"], return_exceptions=True)
    await transfers.end("one")
    assert transfers.running == ["three"]
    await transfers.end("three")
    await transfers.start("four", LARGE)
    assert transfers.running == ["four"]
    await transfers.end("four")
