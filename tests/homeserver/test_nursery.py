"""A child of a nursery is what its command would have started."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homeserver.births import Nursery
from tests.homeserver.processes import Process

PROGRAM = "raised"
SOURCE = """
import json, os, sys, time

def main():
    words = sys.argv[1:]
    if words[0] == "show":
        files = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")[:-1]]
        shown = {"folder": os.getcwd(), "words": words, "path": sys.path[0], "files": files,
                 "group": os.getpgrp(), "parent": os.getppid(), "variable": os.environ.get("VARIABLE")}
        print(json.dumps(shown))
    if words[0] == "wait":
        print("waiting")
        time.sleep(600)
    if words[0] == "fail":
        raise ValueError("as told")
    return int(words[0]) if words[0].isdigit() else None

if __name__ == "__main__":
    sys.exit(main())
"""
DEADLINE_SECONDS = 30


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    (tmp_path / "raised.py").write_text(SOURCE)
    nursery = Nursery(PROGRAM, folder=tmp_path / "nursery", environment={"PYTHONPATH": str(tmp_path)})
    yield nursery
    nursery.close()


def make(tmp_path: Path, nursery: Nursery, *, name: str = "child", **environment: str) -> Process:
    variables = {"PYTHONPATH": str(tmp_path), **environment}
    command = [sys.executable, "-m", PROGRAM]
    return Process(name, command, folder=tmp_path, environment=variables, nursery=nursery)


async def launched(process: Process) -> Process:
    """It waits."""
    before = process.output
    process.launch("wait")

    async def is_waiting() -> bool:
        return process.output == f"{before}waiting\n"

    await process.wait_until(is_waiting, deadline_seconds=DEADLINE_SECONDS)
    return process


async def test_it_has_words_folder_environment_and_a_group_of_its_own(tmp_path: Path, nursery: Nursery) -> None:
    process = make(tmp_path, nursery, VARIABLE="value")
    process.launch("show", "it")
    assert await process.wait() == 0
    shown = json.loads(process.output)
    assert (shown["folder"], shown["path"]) == (str(tmp_path), str(tmp_path))
    assert (shown["words"], shown["variable"]) == (["show", "it"], "value")
    assert shown["group"] == process.pid
    assert shown["parent"] != os.getpid()
    assert shown["files"] == ["/dev/null", str(process.output_path), str(process.output_path)]


async def test_its_end_is_told_as_it_was(tmp_path: Path, nursery: Nursery) -> None:
    process = make(tmp_path, nursery)
    for words, code in (("7", 7), ("0", 0), ("fail", 1)):
        process.launch(words)
        assert await process.wait() == code
    assert "ValueError: as told" in process.output
    await launched(process)
    first = process.pid
    os.kill(first, signal.SIGSTOP)
    assert process.is_running
    await process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    for end, code in (
        ("stop", -signal.SIGTERM),
        ("interrupt", -signal.SIGINT),
        ("interrupt_group", -signal.SIGINT),
    ):
        await launched(process)
        assert await getattr(process, end)() == code
    assert "KeyboardInterrupt" in process.output
    await launched(process)
    assert process.resident_bytes > 1_000_000
    with pytest.raises(subprocess.TimeoutExpired):
        await process.wait(deadline_seconds=0.01)
    process.discard()
    assert not process.is_running


async def test_one_may_wait_while_another_asks(tmp_path: Path, nursery: Nursery) -> None:
    process = await launched(make(tmp_path, nursery))
    waiting = [asyncio.create_task(process.wait()) for _ in range(3)]
    os.kill(process.pid, signal.SIGTERM)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while process.is_running:
            await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [-signal.SIGTERM] * 3


async def test_all_go_with_the_nursery(tmp_path: Path, nursery: Nursery) -> None:
    both = [await launched(make(tmp_path, nursery, name=name)) for name in ("one", "other")]
    pids = [process.pid for process in both]
    nursery.close()
    assert [await process.wait() for process in both] == [-signal.SIGKILL] * 2
    for pid in pids:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while Path(f"/proc/{pid}").exists():
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("variable", ["LD_PRELOAD", "PYTHONPATH", "SSL_CERT_FILE"])
async def test_what_only_a_start_can_have_is_started(
    tmp_path: Path, nursery: Nursery, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path) + os.pathsep)
    process = make(tmp_path, nursery)
    if variable == "PYTHONPATH":
        process.environment.pop(variable)
    process.launch("show")
    assert await process.wait() == 0
    assert json.loads(process.output.splitlines()[-1])["parent"] == os.getpid()
