from __future__ import annotations

import asyncio

import pytest

from mautrix_whatsapp_py.tasks import spawn


async def test_a_task_is_kept_until_it_ends() -> None:
    tasks: set[asyncio.Task[None]] = set()
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()

    task = spawn(work(), name="work", tasks=tasks)
    assert tasks == {task}
    gate.set()
    await task
    assert not tasks


async def test_a_failure_is_logged_with_the_name_of_the_task(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("broken")

    task = spawn(work(), name="feeder", tasks=set())
    await asyncio.wait({task})
    assert "background task feeder failed" in caplog.text
