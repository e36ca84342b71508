"""The folders of tests are in memory where there is room, and gone when the run is over."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = 'for last; do :; done; echo "$last"; case $last in --basetemp=*) mkdir -p "${last#*=}/of-a-test";; esac; '


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def command(then: str) -> list[str]:
    return [str(ROOT / "tools" / "in-memory"), "sh", "-c", SHOWN + then, "sh", "tests"]


def variables(memory: Path, needed_kb: int = 1) -> dict[str, str]:
    kept = memory.with_name("kept")
    kept.mkdir(exist_ok=True)
    return {**os.environ, "MEMORY": str(memory), "NEEDED_KB": str(needed_kb), "TMPDIR": str(kept)}


def run(memory: Path, then: str, *, needed_kb: int = 1) -> subprocess.CompletedProcess[str]:
    environment = variables(memory, needed_kb)
    return subprocess.run(command(then), env=environment, capture_output=True, text=True, timeout=60, check=False)


def kept_of(memory: Path) -> list[Path]:
    return list(memory.with_name("kept").glob("*/of-a-test"))


def test_a_run_that_passed_leaves_nothing(memory: Path) -> None:
    done = run(memory, "exit 0")
    assert done.returncode == 0
    assert done.stdout.startswith(f"--basetemp={memory}/")
    assert list(memory.iterdir()) == kept_of(memory) == []


def test_what_a_run_that_failed_left_is_kept_on_the_disk(memory: Path) -> None:
    done = run(memory, "exit 3")
    assert done.returncode == 3
    assert list(memory.iterdir()) == []
    (kept,) = kept_of(memory)
    assert str(kept.parent) in done.stderr


def test_without_room_the_command_is_run_as_it_is(memory: Path) -> None:
    done = run(memory, "exit 4", needed_kb=10**15)
    assert (done.returncode, done.stdout) == (4, "tests\n")
    assert list(memory.iterdir()) == []
    missing = run(memory / "nowhere", "exit 0")
    assert (missing.returncode, missing.stdout) == (0, "tests\n")


def test_a_run_that_is_interrupted_leaves_nothing_nor_does_one_that_was_killed(memory: Path) -> None:
    for number in signal.SIGTERM, signal.SIGKILL:
        process = subprocess.Popen(
            command("exec sleep 600"), env=variables(memory), stdout=subprocess.DEVNULL, process_group=0
        )
        end = time.monotonic() + 60
        while not list(memory.glob("*/run/of-a-test")):
            assert time.monotonic() < end
            time.sleep(0.01)
        os.killpg(process.pid, number)
        assert process.wait(60) != 0
    assert len(list(memory.iterdir())) == 1
    run(memory, "exit 0")
    assert list(memory.iterdir()) == []
