"""Child processes of tests: started, watched, stopped, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from tests.homeserver.births import Child, Nursery

POLL_SECONDS = 0.02
STOP_SECONDS = 20.0


class Process:
    """One command with its output in a file; may be started again after it ended.

    With a nursery it is a fork of a process that has loaded the program, as long as that makes no difference.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        nursery: Nursery | None = None,
    ) -> None:
        self.name = name
        self.output_path = folder / f"{name}.out"
        self._command = tuple(command)
        self._folder = folder
        self.environment = dict(environment)
        """On top of ours, from the next start on."""
        self._nursery = nursery
        self._process: subprocess.Popen[bytes] | Child | None = None

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        return self._require().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def resident_bytes(self) -> int:
        """Resident memory."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def output(self) -> str:
        """All it printed, over all its starts."""
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    def launch(self, *extra: str) -> None:
        """Start it; does not wait until it is ready."""
        assert not self.is_running, f"{self.name} runs already"
        command, environment = [*self._command, *extra], {**os.environ, **self.environment}
        with self.output_path.open("ab") as output:
            if self._nursery is not None and self._nursery.takes(command, environment):
                self._process = self._nursery.bear(
                    command, folder=self._folder, environment=environment, output=output.fileno()
                )
                return
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that `interrupt_group` is what Ctrl-C in a terminal is.
                process_group=0,
            )

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]], *, deadline_seconds: float) -> None:
        """Ask until the answer is yes; fails when the process ends first or the deadline passes."""
        end = time.monotonic() + deadline_seconds
        while not await is_ready():
            if not self.is_running:
                raise RuntimeError(f"{self.name} ended before it was ready:\n{self.output[-4000:]}")
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{self.name} was not ready in {deadline_seconds:.0f} s:\n{self.output[-4000:]}"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def wait(self, *, deadline_seconds: float = STOP_SECONDS) -> int:
        """Its exit code, once it ended by itself."""
        return await asyncio.to_thread(self._require().wait, deadline_seconds)

    async def stop(self, *, deadline_seconds: float = STOP_SECONDS) -> int:
        """SIGTERM, then the exit code; a process that does not follow is killed and the test fails."""
        return await self._end(signal.SIGTERM, deadline_seconds)

    async def interrupt(self, *, deadline_seconds: float = STOP_SECONDS) -> int:
        """SIGINT to this process, then the exit code."""
        return await self._end(signal.SIGINT, deadline_seconds)

    async def interrupt_group(self, *, deadline_seconds: float = STOP_SECONDS) -> int:
        """Ctrl-C in a terminal: SIGINT to the process and its group, then the exit code."""
        process = self._require()
        os.killpg(process.pid, signal.SIGINT)
        return await asyncio.to_thread(process.wait, deadline_seconds)

    async def kill(self) -> None:
        """SIGKILL: no goodbye."""
        await self._end(signal.SIGKILL, STOP_SECONDS)

    def discard(self) -> None:
        """Make sure nothing is left, whatever the test did."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def _end(self, number: signal.Signals, deadline_seconds: float) -> int:
        process = self._require()
        process.send_signal(number)
        try:
            return await asyncio.to_thread(process.wait, deadline_seconds)
        except subprocess.TimeoutExpired:
            self.discard()
            text = f"{self.name} ignored {number.name} for {deadline_seconds:.0f} s:\n{self.output[-4000:]}"
            raise TimeoutError(text) from None

    def _require(self) -> subprocess.Popen[bytes] | Child:
        assert self._process is not None, f"{self.name} was never started"
        return self._process
