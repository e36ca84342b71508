from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from mautrix_whatsapp_py.tasks import KeyedQueue

DEADLINE_SECONDS = 10


def note(seen: list[str], name: str) -> Callable[[], Awaitable[None]]:
    async def job() -> None:
        await asyncio.sleep(0)
        seen.append(name)

    return job


def blocked(seen: list[str], name: str, gate: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def job() -> None:
        seen.append(f"{name} starts")
        await gate.wait()
        seen.append(f"{name} ends")

    return job


async def finished(queue: KeyedQueue[str]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        await queue.idle()


async def test_jobs_of_one_key_run_in_order() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []
    for number in range(100):
        queue.put("a", note(seen, str(number)))
    await finished(queue)
    assert seen == [str(number) for number in range(100)]


async def test_jobs_put_by_a_job_run_after_those_that_wait() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []

    async def first() -> None:
        seen.append("first")
        queue.put("a", note(seen, "third"))

    queue.put("a", first)
    queue.put("a", note(seen, "second"))
    await finished(queue)
    assert seen == ["first", "second", "third"]


async def test_a_blocked_key_holds_up_no_other() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []
    gate, other = asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        other.set()

    queue.put("a", blocked(seen, "a", gate))
    queue.put("a", note(seen, "a2"))
    queue.put("b", tell)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await other.wait()
    assert seen == ["a starts"]
    assert queue.depth == 1
    gate.set()
    await finished(queue)
    assert seen == ["a starts", "a ends", "a2"]


async def test_a_failing_job_does_not_stop_its_key(caplog: pytest.LogCaptureFixture) -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []

    async def fail() -> None:
        raise ValueError("broken")

    queue.put("a", fail)
    queue.put("a", note(seen, "next"))
    await finished(queue)
    assert seen == ["next"]
    assert "a job of a failed" in caplog.text


async def test_idle_of_an_empty_queue_returns_at_once() -> None:
    await finished(KeyedQueue("test"))


async def test_keys_without_work_leave_nothing_behind() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    for number in range(50):
        queue.put(str(number), note([], "x"))
    await finished(queue)
    assert not queue._lanes
    await asyncio.gather(*queue._workers)
    assert not queue._workers


async def test_a_stuck_job_warns_and_is_left_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    queue: KeyedQueue[str] = KeyedQueue("test", warn_after_seconds=0.01, detach_after_seconds=0.03)
    seen: list[str] = []
    gate = asyncio.Event()
    queue.put("a", blocked(seen, "stuck", gate))
    queue.put("a", note(seen, "next"))
    await finished(queue)
    assert seen == ["stuck starts", "next"]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 3
    assert "left to itself" in caplog.text
    gate.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.wait(queue._workers)
    assert seen == ["stuck starts", "next", "stuck ends"]


async def test_stop_cancels_what_runs_and_drops_what_waits() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []
    started = asyncio.Event()

    async def run() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    queue.put("a", run)
    queue.put("a", note(seen, "waiting"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await started.wait()
        await queue.stop()
    queue.put("a", note(seen, "late"))
    await finished(queue)
    assert seen == ["cancelled"]


async def test_stop_before_a_job_began_leaves_the_queue_idle() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []
    queue.put("a", note(seen, "never"))
    await queue.stop()
    await finished(queue)
    assert seen == []


async def test_stop_ends_detached_jobs() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test", warn_after_seconds=0.01, detach_after_seconds=0.01)
    seen: list[str] = []
    queue.put("a", blocked(seen, "stuck", asyncio.Event()))
    await finished(queue)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await queue.stop()
    assert all(worker.done() for worker in queue._workers)


async def test_a_job_that_ends_its_task_does_not_end_its_key() -> None:
    queue: KeyedQueue[str] = KeyedQueue("test")
    seen: list[str] = []

    async def end() -> None:
        raise asyncio.CancelledError

    queue.put("a", end)
    queue.put("a", note(seen, "next"))
    await finished(queue)
    assert seen == ["next"]
