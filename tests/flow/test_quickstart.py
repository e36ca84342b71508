"""`quickstart` as its first user meets it: a bot that answers, a stop that is clean, a start that resumes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mautrix_whatsapp_py.errors import ExitCode
from mautrix_whatsapp_py.ops.local_place import is_port_free
from tests.homeserver.quickstart import Quickstart, processes_below
from tests.postgres import locked

pytestmark = pytest.mark.synapse

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "mautrix_whatsapp_py", "quickstart", "--data", "data")


@pytest.fixture
async def quickstart(tmp_path: Path, run_folder: Path) -> AsyncIterator[Quickstart]:
    # One at a time: all of them prefer the usual ports, and keep them between two starts.
    with locked(run_folder / "quickstart.lock"):
        started = Quickstart(COMMAND, folder=tmp_path, environment={"PYTHONPATH": str(ROOT)})
        yield started
        if started.process.is_running:
            await started.process.interrupt()


async def test_the_bot_answers_and_a_second_start_resumes(quickstart: Quickstart, tmp_path: Path) -> None:
    steps = await quickstart.start()
    async with await steps.client() as client:
        room = await steps.open_chat(client)
        assert "status" in await steps.ask(client, room, "help")
    assert await quickstart.process.interrupt() == ExitCode.OK
    assert processes_below(tmp_path) == {}

    assert await quickstart.start() == steps
    async with await steps.client() as client:
        assert "status" in await steps.ask(client, room, "help")
    assert await quickstart.process.stop() == ExitCode.OK
    assert processes_below(tmp_path) == {}


async def test_a_killed_quickstart_takes_both_along_and_the_next_start_works(
    quickstart: Quickstart, tmp_path: Path
) -> None:
    steps = await quickstart.start()
    await quickstart.process.kill()
    assert await quickstart.start() == steps
    assert await quickstart.process.interrupt() == ExitCode.OK
    assert processes_below(tmp_path) == {}


async def test_a_homeserver_that_dies_ends_the_bridge_with_a_word(quickstart: Quickstart, tmp_path: Path) -> None:
    steps = await quickstart.start()
    synapse = next(pid for pid, line in processes_below(tmp_path).items() if "synapse" in line)
    os.kill(synapse, signal.SIGKILL)
    assert await quickstart.process.wait() == ExitCode.HOMESERVER_UNREACHABLE
    assert "the local homeserver ended" in quickstart.process.output
    assert processes_below(tmp_path) == {}
    assert is_port_free(int(steps.url.rsplit(":", 1)[1]))
