"""Programs that are loaded once and run often: what a test run knows of its nurseries and their children."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PROGRAM = Path(__file__).with_name("nursery.py")
_AT_START = ("LD_", "MALLOC_", "OPENSSL_", "PYTHON", "SSL_", "SYNAPSE_")
"""What is looked at when a process starts or loads libraries, too late for one that has done so."""
_MODULE = 3
"""Where the own words of a command line begin: behind `python -m program`."""
END_SECONDS = 20


class Child:
    """What `subprocess.Popen` is for a process that was started; one thread may wait while another asks."""

    def __init__(self, report: int) -> None:
        os.set_blocking(report, False)
        self._report = report
        self._reading = threading.Lock()
        self._read = b""
        self._is_open = True

    @property
    def pid(self) -> int:
        """The process id, as soon as it has one."""
        while b"\n" not in self._read and self._is_open:
            self._hear(None)
        assert b"\n" in self._read, "the nursery ended"
        return int(self._read.split(b"\n")[0])

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        while self._is_open and self._hear(0.0):
            pass
        return self._code()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it ended."""
        end = None if timeout is None else time.monotonic() + timeout
        while self._is_open:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not self._hear(left) and left is not None:
                raise subprocess.TimeoutExpired("a child of a nursery", left)
        code = self._code()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _code(self) -> int | None:
        """Who loses the nursery is killed."""
        if self._is_open:
            return None
        _, *codes = self._read.split()
        return int(codes[0]) if codes else -signal.SIGKILL

    def _hear(self, seconds: float | None) -> bool:
        """Whether something was told within that time, to whomever."""
        poll = select.poll()
        poll.register(self._report, select.POLLIN)
        if not poll.poll(None if seconds is None else seconds * 1000):
            return False
        with self._reading, suppress(BlockingIOError):
            if self._is_open:
                self._take(os.read(self._report, 100))
        return True

    def _take(self, told: bytes) -> None:
        self._read += told
        if not told:
            self._is_open = False
            os.close(self._report)


class Nursery:
    """Runs one program as often as one likes; loaded when the first is to be born, with the environment of now."""

    def __init__(self, program: str, *, folder: Path, environment: Mapping[str, str]) -> None:
        self.program = program
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def takes(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a child would be what this command would be."""
        if tuple(command[:_MODULE]) != (sys.executable, "-m", self.program) or sys.platform != "linux":
            return False
        return _settings(environment) == _settings(self._environment)

    def bear(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], output: int) -> Child:
        """Run a command line that it takes."""
        control = self._control or self._start()
        order = json.dumps([command[_MODULE:], str(folder), dict(environment)]).encode()
        mine, theirs = os.pipe()
        try:
            socket.send_fds(control, [order], [output, theirs])
        finally:
            os.close(theirs)
        return Child(mine)

    def close(self) -> None:
        """End it, and with it all that was born here."""
        if self._control is None or self._process is None:
            return
        self._control.close()
        self._process.wait(END_SECONDS)
        self._control = self._process = None

    def _start(self) -> socket.socket:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Orders stay whole.
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, (self._folder / f"{self.program}.out").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-P", str(_PROGRAM), self.program],
                env=self._environment,
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        return self._control


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}
